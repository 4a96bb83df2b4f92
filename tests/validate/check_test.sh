#!/usr/bin/env bash
# check.py as its users meet it, and against goldfinch compare; the worked example of NumPy's wkv6.
#   check_test.sh PROGRAM REFERENCE_FOLDER WRITTEN_FOLDER EXAMPLES
set -u
program=$(realpath "$1") check=$(realpath "$2")/check.py written=$(realpath "$3") examples=$(realpath "$4") here=$(realpath "$(dirname "$0")")
/usr/bin/env python3 -c 'import numpy' 2>/dev/null && python=python3 || python=/usr/bin/python3
source "$here/../checks.sh"
run() {
  timeout 300 "$@" >out 2>err </dev/null
  code=$?
}
is() { [ "$code" -eq "$1" ]; }

run "$python" "$here/check_agreement.py" "$program" "$check" "$written"
check "check.py and goldfinch compare agree" is 0
tail -n 1 out
run "$python" "$examples/numpy_wkv6.py" "$written"
check "wkv6 in NumPy is right" eval 'is 0 && [ "$(grep -c ^PASSED out)" -gt 40 ]'
sed 's/r\[t\], S\[b\] +/r[t], d[t, :, :, None] * S[b] +/' "$examples/numpy_wkv6.py" | sed "s|^reference = .*|reference = '$(dirname "$check")'|" >wrong.py
run "$python" wrong.py "$written"
check "and is found out when it reads the state after its decay" eval 'is 1 && grep -q "^FAILED  *wkv6.basic y" out && ! grep -q "^FAILED.*S_after" out'

# Every flag that a case is there to catch has its words.
"$python" -c '
import json, sys
manifest = json.load(open(sys.argv[1]))
without = [(case["name"], flag) for case in manifest["cases"] for flag in case["catches"] if flag not in manifest["mistakes"]]
labels = {tensor["equation"] for case in manifest["cases"] for tensor in case["tensors"]}
nowhere = [flag for flag, mistake in manifest["mistakes"].items() if not labels & set(mistake["begins"])]
sys.exit(f"without words: {without}; beginning nowhere: {nowhere}" if without or nowhere else 0)' "$written/manifest.json" 2>err
code=$?
check "every flag in catches is a known mistake, which begins at some tensor" is 0

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
