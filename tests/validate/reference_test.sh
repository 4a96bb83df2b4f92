#!/usr/bin/env bash
# goldfinch op and goldfinch reference as their users meet them.
#   reference_test.sh PROGRAM REFERENCE_FOLDER
set -u
program=$(realpath "$1") reference=$(realpath "$2") here=$(realpath "$(dirname "$0")")
/usr/bin/env python3 -c 'import numpy' 2>/dev/null && python=python3 || python=/usr/bin/python3
source "$(dirname "$0")/../checks.sh"
run() {
  timeout 300 "$@" >out 2>err </dev/null
  code=$?
}
is() { [ "$code" -eq "$1" ]; }
refused() {
  local text=$1
  shift
  run "$program" "$@"
  check "refused: $* (expected '$text')" eval 'is 2 && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$text" err'
}

# What is kept.
cp -r "$reference" made
run "$python" "$here/check_schema.py" "$reference/manifest.schema.json" made/manifest.json
check "the manifest fits its schema" is 0
sed 's/"role":"output"/"role":"result"/' made/manifest.json >bad.json
run "$python" "$here/check_schema.py" "$reference/manifest.schema.json" bad.json
check "the checker can fail" is 1
run "$python" "$reference/make_inputs.py" made/manifest.json
check "NumPy makes all inputs anew" eval 'is 0 && grep -q "inputs made anew, bit for bit" out'
sed 's/"mean":-1.5/"mean":-1.25/' made/manifest.json >bad.json
run "$python" "$reference/make_inputs.py" bad.json
check "other inputs are noticed" is 1
check "all together under 15 MB" [ "$(du -sb made | cut -f 1)" -lt 15000000 ]

# reference verify.
run "$program" reference verify made --case wkv6.packed
check "verify" eval 'is 0 && grep -q "the same bits" out'
run "$program" reference verify made
check "verify everything" eval 'is 0 && grep -q "the same bits" out'
cp -r made spoilt
printf '\001' | dd of=spoilt/operators/wkv6.packed.safetensors bs=1 seek=$(($(stat -c %s made/operators/wkv6.packed.safetensors) - 1)) conv=notrunc 2>/dev/null
run "$program" reference verify spoilt --case wkv6.packed
check "a changed file is noticed" eval 'is 1 && grep -q "wkv6.packed.safetensors: S_after" out'
rm spoilt/operators/wkv6.packed.safetensors
refused "wkv6.packed.safetensors" reference verify spoilt --case wkv6.packed
hash=$("$python" -c 'import json; print(next(t["sha256"] for c in json.load(open("made/manifest.json"))["cases"] if c["name"] == "model.llama_rope" for t in c["tensors"] if t["name"] == "logits"))')
sed "s/$hash/${hash%?????}00000/" made/manifest.json >spoilt/manifest.json
run "$program" reference verify spoilt --case model.llama_rope
check "other bits are noticed" eval 'is 1 && grep -q "model.llama_rope: logits has other bits on 5 threads" out'
sed 's/"numerics": 1/"numerics": 9/' made/manifest.json >spoilt/manifest.json
refused "version '9'" reference verify spoilt
echo '{}' >spoilt/manifest.json
refused "not a manifest" reference verify spoilt
echo '{"numerics": 1, "cases": [{}]}' >spoilt/manifest.json
refused "not a manifest" reference verify spoilt
refused "no case" reference verify made --case nonsense
refused "manifest.json" reference verify nowhere
refused "no case 'x'" reference write made --case x

# One case by itself is the same file; on demand too.
run "$program" reference write one --case wkv6.packed
check "write --case" eval 'is 0 && cmp -s one/operators/wkv6.packed.safetensors made/operators/wkv6.packed.safetensors && [ ! -e one/manifest.json ]'
check "large cases are not kept" [ ! -e made/operators/wkv6.long_head64.safetensors ]
run "$program" reference write one --case wkv6.long_head64
check "but made on demand" [ -s one/operators/wkv6.long_head64.safetensors ]

