#!/usr/bin/env bash
# The PyTorch backend (examples/backend_torch.py) on every case of the kit: everything must pass, with at most half of each budget, and
# a mistake must not.
#   backend_torch.sh GOLDFINCH EXAMPLES REFERENCE_FOLDER
# Exit code 77: PyTorch is not installed (python3-torch).
set -u
python=/usr/bin/python3
if ! $python -c 'import torch' 2>/dev/null; then
  echo "skipped: no python3-torch"
  exit 77
fi
program=$(realpath "$1") examples=$(realpath "$2") kit=$(realpath "$3")
source "$(dirname "$0")/../checks.sh"
run() {
  timeout 300 "$@" >out 2>err </dev/null
  code=$?
}
cp -r "$kit" reference_outputs && "$program" reference write reference_outputs --case wkv6.long_head64 || exit 1  # too large to be kept
mkdir right wrong && cp "$examples/backend_torch.py" right

cases=$(grep -c '^{"name":"[^"]*","kind"' reference_outputs/manifest.json)
for format in f32 tf32 bf16 fp16; do
  run "$python" right/backend_torch.py --format $format
  check "PyTorch's backend passes in $format" [ "$code" -eq 0 ]
  tail -n 1 out
  check "every case in $format" eval '[ "$(grep -c "tensors, 0 FAILED" out)" -eq $((cases + 1)) ]'  # and the sum
  check "at most half of each budget in $format" awk 'END {for (i = 1; i < NF; ++i) if ($i == "at") exit $(i + 1) > 0.5}' out
done

planted() {  # planted FORMAT SED_SCRIPT TENSOR CASE...
  local format=$1 script=$2 tensor=$3 case=$4
  shift 3
  sed "$script" "$examples/backend_torch.py" >wrong/backend_torch.py
  run "$python" wrong/backend_torch.py --format "$format" "$@"
  check "found out in $format: $script" eval '[ "$code" -eq 1 ] && ! cmp -s {right,wrong}/backend_torch.py && grep -q "^FAILED  *$case $tensor:" out'
}
planted f32 's/triu(C - n + 1)/triu(1)/' y attention.offset
planted f32 's/ + bonus \* kv)/ + bonus * k[t, :, :, None])/' y wkv6.bonus
for format in bf16 fp16; do
  planted $format 's/S\[b\] = d\(.*\) + kv/S[b] = (d\1 + kv).to(dtype)/' S_after wkv6.slow_decay
  planted $format 's/^decay = lambda w: \(.*\)/decay = lambda w: (\1).to(dtype)/' S_after wkv6.slow_decay
done
run "$python" right/backend_torch.py nonsense
check "a case that is not there is refused" eval '[ "$code" -eq 2 ] && grep -q "there is no case nonsense" err'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
