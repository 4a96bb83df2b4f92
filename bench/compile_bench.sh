#!/usr/bin/env bash
# How long compiling takes, without ccache:   bash bench/compile_bench.sh [CXX]
#   a program that includes goldfinch/goldfinch.hpp and runs one float model, at -O2, on one core       wanted: less than 10 s
#   the whole tool, from nothing, on two cores                                                          wanted: less than 2 min
set -euo pipefail
cd "$(dirname "$0")/.."
cxx=${1:-c++}
export CCACHE_DISABLE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/one_model.cpp" <<'END'
#include "goldfinch/goldfinch.hpp"

int main() {
  goldfinch::Config config;
  config.vocab_size = 256, config.n_layer = 3, config.n_embd = 64, config.tmix2 = "gold";
  const goldfinch::Model<float> model(config, config.dimensions());
  auto state = model.initial_state();
  const std::vector<int> tokens = {1, 2, 3};
  return model.prefill({{tokens, &state}}).rows() == 1 ? 0 : 1;
}
END
TIMEFORMAT="%U"
seconds=$({ time "$cxx" -std=c++20 -O2 -march=native -ffp-contract=off -fopenmp -Iinclude -I"${EIGEN:-/usr/include/eigen3}" -c "$work/one_model.cpp" -o "$work/one_model.o"; } 2>&1)
echo "one float model at -O2: $seconds s of processor time"

cmake -S . -B "$work/build" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" -DGOLDFINCH_BUILD_TESTS=OFF -DGOLDFINCH_BUILD_EXAMPLES=OFF >/dev/null
TIMEFORMAT="%R s, %U s of processor time"
seconds=$({ time ninja -C "$work/build" -j2 goldfinch_tool >/dev/null; } 2>&1)
echo "the whole tool on two cores: $seconds"
