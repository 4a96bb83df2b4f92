#!/usr/bin/env bash
# goldfinch compare as its users meet it: exit codes 0, 1 and 2, every container as NumPy writes it, maps, and a comparator that fails
# where it should. The realistic case is a model of the reference, traced in float32 and in float64.
#   compare_test.sh PROGRAM REFERENCE_FOLDER
set -u
/usr/bin/env python3 -c 'import numpy' 2>/dev/null && python=python3 || python=/usr/bin/python3
program=$(realpath "$1") models=$(realpath "$2")/models
source "$(dirname "$0")/../checks.sh"
run() {
  timeout 60 "$program" compare "$@" >out 2>err </dev/null
  code=$?
}
# passes ARGUMENT…, fails TEXT ARGUMENT… (TEXT on standard output), refused TEXT ARGUMENT… (one line on standard error).
passes() {
  run "$@"
  check "passes: $*" eval '[ "$code" -eq 0 ] && [ -s out ] && [ ! -s err ]'
}
fails() {
  local text=$1
  shift
  run "$@"
  check "fails: $* (expected '$text')" eval '[ "$code" -eq 1 ] && [ ! -s err ] && grep -qF -- "$text" out'
}
refused() {
  local text=$1
  shift
  run "$@"
  check "refused: $* (expected '$text')" eval '[ "$code" -eq 2 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$text" err'
}

# A right f32 run of the 6-layer GoldFinch, and runs that are wrong.
tokens=$("$python" -c "import json; print(*json.load(open('$models/goldfinch.json'))['tokens'])")
"$program" logits --model "$models/goldfinch.safetensors" --tokens "$tokens" --out logits.npy --trace e.safetensors --chunk 64 &&
  "$program" logits --model "$models/goldfinch.safetensors" --tokens "$tokens" --out logits32.npy --trace g.safetensors --precision f32 --chunk 7 || exit 1
passes e.safetensors e.safetensors
passes e.safetensors g.safetensors
passes e.safetensors g.safetensors --format bf16
passes logits.npy logits32.npy
fails "FAILED" e.safetensors g.safetensors --format f64
fails "UNTESTED   embed" e.safetensors logits.npy
passes "$models/goldfinch.trace.safetensors" g.safetensors  # which has all rows, where the golden trace keeps the first
cp "$models/goldfinch.trace.safetensors" first.safetensors
fails "FAILED     embed" first.safetensors g.safetensors
passes first.safetensors g.safetensors --first-rows
passes e.safetensors g.safetensors --json all.json --html all.html
check "the JSON holds every tensor" "$python" -c "
import json
all = json.load(open('all.json'))
assert all['passed'] and all['first_failure'] is None and len(all['tensors']) > 100
assert all['tensors'][0]['name'] == 'embed' and all['tensors'][-1]['name'] == 'logits'
assert all['tensors'][-1]['logits']['top1'] == 1 and 0 < all['tensors'][-1]['relative_rms'] < 1e-5"
check "the page is whole" eval 'grep -q "</html>" all.html && grep -q "blocks.5.att.attn" all.html'

# A run that forgot a factor in each of its four Finch-C2 layers: nearly everything is wrong, these four keys are the causes.
"$program" logits --model "$models/goldfinch.safetensors" --tokens "$tokens" --out logits.npy --trace w.safetensors --precision f32 --no-one-minus-w || exit 1
local=(--local --model "$models/goldfinch.safetensors" --tokens "$tokens")
fails "The first in the order of the computation: blocks.0.att.k" e.safetensors w.safetensors
fails "The cause, the first that is wrong for what it was given: blocks.0.att.k" e.safetensors w.safetensors "${local[@]}" --json all.json --html all.html
check "the four keys are wrong by themselves" eval 'grep -qF "wrong by themselves too: blocks.1.att.k, blocks.2.att.k, blocks.3.att.k" out && grep -q "^locally: 123 PASSED, 4 FAILED" out'
check "and much in consequence" [ "$(grep -c "^FAILED     PASSED" out)" -gt 100 ]
check "the JSON says so" "$python" -c "
import json
all = json.load(open('all.json'))
assert all['cause'] == 'blocks.0.att.k' and sum(t['local']['status'] == 'FAILED' for t in all['tensors']) == 4"
check "the page says so" eval 'grep -q "The cause, the first" all.html && [ "$(grep -c "class=\"FAILED\">FAILED<br>" all.html)" -eq 4 ] &&
  [ "$(grep -c "class=\"FAILED\">FAILED</td><td class=\"PASSED\">PASSED<br>" all.html)" -gt 100 ]'
