#!/usr/bin/env bash
# Builds everything and runs the tests:   bash scripts/test.sh [--full] [ctest arguments]
# The quick set takes a few minutes on two cores; --full adds the long tests (all floats, other instruction sets, sanitizers).
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh
full=0
if [ "${1:-}" = --full ]; then full=1; shift; fi
install_packages "${packages_to_build[@]}" "${packages_to_test[@]}"
[ $full = 0 ] || install_packages g++-aarch64-linux-gnu qemu-user-static python3-torch libbenchmark-dev

# Test data beyond what the repository holds, where it is at hand: tests that want it are skipped without.
shared=${GOLDFINCH_SHARED:-$(realpath -q ../shared || true)}
[ -d "$shared" ] || shared=

cmake -S . -B build -G Ninja -DGOLDFINCH_SHARED="$shared" -DGOLDFINCH_FULL_TESTS=$full >&2
cmake --build build >&2
ctest --test-dir build --output-on-failure -j"$(nproc)" "$@"

# The long set once more, quick tests only, where every wrong access or undefined operation ends the program.
if [ $full = 1 ]; then
  cmake -S . -B build-sanitize -G Ninja -DGOLDFINCH_SHARED="$shared" -DGOLDFINCH_SANITIZE=address,undefined -DCMAKE_BUILD_TYPE=RelWithDebInfo >&2
  cmake --build build-sanitize >&2
  ctest --test-dir build-sanitize --output-on-failure -j"$(nproc)" -E 'packaging|one_hash|reference_verify' "$@"
fi
