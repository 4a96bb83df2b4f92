#!/usr/bin/env bash
# The OpenCL backend (examples/backend_opencl) on every case of the kit that it knows: in float32 and bfloat16, with sums in sequence
# and split among lanes. Everything must pass, with at most half of each budget, so that budgets leave other devices' functions room.
#   backend_opencl.sh BACKEND GOLDFINCH REFERENCE_FOLDER
# Exit code 77: there is no OpenCL device to run on.
set -u
/usr/bin/env python3 -c 'import json' 2>/dev/null && python=python3 || python=/usr/bin/python3
backend=$(realpath "$1") program=$(realpath "$2") kit=$(realpath "$3")
source "$(dirname "$0")/../checks.sh"
export POCL_CACHE_DIR=$work/pocl  # PoCL keeps what it compiled
mkdir pocl json
"$backend" --device || exit 77
run() {
  timeout 120 "$@" >out 2>err </dev/null
  code=$?
}

cp -r "$kit" kit && kit=$work/kit && "$program" reference write kit --case wkv6.long_head64 || exit 1  # too large to be kept
for op in wkv6 token_cat_decompress attention gold_attention; do
  for case in "$kit"/*/"$op".*.safetensors; do
    name=$(basename "$case" .safetensors)
    for format in f32 bf16; do
      for form in "" --split; do
        flags=($form)
        [ $format = f32 ] || flags+=(--bf16)
        run "$backend" "$op" "$case" mine.safetensors "${flags[@]}"
        check "$name runs in $format $form" [ "$code" -eq 0 ]
        run "$program" compare "$case" mine.safetensors --format $format --json "json/$name $format $form.json"
        check "$name passes in $format $form" [ "$code" -eq 0 ]
      done
    done
  done
done
cat >half.py <<'PYTHON'
import glob, json, sys
cases = glob.glob("json/*.json")
used = [(t["relative_rms"] / t["budget"], path[5:-5], t["name"], t["relative_rms"], t["budget"])
        for path in cases for t in json.load(open(path))["tensors"] if t["relative_rms"] > 0]
for kind in "f32", "bf16":
    print("nearest to its budget, {}: {:.2f} of it, {}, {}, relative rms {:.3g}".format(kind, *max(u for u in used if kind in u[1])[:4]))
too_near = [u for u in used if not u[0] <= 0.5]
print(*too_near, sep="\n", end="")
sys.exit(len(cases) < 148 or len(too_near) > 0)
PYTHON
run "$python" half.py
check "at most half of each budget" [ "$code" -eq 0 ]
cat out err

# The planted bugs are bugs: each fails where it should, and leaves right what it does not touch.
planted() {  # planted BUG CASE OPERATOR SUMMARY
  for form in "" --split; do
    run "$backend" "$3" "$kit/$2.safetensors" mine.safetensors --plant "$1" $form
    run "$program" compare "$kit/$2.safetensors" mine.safetensors
    check "planted bug $1 in $2 $form" grep -qF "$4" out
  done
}
planted 1 operators/wkv6.basic wkv6 "2 PASSED, 1 FAILED"
planted 2 operators/wkv6.state wkv6 "2 PASSED, 1 FAILED"
planted 3 operators/wkv6.packed wkv6 "2 PASSED, 1 FAILED"
planted 4 operators/wkv6.basic wkv6 "3 PASSED"
planted 4 operators/wkv6.bonus wkv6 "2 PASSED, 1 FAILED"
planted 5 operators/attention.square attention "1 FAILED"
planted 5 operators/attention.decode attention "1 PASSED"
planted 5 layers/gold_attention.packed gold_attention "3 PASSED, 2 FAILED"

# What does not fit is refused in one line.
refused() {
  local text=$1
  shift
  run "$backend" "$@"
  check "refused: $* (expected '$text')" eval '[ "$code" -eq 2 ] && [ "$(wc -l <err)" -le 2 ] && grep -qF -- "$text" err'
}
refused "nofile: cannot be read" wkv6 nofile mine.safetensors
refused "tensor r is missing" wkv6 "$kit/operators/attention.square.safetensors" mine.safetensors
refused "nowhere/m: cannot be written" wkv6 "$kit/operators/wkv6.basic.safetensors" nowhere/m
refused "OPERATOR" nonsense "$kit/operators/wkv6.basic.safetensors" mine.safetensors
refused "OPERATOR CASE MINE" wkv6
head -c 100 "$kit/operators/wkv6.basic.safetensors" >short.safetensors
refused "short.safetensors: not a safetensors file" wkv6 short.safetensors mine.safetensors
head -c 2000 "$kit/operators/wkv6.basic.safetensors" >short.safetensors
refused "lies beyond the end of the file" wkv6 short.safetensors mine.safetensors

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
