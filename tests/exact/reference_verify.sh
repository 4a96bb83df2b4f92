#!/usr/bin/env bash
# Shows that every build gives the bits of reference_outputs/manifest.json, as `goldfinch reference verify` does for the build at hand:
# reference_verify.cpp for x86-64, and with --full for x86-64-v3 and x86-64-v4 too, with clang++ and -O3, for aarch64 under qemu-user; and
# that a build with other arithmetic refuses.
#
# Exit code 0: the same bits everywhere; 1: not; 2: bad usage.
source "$(dirname "$0")/builds.sh"
threads="1,2,5"  # the program sees to that itself

right() { [[ $1 =~ ^[0-9]{4}\ tensors.*:\ the\ same\ bits ]]; }

add g++ "${levels%% *}" -O1
if ((full)); then
  for level in $levels; do
    add g++ "$level" -O3
    add clang++ "$level" -O3
  done
  add g++ contract-fast -O2  # fusion is an optimisation of this level
  add aarch64-linux-gnu-g++ aarch64 -O1
fi
compile_all reference_verify.cpp
run_all ../../reference_outputs
((failed)) && { echo "not the bits of version 1"; exit 1; }
echo "the bits of version 1 everywhere"
