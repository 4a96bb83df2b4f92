#!/usr/bin/env bash
# Fuzzes every reader of foreign bytes (tests/fuzz) with clang's libFuzzer:   bash scripts/fuzz.sh MINUTES [NAME…]
# Each target gets its share of the minutes, as many at a time as there are cores (JOBS=1: fewer); a run begins with the corpus in
# tests/fuzz/corpus and with what earlier runs collected in build-fuzz/corpus. Whatever crashes, takes more than a second or more than
# 1 GiB is a find: it is kept in build-fuzz/finds and the exit code is 1. build-fuzz/executions counts executions over all runs.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh
minutes=${1:?usage: bash scripts/fuzz.sh MINUTES [NAME…]}
[[ $minutes =~ ^[0-9]{1,6}$ ]] || { echo "fuzz.sh: MINUTES is '$minutes', expected a whole number of at most 6 digits" >&2; exit 2; }
minutes=$((10#$minutes))
shift
targets=("$@")
[ $# -gt 0 ] || for source in tests/fuzz/*.cpp; do
  grep -q LLVMFuzzerTestOneInput "$source" && [[ $source != */run_corpus.cpp ]] && targets+=("$(basename "$source" .cpp)")
done
install_packages "${packages_to_build[@]}" clang libclang-rt-14-dev
jobs=${JOBS:-$(nproc)}
rounds=$(((${#targets[@]} + jobs - 1) / jobs))
seconds=$((minutes * 60 / rounds))
[ $seconds -gt 0 ] || seconds=1
mkdir -p build-fuzz/finds
echo "${#targets[@]} targets, $seconds seconds each, $jobs at a time" >&2

compile() {
  clang++ -std=c++20 -O1 -g -ffp-contract=off -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -DGOLDFINCH_HAVE_SENTENCEPIECE -DGOLDFINCH_HAVE_ZLIB \
    -Iinclude -Iexamples/goldfinch -isystem /usr/include/eigen3 -MMD -MF "build-fuzz/$1.d" "tests/fuzz/$1.cpp" -o "build-fuzz/$1" -lsentencepiece -lz
}
# Whether the binary is missing or older than anything that it was compiled from.
stale() {
  [ -x "build-fuzz/$1" ] || return 0
  local file
  for file in $(sed 's/^[^:]*://; s/\\$//' "build-fuzz/$1.d"); do
    if [ "$file" -nt "build-fuzz/$1" ] || [ ! -e "$file" ]; then return 0; fi
  done
  return 1
}
fuzz() {
  local name=$1 dictionary=()
  mkdir -p "build-fuzz/corpus/$name"
  [ ! -f "tests/fuzz/$name.dict" ] || dictionary=(-dict="tests/fuzz/$name.dict")
  local status=0
  ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=0 nice -n 19 "build-fuzz/$name" "build-fuzz/corpus/$name" "tests/fuzz/corpus/$name" \
    "${dictionary[@]}" -max_total_time="$seconds" -timeout=10 -report_slow_units=1 -rss_limit_mb=1024 -malloc_limit_mb=256 -max_len=65536 -use_value_profile=1 \
    -artifact_prefix="build-fuzz/finds/$name-" -print_final_stats=1 > "build-fuzz/$name.log" 2>&1 || status=$?
  # Seconds on a busy machine are not the reader's: slow inputs are finds if they take a second of the processor's time, alone.
  local slow user
  for slow in build-fuzz/finds/"$name"-slow-unit-*; do
    [ -e "$slow" ] || continue
    user=$( { TIMEFORMAT=%U; time "build-fuzz/$name" "$slow" > /dev/null 2>&1; } 2>&1 ) || true
    if [[ $user == 0.* ]]; then rm "$slow"; else status=1; echo "ERROR: $slow takes $user s" >> "build-fuzz/$name.log"; fi
  done
  local done
  done=$(sed -n 's/^stat::number_of_executed_units: *//p' "build-fuzz/$name.log")
  echo "$name ${done:-0}" >> build-fuzz/executions
  if [ $status = 0 ]; then
    echo "$name: ${done:-0} executions, nothing found"
  else
    echo "$name: ${done:-0} executions, FOUND: $(grep -m1 -E 'ERROR|runtime error|more than one line' "build-fuzz/$name.log" || tail -1 "build-fuzz/$name.log") (build-fuzz/$name.log)"
    return 1
  fi
}
export seconds
export -f fuzz compile stale
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'if stale {}; then compile {}; fi'
failed=0
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'fuzz {}' || failed=1
awk '{n[$1] += $2; all += $2} END {for (t in n) printf "%-14s %14d\n", t, n[t] | "sort"; close("sort"); printf "%-14s %14d executions in all runs\n", "", all}' build-fuzz/executions
exit $failed
