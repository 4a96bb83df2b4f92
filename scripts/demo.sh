#!/usr/bin/env bash
# Builds goldfinch and lets the demo model go on from a text:   bash scripts/demo.sh "In the beginning"
# The text goes to standard output, everything else to standard error. Further arguments go to `goldfinch generate`.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh
install_packages "${packages_to_build[@]}"

if [ ! -f build/build.ninja ]; then cmake -S . -B build -G Ninja >&2; fi
cmake --build build --target goldfinch_tool >&2
exec build/goldfinch generate --prompt="${1:-In the beginning}" --temperature 0.7 --top-p 0.9 "${@:2}"