passes e.safetensors g.safetensors "${local[@]}"
check "a right run passes locally" grep -q "^locally: 127 PASSED" out
passes e.safetensors g.safetensors "${local[@]}" --format bf16
fails "The cause" e.safetensors w.safetensors "${local[@]}" --format bf16

# What NumPy writes, and what may be wrong with it.
"$python" - <<'EOF' || exit 1
import json, os, struct
import numpy as np
rng = np.random.default_rng(1)
names = ["blocks.0.ln1", "blocks.0.att.xv2", "blocks.0.att.wkv", "blocks.0.att.wkv_state", "blocks.0.att.out"]
e = {n: rng.standard_normal((3, 8, 8) if n.endswith("state") else (20, 24)) for n in names}
f = lambda x: x.astype(np.float32)
np.savez("e.npz", **e)
np.savez("right.npz", **{n: f(x) for n, x in e.items()})
np.savez_compressed("compressed.npz", **e)
def variant(name, tensor, change, drop=False, **more):
    g = {n: f(x) for n, x in e.items()}
    if drop: del g[tensor]
    else: g[tensor] = change(e[tensor].copy())
    np.savez(name + ".npz", **g, **more)
def put(value, at=(3, 5)):
    def change(x): x[at] = value; return x
    return change
k = "blocks.0.att.wkv"
variant("nan", k, put(np.nan)); variant("inf", k, put(np.inf)); variant("minus_inf", k, put(-np.inf))
variant("signs", k, lambda x: np.abs(x)); variant("one_sign", k, lambda x: np.where(np.arange(x.size).reshape(x.shape) == np.abs(x).argmax(), -x, x))
variant("rows", k, lambda x: x[::-1]); variant("zeros", k, np.zeros_like); variant("scale", k, lambda x: 1.01 * x)
variant("bf16_rounding", k, lambda x: (x.astype(np.float32).view(np.uint32) + 0x8000 & 0xffff0000).view(np.float32))
variant("shape", k, lambda x: x[:19]); variant("missing", k, None, drop=True); variant("extra", k, lambda x: x, mine=np.zeros(3))
variant("turned", "blocks.0.att.wkv_state", lambda x: np.ascontiguousarray(x.transpose(0, 2, 1)))
variant("batch", k, lambda x: x[None])
os.mkdir("folder"); os.mkdir("fortran")
for n, x in e.items():
    np.save(f"folder/{n}.npy", f(x)); np.save(f"fortran/{n}.npy", np.asfortranarray(x))
