#!/usr/bin/env bash
# docs/find_the_bug.md prints what it says, command by command, and the checker notices where a page does not.
#   find_the_bug.sh SOURCE BACKEND GOLDFINCH
# Exit code 77: there is no OpenCL device to run on.
set -u
/usr/bin/env python3 -c 'import json' 2>/dev/null && python=python3 || python=/usr/bin/python3
source=$(realpath "$1") backend=$(realpath "$2") program=$(realpath "$3") here=$(realpath "$(dirname "$0")")
source "$here/../checks.sh"
export POCL_CACHE_DIR=$work/pocl  # PoCL keeps what it compiled
mkdir pocl build
"$backend" --device || exit 77
ln -s "$backend" build/backend_opencl && ln -s "$program" build/goldfinch && ln -s "$source/reference_outputs" "$source/examples" .
walk() {
  "$python" "$here/walk_through.py" "$1" . >out 2>err
  code=$?
}
walk "$source/docs/find_the_bug.md"
check "docs/find_the_bug.md" [ "$code" -eq 0 ]
cat out
printf '    $ echo one; echo two\n    one\n\n    t…o\n' >page.md
walk page.md
check "a true page" [ "$code" -eq 0 ]
printf '    $ echo one; echo two\n    two\n    one\n' >page.md
walk page.md
check "lines in another order" [ "$code" -eq 1 ]
printf '    $ echo one\n    $ echo two\n    one\n' >page.md
walk page.md
check "the output of another command" [ "$code" -eq 1 ]
sed 's/columns are wrong: 8 to 15/columns are wrong: 8 to 14/' "$source/docs/find_the_bug.md" >page.md
walk page.md
check "a page with one wrong figure" eval '[ "$code" -eq 1 ] && grep -q "columns are wrong: 8 to 14" out'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
