#!/usr/bin/env bash
# check.py as its users meet it, and against goldfinch compare; the worked examples of NumPy's wkv6, in examples/ and in the README.
#   check_test.sh PROGRAM SOURCE
set -u
program=$(realpath "$1") source=$(realpath "$2") here=$(realpath "$(dirname "$0")")
/usr/bin/env python3 -c 'import numpy' 2>/dev/null && python=python3 || python=/usr/bin/python3
reference=$source/reference_outputs example=$source/examples/numpy_wkv6.py
source "$here/../checks.sh"
run() {
  timeout 300 "$@" >out 2>err </dev/null
  code=$?
}
is() { [ "$code" -eq "$1" ]; }

run "$python" "$here/check_agreement.py" "$program" "$reference/check.py" "$reference"
check "check.py and goldfinch compare agree" is 0
tail -n 1 out
run "$python" "$example"
check "wkv6 in NumPy is right" eval 'is 0 && [ "$(grep -c ^PASSED out)" -gt 40 ]'
sed 's/r\[t\], S\[b\] +/r[t], d[t, :, :, None] * S[b] +/' "$example" | sed "s|^reference = .*|reference = '$reference'|" >wrong.py
run "$python" wrong.py
check "and is found out when it reads the state after its decay" eval 'is 1 && grep -q "^FAILED  *wkv6.basic y" out && ! grep -q "^FAILED.*S_after" out'

# The README's kernel, as it stands there, and with the two lines of its loop exchanged.
ln -s "$reference" reference_outputs
awk '/^```python/ {inside = 1; next} /^```/ {exit} inside' "$source/README.md" >mine.py
judged() { run "$python" "$1" && run "$program" compare reference_outputs/operators/wkv6.basic.safetensors mine.npz; }
judged mine.py
check "the README's kernel is right" eval 'is 0 && grep -q "^3 tensors, f32: 3 PASSED" out'
awk '/WKV.1/ {read = $0; next} {print} /WKV.2/ {print read}' mine.py >exchanged.py
judged exchanged.py
check "and is found out when it reads the state after its update" eval 'is 1 && grep -q "^The first in the order of the computation: y" out && grep -q "read-after-update" out'

# Every flag that a case is there to catch has its words.
"$python" -c '
import json, sys
manifest = json.load(open(sys.argv[1]))
without = [(case["name"], flag) for case in manifest["cases"] for flag in case["catches"] if flag not in manifest["mistakes"]]
labels = {tensor["equation"] for case in manifest["cases"] for tensor in case["tensors"]}
nowhere = [flag for flag, mistake in manifest["mistakes"].items() if not labels & set(mistake["begins"])]
sys.exit(f"without words: {without}; beginning nowhere: {nowhere}" if without or nowhere else 0)' "$reference/manifest.json" 2>err
code=$?
check "every flag in catches is a known mistake, which begins at some tensor" is 0

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