bf16 = (e[k].astype(np.float32).view(np.uint32) + 0x8000 >> 16).astype(np.uint16)
np.save("words.npy", bf16); np.save("void.npy", bf16.view("V2")); np.save("one.npy", e[k]); np.save("big.npy", e[k].astype(">f8")); np.save("ids.npy", np.arange(5))
np.save("ids2.npy", np.arange(5) + (np.arange(5) == 3))
mostly = np.zeros((20, 24)); mostly[0, :5] = 1
np.save("mostly.npy", mostly); np.save("mostly2.npy", 1.1 * mostly); np.save("constant.npy", np.full((4, 4), 3.0))
json.dump([{"ours": "blocks.{i}.att.*", "theirs": "l{i}_*"}, {"ours": "blocks.{i}.ln1", "theirs": "norm{i}", "rearrange": "c t -> t c", "scale": 0.5}], open("map.json", "w"))
np.savez("theirs.npz", norm0=2 * e["blocks.0.ln1"].T, **{"l0_" + n.split("att.")[1]: f(x) for n, x in e.items() if "att." in n})
open("text.npz", "w").write("PK\3\4 but no more"); open("map_bad.json", "w").write('[{"ours": "a"}]'); open("empty", "w")
EOF
for g in e.npz right.npz folder fortran; do
  passes e.npz $g
  passes $g e.npz
done
passes e.npz extra.npz
check "the extra tensor is listed" grep -q "no such name: mine" out
for g in nan inf minus_inf signs one_sign rows zeros scale shape missing; do
  fails "blocks.0.att.wkv " e.npz $g.npz
  check "$g: only this one fails" eval '[ "$(grep -cE "^(FAILED|UNTESTED) " out)" -eq 1 ]'
  [ $g = scale ] || [ $g = one_sign ] || fails "blocks.0.att.wkv " e.npz $g.npz --format bf16
done
fails "The first in the order of the computation: blocks.0.att.wkv" e.npz nan.npz
fails "[3, 5] (got nan" e.npz nan.npz
fails "FC2.7, WKV.1" e.npz scale.npz
fails "times 1.01" e.npz scale.npz
fails "UNTESTED   blocks.0.att.wkv  missing" e.npz missing.npz
fails "shape [19, 24], expected [20, 24]" e.npz shape.npz
fails "its transpose" e.npz turned.npz
fails "state-transposed" e.npz turned.npz
passes e.npz turned.npz --map cuda
fails "blocks.0.att.wkv_state" e.npz right.npz --map cuda
fails "blocks.0.att.wkv " e.npz batch.npz
passes e.npz batch.npz --map hf
fails "blocks.0.att.wkv " e.npz bf16_rounding.npz
passes e.npz bf16_rounding.npz --format bf16
fails "UNTESTED" e.npz theirs.npz
passes e.npz theirs.npz --map map.json
passes one.npy void.npy --format bf16
passes one.npy words.npy --format bf16
fails "FAILED" one.npy words.npy
passes ids.npy ids.npy
fails "FAILED" ids.npy ids2.npy
passes mostly.npy mostly.npy
check "zeros are mistrusted" grep -q "^MISTRUSTED" out
fails "FAILED" mostly.npy mostly2.npy
passes constant.npy constant.npy
check "a constant is mistrusted" grep -q "^MISTRUSTED" out

# What cannot be read, and bad usage.
passes e.npz compressed.npz
passes one.npy big.npy
refused "text.npz" e.npz text.npz
refused "nofile" e.npz nofile
refused "nofile" nofile e.npz
refused "is empty" e.npz empty
refused "map_bad.json: rule 1" e.npz e.npz --map map_bad.json
refused "nomap" e.npz e.npz --map nomap
refused "--format" e.npz e.npz --format f8
refused "GOT" e.npz
refused "missing/x.json" e.npz e.npz --json missing/x.json
refused "needs --tokens" e.safetensors g.safetensors --local --model "$models/goldfinch.safetensors"
refused "go with --local" e.safetensors g.safetensors --model "$models/goldfinch.safetensors" --tokens "1 2"
refused "is no case of the kit" e.safetensors g.safetensors --local
refused "nofile" e.safetensors g.safetensors --local --model nofile --tokens "1 2"
refused "tokens holds 999" e.safetensors g.safetensors --local --model "$models/goldfinch.safetensors" --tokens "1 999"
refused "--threads" e.npz e.npz --threads 0
for bytes in 1 9 100 300; do
  head -c $bytes e.safetensors >cut
  refused "cut" e.safetensors cut
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
