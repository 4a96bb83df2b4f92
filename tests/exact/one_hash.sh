#!/usr/bin/env bash
# Shows that one_hash.cpp gives one hash, whatever it is compiled with and wherever it runs, and that it is the hash of version 1 of the
# numerics contract; that -ffp-contract=fast is refused with the reason, and that -ffast-math does not compile.
#
# With --full -O0 and -O3, models in float as well as in double, and aarch64 under qemu-user where that is installed.
# Exit code 0: that hash everywhere; 1: not; 2: bad usage.
source "$(dirname "$0")/builds.sh"
threads="1 5"

# Version 1 is final: its bits do not change, not even everywhere alike. Who changes one has made another version of the contract, with a
# number of its own (docs/numerics.md, numerics_version), or a mistake.
if ((full)); then
  hash=1ec07dc05667b68028bc53dac084e612969dec6ab5ed180343431af948185b78
else
  hash=a911bdb3f531b9c0e1da38cd5138b72b0a6f613c3af8aa25ff457fa6331a0651
  flags+=(-DMODEL_SCALARS=double)
fi
right() { [ "$1" = $hash ]; }

if ((full)); then
  for level in $levels; do
    for compiler in g++ clang++; do
      for optimisation in -O0 -O3; do add $compiler "$level" $optimisation; done
    done
  done
else  # what compiles fastest; other tests are compiled with g++ at -O3 for the machine
  best=
  for level in $levels; do [ -n "$(cannot_run "$level")" ] || best=$level; done
  for level in $levels; do [ "$level" = "$best" ] || add g++ "$level" -O0; done
  add clang++ "$best" -O1
  command -v clang++ > /dev/null || add g++ "$best" -O0
fi
add g++ contract-fast -O2 -DMODEL_SCALARS=  # without models: it refuses before it would make one
if ((full)); then
  add clang++ contract-fast -O2 -DMODEL_SCALARS=
  add aarch64-linux-gnu-g++ aarch64 -O0
  add aarch64-linux-gnu-g++ aarch64 -O3
fi
compile_all one_hash.cpp
run_all

for compiler in g++ clang++; do
  command -v $compiler > /dev/null || continue
  if output=$(echo '#include "goldfinch/core/arithmetic.hpp"' | $compiler "${flags[@]}" -ffast-math -x c++ -fsyntax-only - 2>&1); then
    echo "$compiler -ffast-math FAILED: it compiles"
    failed=1
  elif [[ $output == *"-ffast-math (or -Ofast) changes results"* ]]; then
    printf '%-34s does not compile, as it should\n' "$compiler -ffast-math"
  else
    echo "$compiler -ffast-math FAILED: $output"
    failed=1
  fi
done
((failed)) && { echo "not the hash of version 1, $hash"; exit 1; }
echo "the hash of version 1 everywhere: $hash"
