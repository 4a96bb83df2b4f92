#!/usr/bin/env bash
# Builds everything and runs the tests:   bash scripts/test.sh [--full] [ctest arguments]
#
# The quick set is what every change has to pass. --full adds the tests that take minutes (all floats, other compilers and instruction sets),
# and runs the quick set again where nothing wrong can hide: with address and undefined-behaviour sanitizers, built for any x86-64,
# its threads under ThreadSanitizer, the tool's commands under valgrind.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh
full=0
if [ "${1:-}" = --full ]; then full=1; shift; fi
install_packages "${packages_to_build[@]}" "${packages_to_test[@]}"
[ $full = 0 ] || install_packages "${packages_to_test_all[@]}"

# Test data beyond what the repository holds, where it is at hand: tests that want it are skipped without.
shared=${GOLDFINCH_SHARED:-$(realpath -q ../shared || true)}
[ -d "$shared" ] || shared=

# stage NAME MINUTES: says what comes, and how long it takes on two cores.
stage() { printf '\n== %s: some %s minutes on two cores (now %(%H:%M)T)\n' "$1" "$2" -1; }

# build FOLDER TARGET… -- OPTION…: configures and builds.
build() {
  local folder=$1 targets=()
  shift
  while [ "$1" != -- ]; do targets+=("$1"); shift; done
  cmake -S . -B "$folder" -G Ninja -DGOLDFINCH_SHARED="$shared" -DGOLDFINCH_BUILD_TESTS=ON -DGOLDFINCH_BUILD_EXAMPLES=ON "${@:2}"
  cmake --build "$folder" --target "${targets[@]}"
}
run() { ctest --test-dir "$1" --output-on-failure -j"$(nproc)" "${@:2}"; }

stage "building for this processor" 15
build build all -- -DGOLDFINCH_FULL_TESTS=$full
stage "$([ $full = 1 ] && echo "all tests" || echo "the quick set")" "$([ $full = 1 ] && echo 60 || echo 5)"
run build "$@"
[ $full = 1 ] || exit 0

# Sanitized code takes three times as long to compile at -O2, and runs little faster.
sanitized=(-DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1")

# Tests that compile programs of their own are not repeated: their builds have flags of their own.
compiling='^(packaging|headers_alone|exact/one_hash|exact/reference_builds)$'

stage "address and undefined-behaviour sanitizers" 60
build build-sanitize all -- -DGOLDFINCH_SANITIZE=address,undefined "${sanitized[@]}"
run build-sanitize -E "$compiling" "$@"

stage "built for any x86-64, and the tool's commands under valgrind" 40
build build-portable all -- -DGOLDFINCH_PORTABLE=ON
run build-portable -E "$compiling" "$@"
bash tests/tool/valgrind.sh build-portable/goldfinch examples/demo reference_outputs

stage "ThreadSanitizer" 15
build build-threads goldfinch_thread_tests -- -DGOLDFINCH_SANITIZE=thread "${sanitized[@]}"
build-threads/tests/goldfinch_thread_tests
