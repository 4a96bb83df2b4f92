#!/usr/bin/env bash
# Shows that one_hash.cpp gives one hash, whatever it is compiled with and wherever it runs:
#
#   g++ and clang++, for x86-64, x86-64-v3 and x86-64-v4, on 1 and 5 threads, with glibc's faster functions masked off
#   -ffp-contract=fast: the same hash, or a refusal that says why;  -ffast-math: does not compile
#
# With --full also -O0, models in float as well as in double, and aarch64 under qemu-user where that is installed.
# Exit code 0: one hash; 1: not; 2: bad usage. JOBS (2) compilations run at a time.
set -u
cd "$(dirname "$0")" || exit 2
full=0
case "${1:-}" in
  --full) full=1 ;;
  "") ;;
  *) echo "usage: one_hash.sh [--full]" >&2; exit 2 ;;
esac
build=$(mktemp -d) || exit 2
trap 'rm -rf "$build"' EXIT
flags=(-std=c++20 -I../../include -isystem "${EIGEN:-/usr/include/eigen3}")
((full)) || flags+=(-DMODEL_SCALARS=double)  # flags of a build come after, and count
masked="glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2,-AVX,-AVX512F,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX512VL"
export OMP_WAIT_POLICY=passive

can_run() {  # whether this machine has the instruction set
  local needed flag
  case $1 in
    x86-64-v3) needed="avx2 fma bmi2 f16c" ;;
    x86-64-v4) needed="avx512f avx512bw avx512cd avx512dq avx512vl" ;;
    *) return 0 ;;
  esac
  for flag in $needed; do grep -qw "$flag" /proc/cpuinfo || return 1; done
}

# name, compiler and flags of every build; the name says what must have run: compiler, instruction set, optimisation.
builds=()
for compiler in g++ clang++; do
  if ! command -v $compiler > /dev/null; then
    echo "skipped: $compiler is not installed"
    continue
  fi
  openmp=-fopenmp
  echo 'int main() {}' | $compiler -fopenmp -x c++ - -o "$build/probe" 2> /dev/null || openmp=
  if [ "$(uname -m)" = x86_64 ]; then levels="x86-64 x86-64-v3 x86-64-v4"; else levels=native; fi
  for level in $levels; do
    if ! can_run "$level"; then
      echo "skipped: this CPU cannot run $level"
      continue
    fi
    for optimisation in -O0 -O3; do
      if ((!full)) && { [ $optimisation = -O0 ] || { [ $compiler = clang++ ] && [ "$level" != x86-64-v3 ] && [ "$level" != native ]; }; }; then continue; fi
      builds+=("$compiler:$level:$optimisation $compiler -march=$level $optimisation -ffp-contract=off $openmp")
    done
  done
done
for compiler in g++ clang++; do
  command -v $compiler > /dev/null || continue
  contract="$compiler:contract-fast:-O2 $compiler -march=native -O2 -ffp-contract=fast"
  if ((full)); then builds+=("$contract")
  elif [ $compiler = g++ ] && grep -qw fma /proc/cpuinfo; then builds+=("$contract -DMODEL_SCALARS="); fi  # quick to compile: it must refuse
done
if ((full)); then
  if command -v aarch64-linux-gnu-g++ > /dev/null && command -v qemu-aarch64-static > /dev/null; then
    for optimisation in -O0 -O3; do
      builds+=("aarch64-linux-gnu-g++:aarch64:$optimisation aarch64-linux-gnu-g++ $optimisation -static -ffp-contract=off")
    done
  else
    echo "skipped: aarch64-linux-gnu-g++ or qemu-aarch64-static is not installed"
  fi
fi

compile() {
  local name=$1
  shift
  "$@" one_hash.cpp -o "$build/$name" > "$build/$name.log" 2>&1 || { echo "FAILED to compile $name"; head -5 "$build/$name.log"; }
}
failed=0
running=0
for entry in "${builds[@]}"; do
  read -ra words <<< "$entry"
  if ((running >= ${JOBS:-2})); then
    wait -n
    running=$((running - 1))
  fi
  compile "${words[0]}" "${words[1]}" "${flags[@]}" "${words[@]:2}" &
  running=$((running + 1))
done
wait

expected_kernel() {
  case $1 in
    x86-64) echo "x86_64 16" ;;
    x86-64-v3) echo "x86_64_v3 32" ;;
    x86-64-v4) echo "x86_64_v4 64" ;;
    aarch64) echo "aarch64 16" ;;
  esac
}

one=""
check() {  # name, what is special about the run, its output, the kernel that must have run
  local hash=${3%% *} kernel=${3#* } verdict=same
  if [ ${#hash} -ne 64 ]; then
    verdict="FAILED: ${3:-no output}"
  else
    [ -z "$one" ] && one=$hash
    [ "$hash" != "$one" ] && verdict="FAILED: another hash, $hash"
    [ -n "$4" ] && [ "$kernel" != "$4" ] && verdict="FAILED: the kernels of $kernel ran, expected $4"
  fi
  [ "$verdict" = same ] || failed=1
  printf '%-34s %-28s %-14s %s\n' "$1" "$2" "$kernel" "$verdict"
}
for entry in "${builds[@]}"; do
  name=${entry%% *}
  level=${name#*:}
  level=${level%:*}
  program=$build/$name
  if [ ! -x "$program" ]; then
    failed=1
  elif [ "$level" = contract-fast ]; then
    output=$("$program" 2>&1)
    case $output in
      *"arithmetic is not goldfinch's"*) printf '%-34s refused: %s\n' "$name" "$output" ;;
      *) check "$name" "" "$output" "" ;;
    esac
  elif [ "$level" = aarch64 ]; then
    check "$name" "under qemu" "$(qemu-aarch64-static "$program" 2>&1)" "$(expected_kernel $level)"
  else
    for threads in 1 5; do
      check "$name" "$threads threads" "$(OMP_NUM_THREADS=$threads "$program" 2>&1)" "$(expected_kernel "$level")"
      check "$name" "$threads threads, glibc masked" "$(GLIBC_TUNABLES=$masked OMP_NUM_THREADS=$threads "$program" 2>&1)" "$(expected_kernel "$level")"
    done
  fi
done

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
[ -n "$one" ] || failed=1
((failed)) && { echo "not one hash"; exit 1; }
echo "one hash: $one"
