# Sourced by the tests that show the same bits whatever a program is compiled with and wherever it runs; [--full] is their argument.
#
#   add COMPILER LEVEL OPTIMISATION [FLAG…]   one build, if it can be made and run here. LEVEL is x86-64, x86-64-v3, x86-64-v4 or native,
#                                             aarch64 (under qemu-user), or contract-fast, which must refuse and say why
#   compile_all SOURCE                        JOBS (2) at a time
#   run_all ARGUMENT…                         runs all, on each of $threads, with glibc's faster functions and without. A program's last
#                                             line names its kernels; of the lines before, the test's own `right TEXT` is the judge
#
# What is wrong sets failed=1.
set -u
cd "$(dirname "$0")" || exit 2
case "${1:-}" in
  --full) full=1 ;;
  "") full=0 ;;
  *) echo "usage: $(basename "$0") [--full]" >&2; exit 2 ;;
esac
build=$(mktemp -d) || exit 2
trap 'rm -rf "$build"' EXIT
flags=(-std=c++20 -I../../include -isystem "${EIGEN:-/usr/include/eigen3}")
levels="x86-64 x86-64-v3 x86-64-v4"
[ "$(uname -m)" = x86_64 ] || levels=native
masked="glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2,-AVX,-AVX512F,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX512VL"
failed=0
builds=()  # name (COMPILER:LEVEL:OPTIMISATION), compiler and flags of each

cannot_run() {  # says why this machine cannot run a level; nothing if it can
  local needed="" flag
  case $1 in
    x86-64-v3) needed="avx2 fma bmi2 f16c" ;;
    x86-64-v4) needed="avx512f avx512bw avx512cd avx512dq avx512vl" ;;
    contract-fast) [ "$(uname -m)" != x86_64 ] || needed=fma ;;
    aarch64) command -v qemu-aarch64-static > /dev/null || echo "qemu-aarch64-static is not installed" ;;
  esac
  for flag in $needed; do grep -qw "$flag" /proc/cpuinfo || { echo "this CPU has no $flag"; break; }; done
}

add() {
  local compiler=$1 level=$2 optimisation=$3 why target openmp=-fopenmp
  shift 3
  why=$(cannot_run "$level")
  command -v "$compiler" > /dev/null || why="$compiler is not installed"
  if [ -n "$why" ]; then
    echo "skipped: $compiler:$level:$optimisation, because $why"
    return
  fi
  case $level in
    aarch64) target="-static -ffp-contract=off" ;;
    contract-fast) target="-march=native -ffp-contract=fast" ;;
    *) target="-march=$level -ffp-contract=off" ;;
  esac
  echo 'int main() {}' | "$compiler" $target -fopenmp -x c++ - -o "$build/probe" 2> /dev/null || openmp=
  builds+=("$compiler:$level:$optimisation $compiler $target $optimisation $openmp $*")
}

compile() {  # NAME SOURCE COMPILER FLAG…
  local name=$1 source=$2 compiler=$3
  shift 3
  "$compiler" "${flags[@]}" "$@" "$source" -o "$build/$name" > "$build/$name.log" 2>&1 ||
    { echo "FAILED to compile $name"; head -5 "$build/$name.log"; }
}

compile_all() {
  local entry words running=0
  for entry in "${builds[@]}"; do
    read -ra words <<< "$entry"
    if ((running >= ${JOBS:-2})); then
      wait -n
      running=$((running - 1))
    fi
    compile "${words[0]}" "$1" "${words[@]:1}" &
    running=$((running + 1))
  done
  wait
}

expected_kernels() {
  case $1 in
    x86-64) echo "x86_64 16" ;;
    x86-64-v3) echo "x86_64_v3 32" ;;
    x86-64-v4) echo "x86_64_v4 64" ;;
    aarch64) echo "aarch64 16" ;;
  esac
}

judge() {  # NAME LEVEL, what is special about the run, and its command
  local name=$1 special=$3 expected output kernels verdict=right
  expected=$(expected_kernels "$2")
  shift 3
  output=$("$@" 2>&1)
  kernels=${output##*$'\n'}
  if ! right "${output%$'\n'*}"; then
    verdict="FAILED: $(head -n 5 <<< "${output:-no output}")" kernels=""
  elif [ -n "$expected" ] && [ "$kernels" != "$expected" ]; then
    verdict="FAILED: expected the kernels of $expected"
  fi
  [ "$verdict" = right ] || failed=1
  printf '%-34s %-28s %-14s %s\n' "$name" "$special" "$kernels" "$verdict"
}

run_all() {
  local entry name level program n output
  [ ${#builds[@]} -gt 0 ] || failed=1
  for entry in "${builds[@]}"; do
    name=${entry%% *}
    level=${name#*:}
    level=${level%:*}
    program=$build/$name
    if [ ! -x "$program" ]; then
      failed=1
    elif [ "$level" = contract-fast ]; then
      output=$("$program" "$@" 2>&1)
      if [[ $? -eq 2 && $output == *"arithmetic is not goldfinch's: products are fused"* ]]; then
        printf '%-34s refuses: %s\n' "$name" "$output"
      else
        echo "$name FAILED: it does not refuse: $output"
        failed=1
      fi
    elif [ "$level" = aarch64 ]; then
      for n in $threads; do judge "$name" "$level" "$n threads, under qemu" env OMP_NUM_THREADS="$n" qemu-aarch64-static "$program" "$@"; done
    else
      for n in $threads; do
        judge "$name" "$level" "$n threads" env OMP_NUM_THREADS="$n" "$program" "$@"
        judge "$name" "$level" "$n threads, glibc masked" env GLIBC_TUNABLES=$masked OMP_NUM_THREADS="$n" "$program" "$@"
      done
    fi
  done
}
