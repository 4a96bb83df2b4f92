#!/usr/bin/env bash
# Kills the program 200 times at random moments while it saves a session of some megabytes: what stands under the session's name
# afterwards is the earlier session or the new one, whole, every time.
#   kill_test.sh PROGRAM DEMO_FOLDER
# The session is long and only loaded and saved again (-n 0), so that much of the time is saving; from the moment that the temporary
# file is there, a kill falls into the saving and leaves that file behind.
set -u
program=$(realpath "$1") demo=$(realpath "$2")
work=$(mktemp -d) && cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT
kills=200 passed=0 failed=0 inside=0 earlier=0 new=0 finished=0

generate=("$program" generate --model "$demo/goldfinch-demo.safetensors" --precision f64)  # no function: what is killed is the program
fail() {
  failed=$((failed + 1))
  echo "FAILED: kill $i after $delay s: $1"
}

for ((i = 1; i < 5000; ++i)); do printf 'And the sea gave up the %d dead which were in it; ' $i; done | head -c 200000 >prompt
"${generate[@]}" -n 0 --cache-memo 0 --prompt-file prompt --save-session big.session >/dev/null || exit 1
"${generate[@]}" -n 0 --load-session big.session --seed 1 --save-session earlier.session || exit 1
"${generate[@]}" -n 0 --load-session big.session --seed 2 --save-session new.session || exit 1
cmp -s earlier.session new.session && echo "FAILED: the sessions do not differ" && exit 1

begin=${EPOCHREALTIME/./}
for _ in {1..10}; do "${generate[@]}" -n 0 --load-session big.session --seed 2 --save-session warm.session || exit 1; done
full=$(((${EPOCHREALTIME/./} - begin) / 10))  # microseconds of a run

for ((i = 1; i <= kills; ++i)); do
  cp earlier.session session
  delay=$(printf '0.%06d' $(((RANDOM * 32768 + RANDOM) % full)))
  "${generate[@]}" -n 0 --load-session big.session --seed 2 --save-session session 2>err &
  pid=$!
  sleep "$delay"
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
  [ $? -eq 0 ] && finished=$((finished + 1))
  left=$(compgen -G '.goldfinch.*')
  [ -n "$left" ] && inside=$((inside + 1))
  if cmp -s session earlier.session; then earlier=$((earlier + 1))
  elif cmp -s session new.session; then new=$((new + 1))
  else fail "the session is neither the earlier nor the new one" && continue; fi
  if ! "${generate[@]}" -n 1 --load-session session >/dev/null 2>err; then fail "the session cannot be loaded: $(head -c 300 err)" && continue; fi
  # What was left behind is no session, unless it is the new one, whole.
  if [ -n "$left" ] && ! cmp -s $left new.session && "${generate[@]}" -n 1 --load-session $left >/dev/null 2>&1; then fail "half a session was loaded" && continue; fi
  rm -f $left
  passed=$((passed + 1))
done

echo "$(stat -c %s new.session) bytes; a run takes $((full / 1000)) ms; $inside kills inside the saving, $earlier left the earlier session, $new the new one ($finished runs had ended)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
