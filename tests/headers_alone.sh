#!/usr/bin/env bash
# Every header of the library compiles alone, without a warning: each includes what it uses, and none needs another before it.
#   headers_alone.sh CXX INCLUDE          EIGEN: Eigen's folder (default /usr/include/eigen3)
# Exit code 0: all do; 1: not, with the compiler's words; 2: bad usage. As many compilers run at a time as there are CPUs.
set -u
[ $# -eq 2 ] && [ -d "$2/goldfinch" ] || { echo "usage: headers_alone.sh CXX INCLUDE" >&2; exit 2; }
cd "$2" || exit 2

# A header of its own translation unit would not notice a missing #pragma once: it is included twice.
compile() {
  local header=$1 macros=()
  [[ $header == */tokenizer/sentencepiece.hpp ]] && macros=(-DGOLDFINCH_HAVE_SENTENCEPIECE)  # it refuses builds without the library
  printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
    "$CXX" -std=c++20 -fsyntax-only -Wall -Wextra -Werror "${macros[@]}" -I. -isystem "${EIGEN:-/usr/include/eigen3}" -x c++ - 2>&1 | sed "s|^|$header: |"
  return "${PIPESTATUS[1]}"
}
export -f compile
export CXX=$1

mapfile -t headers < <(find goldfinch -name '*.hpp' | sort)
if printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} bash -c 'compile {} || exit 1'; then
  echo "${#headers[@]} headers compile alone"
else
  echo "FAILED: not all of ${#headers[@]} headers compile alone"
  exit 1
fi