# op: a case's file is an input.
tensors() {  # the tensors of $1 that $2 has too, as one text
  "$python" - "$1" "$2" <<'PYTHON'
import json, sys
def read(path):
    data = open(path, "rb").read()
    length = int.from_bytes(data[:8], "little")
    return {name: data[8 + length + e["data_offsets"][0] : 8 + length + e["data_offsets"][1]].hex() for name, e in json.loads(data[8 : 8 + length]).items() if name != "__metadata__"}
a, b = read(sys.argv[1]), read(sys.argv[2])
print("\n".join(f"{name} {a[name]}" for name in sorted(a) if name in b))
PYTHON
}
for case in operators/wkv6.packed operators/ddlerp.packed layers/gold_attention.chunk layers/gptalpha_attention.packed; do
  name=${case#*/}
  run "$program" op "${name%.*}" --in "made/$case.safetensors" --out out.safetensors
  check "op ${name%.*} gives what the case holds" eval 'is 0 && [ "$(tensors out.safetensors "made/$case.safetensors")" = "$(tensors "made/$case.safetensors" out.safetensors)" ]'
done
for precision in "f32" "f80" "bf16" "bf16 --accumulate own" "fp16" "tf32" "e4m3" "e5m2"; do
  run "$program" op finch_c2_time_mix --in made/layers/finch_c2_time_mix.first.safetensors --out "out.safetensors" --precision $precision
  check "op in $precision" eval 'is 0 && [ -s out.safetensors ]'
  [ "$precision" = tf32 ] && continue  # where nothing over- or underflows in fp16, which has as many fraction bits, both are the same
  digest=$(sha256sum <out.safetensors)
  check "$precision is a precision of its own" eval '! grep -qF "$digest" digests 2>/dev/null'
  echo "$digest" >>digests
done
run "$program" op --list
check "list" eval 'is 0 && grep -q "^wkv6  *operator" out && grep -q "^gold_attention  *layer" out && grep -q "^model  *model" out'
for name in $(awk '{print $1}' out); do
  run "$program" op "$name" --describe
  check "describe $name" eval 'is 0 && grep -q "^takes" out && grep -q "^gives" out'
done

# compare --local: a case of the kit holds what it takes; of a golden model, the manifest says where that is.
run "$program" op finch_c2_time_mix --in made/layers/finch_c2_time_mix.carried.safetensors --out mine.safetensors --precision f32
run "$program" compare made/layers/finch_c2_time_mix.carried.safetensors mine.safetensors --local
check "a right layer passes locally" eval 'is 0 && grep -q "^locally: 14 PASSED" out'
run "$program" op finch_c2_time_mix --in made/layers/finch_c2_time_mix.no_one_minus_w.safetensors --out mine.safetensors
"$python" - made/layers/finch_c2_time_mix.no_one_minus_w.safetensors without.safetensors <<'PYTHON'
import json, sys
data = open(sys.argv[1], "rb").read()
length = int.from_bytes(data[:8], "little")
header = json.loads(data[8 : 8 + length])
header["use_v2"] = header.pop("use_one_minus_w")  # the same number, 0, for another setting
text = json.dumps(header).encode()
open(sys.argv[2], "wb").write(len(text).to_bytes(8, "little") + text + data[8 + length :])
PYTHON
run "$program" op finch_c2_time_mix --in without.safetensors --out mine.safetensors --precision f32
run "$program" compare made/layers/finch_c2_time_mix.no_one_minus_w.safetensors mine.safetensors --local
check "a wrong layer is wrong where it begins" eval 'is 1 && grep -q "^The cause, the first that is wrong for what it was given: k " out'
tokens=$("$python" -c "import json; print(*json.load(open('$reference/models/llama_rope.json'))['tokens'])")
run "$program" logits --model "$reference/models/llama_rope.safetensors" --tokens "$tokens" --out logits.npy --trace full.safetensors --precision f32
run "$program" compare made/models/llama_rope.trace.safetensors full.safetensors --local --first-rows
check "a golden trace of first rows" eval 'is 0 && grep -q "^locally: .* PASSED$" out'

# op: what does not fit.
refused "'nonsense'" op nonsense --describe
refused "expected the name" op
refused "expected --in and --out" op wkv6
refused "nofile" op wkv6 --in nofile --out o
refused "--precision" op wkv6 --in nofile --out o --precision f8
refused "nowhere/o" op wkv6 --in made/operators/wkv6.basic.safetensors --out nowhere/o
refused "linear has no tensor" op linear --in made/operators/wkv6.extreme_decay.safetensors --out o
write() {  # write FILE NAME DTYPE SHAPE BYTES(as a Python expression) …
  "$python" - "$@" <<'PYTHON'
import json, sys
header, data = {}, b""
for name, dtype, shape, content in zip(*[iter(sys.argv[2:])] * 4):
    content = eval(content)
    header[name] = {"dtype": dtype, "shape": json.loads(shape), "data_offsets": [len(data), len(data) + len(content)]}
    data += content
text = json.dumps(header).encode()
open(sys.argv[1], "wb").write(len(text).to_bytes(8, "little") + text + data)
PYTHON
}
write bad.safetensors x F32 "[1, 2]" 'b"\0\0\x80\x7f" * 2'
refused "bad.safetensors: NaN or infinity in tensor x" op rms_norm --in bad.safetensors --out o
write bad.safetensors x F32 "[1000000000000, 0]" 'b""' W F32 "[1000000000000, 0]" 'b""'
refused "bad.safetensors: tensor 'W' is [1000000000000, 0]: it holds no numbers" op linear --in bad.safetensors --out o
write bad.safetensors x F32 "[2]" 'bytes(8)'
refused "bad.safetensors: tensor x is [2], expected [T, D]" op rms_norm --in bad.safetensors --out o
write bad.safetensors x F32 "[65536, 1]" 'bytes(4 * 65536)' head_size F32 "[]" 'bytes(4)'
refused "bad.safetensors: head_size is 0" op rotary --in bad.safetensors --out o
write bad.safetensors ids F64 "[1]" 'bytes(7) + b"\x41"' emb.weight F32 "[1, 1]" 'bytes(4)' blocks.0.ln0.weight F32 "[1]" 'bytes(4)' blocks.0.ln0.bias F32 "[1]" 'bytes(4)'
refused "bad.safetensors: tensor ids holds" op embedding --in bad.safetensors --out o
refused "bad.safetensors: has no tensor tokens" op model --in bad.safetensors --out o

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
