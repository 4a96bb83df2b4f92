#!/usr/bin/env bash
# Builds goldfinch and lets the demo model go on from a text:   bash scripts/demo.sh "In the beginning"
# The text goes to standard output, everything else to standard error. Further arguments go to `goldfinch generate`.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh
install_packages "${packages_to_build[@]}"

# Only the tool is configured: what tests and examples want besides is for test.sh to install.
[ -f build/build.ninja ] || cmake -S . -B build -G Ninja -DGOLDFINCH_BUILD_TESTS=OFF -DGOLDFINCH_BUILD_EXAMPLES=OFF >&2
[ -x build/goldfinch ] || echo "building goldfinch: this once, some 4 minutes on two cores" >&2
cmake --build build --target goldfinch_tool >&2
exec build/goldfinch generate --prompt="${1:-In the beginning}" "${@:2}"
