#!/usr/bin/env bash
# Shows that every build makes the data of reference_outputs: the bits of the numbers, as `goldfinch reference verify` does for the build at
# hand, and the files and the manifest with its budgets, byte for byte. And that a build with other arithmetic refuses.
#
# In the quick set for x86-64 at -O0, and budgets of the cases that depend most on how a program is compiled (functions of both signs); with
# --full everything for x86-64, x86-64-v3 and x86-64-v4, g++ and clang++, -O0 and -O3, and numbers for aarch64 under qemu-user.
#
# Exit code 0: the same bytes everywhere; 1: not; 2: bad usage.
source "$(dirname "$0")/builds.sh"
data=../../reference_outputs
# What is judged is the same whatever the flags: that no standard container is indexed out of its bounds is checked on the way.
flags+=(-D_GLIBCXX_ASSERTIONS)

add g++ "${levels%% *}" -O0
if ((full)); then
  for level in $levels; do
    add g++ "$level" -O3
    add clang++ "$level" -O1
  done
  add g++ contract-fast -O2  # fusion is an optimisation of this level
  add aarch64-linux-gnu-g++ aarch64 -O1
fi
compile_all reference_builds.cpp

right() { [[ $1 =~ ^[0-9]{4}\ tensors.*:\ the\ same\ bits ]]; }
threads="2"  # the program sees to 1, 2 and 5 itself
run_all verify $data

# The data was made on x86-64, where long double is that of the x87; a build that refuses has been seen to.
for entry in "${!builds[@]}"; do
  [[ ${builds[entry]} != *:contract-fast:* && ${builds[entry]} != *:aarch64:* ]] || unset "builds[entry]"
done
threads="1"
cases=(tanh.far expm1.small expm1.ordinary silu.far one_minus_decay.far ddlerp.carried lora.basic)
if ((full)); then cases=(); fi
right() { [[ $1 =~ ^[0-9]+\ cases:\ the\ same\ bytes ]]; }
run_all measure $data "${cases[@]}"
((failed)) && { echo "not the data of reference_outputs"; exit 1; }
echo "the data of reference_outputs everywhere"
