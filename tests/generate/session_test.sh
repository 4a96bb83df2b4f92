#!/usr/bin/env bash
# Sessions as users of the program meet them: a text that was stopped and goes on has the bytes of one that never stopped, no token
# is evaluated twice, a session that does not belong here or is damaged is refused, and nothing that fails costs an earlier file.
#   session_test.sh PROGRAM DEMO_FOLDER REFERENCE_FOLDER
set -u
program=$(realpath "$1") demo=$(realpath "$2") reference=$(realpath "$3")/models
model=$demo/goldfinch-demo.safetensors
source "$(dirname "$0")/../checks.sh"
export OMP_NUM_THREADS=1 LC_ALL=C
# run OUT ARGUMENT…: goldfinch generate, into OUT, err and the exit code.
run() {
  local out=$1
  shift
  timeout 30 "$program" generate "$@" >"$out" 2>err </dev/null
  code=$?
}
is() { [ "$code" -eq "$1" ]; }
# joined WHOLE PART…: the last run worked, and the parts are the whole, byte for byte.
joined() {
  local whole=$1
  shift
  is 0 && [ -s "$whole" ] && cat "$@" | cmp -s "$whole" -
}
# counted REUSED PREFILL DECODE: what stats.json says.
counted() {
  is 0 && [ "$(sed -n 's/.*"\(reused\|prefill\|decode\)_tokens": \([0-9]*\).*/\1 \2/p' stats.json | sort | tr '\n' ' ')" = "decode $3 prefill $2 reused $1 " ]
}
count_of() { sed -n "s/.*\"$1_tokens\": \([0-9]*\).*/\1/p" stats.json; }
# refused NAME TEXT ARGUMENT…: exit code 2, nothing on standard output, one line on standard error with TEXT in it; neither the file
# that would have been written is touched, nor is another left beside it.
refused() {
  local name=$1 text=$2
  shift 2
  echo earlier >kept
  run out "$@" -n 3 --save-session kept
  check "refused: $name (expected '$text')" \
    eval 'is 2 && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$text" err && [ "$(cat kept)" = earlier ] && [ -z "$(compgen -G ".goldfinch.*")" ]'
}

# A World vocabulary for models of 61 tokens: sixty bytes, among them three that are parts of characters.
{
  id=0
  for c in {a..z} {A..Z} ' ' . , '?'; do echo "$((++id)) '$c' 1"; done
  echo "$((++id)) '\\n' 1"
  for byte in c3 a9 b6; do echo "$((++id)) b'\\x$byte' 1"; done
} >tiny.txt
prompt="The quick brown fox jumps over the lazy dog, and the dog, who has seen foxes before, does not so much as open an eye. Why would it"

# ---- stopping and going on ------------------------------------------------------------------------------------------------------
samplers=("--temperature 0" "--seed 1" "--seed 2 --temperature 0.7 --top-p 0.9" "--seed 3 --temperature 1.5 --top-k 20 --presence-penalty 0.5"
  "--seed 4 --frequency-penalty 0.8 --penalty-decay 0.9 --min-p 0.01" "--seed 18446744073709551615 --presence-penalty 0.3 --frequency-penalty -0.2")
round=0
# goes_on ARGUMENT…: 20 tokens and 20 more are 40, the session then is that of 40, byte for byte; samplers take turns.
goes_on() {
  local sampler=${samplers[round++ % ${#samplers[@]}]}
  run whole "$@" $sampler -n 40 --ignore-eos --prompt "$prompt" --save-session whole.session
  run first "$@" $sampler -n 20 --ignore-eos --prompt "$prompt" --save-session session
  run second "$@" -n 20 --ignore-eos --load-session session --save-session session
  check "20 + 20 tokens are 40: $* $sampler" joined whole first second
  check "and so are their sessions: $* $sampler" cmp -s whole.session session
}
for precision in f32 f64; do
  for format in native bf16 int8 int4; do
    for memo in 0 20kB max; do
      caches="--precision $precision --cache-format $format --cache-memo $memo"
      goes_on $caches
      for name in goldfinch goldfinch_rope goldfinch_r2_c8_h32 goldfinch_l7_ranks finch_gold_r6; do
        [ "$memo" = 20kB ] && [ $name != goldfinch ] && continue  # the others have less to remember than that
        goes_on --model "$reference/$name.safetensors" --tokenizer tiny.txt $caches
      done
    done
  done
  for name in finch finchc2 finchc2_no_v2 finchc2_no_one_minus_w gptalpha_rope llama_rope finchc2_gptalpha; do
    for _ in 1 2; do goes_on --model "$reference/$name.safetensors" --tokenizer tiny.txt --precision $precision; done
  done
done

settings="--seed 7 --temperature 0.8 --presence-penalty 0.4 --frequency-penalty 0.2"
run whole $settings -n 80 --prompt "$prompt"
run part0 $settings -n 20 --prompt "$prompt" --save-session session
cp session first.session
for i in 1 2 3; do run part$i -n 20 --load-session session --save-session session --threads $i --cache-memo $((i * 1000)); done
check "saved three times in a row, onto itself, on other threads, with another memo" joined whole part0 part1 part2 part3
run plain -n 20 --load-session first.session --save-session plain.session
run again $settings -n 20 --load-session first.session --save-session again.session
check "giving the session's settings again changes nothing" eval 'joined plain again && cmp -s plain.session again.session'
run other -n 20 --load-session first.session --temperature 0
run fresh -n 20 --load-session first.session --temperature 0 --seed 99
check "settings that flags give count" eval 'joined other fresh && ! cmp -s plain other'
run empty -n 0 --load-session first.session --save-session same.session
check "a session from which nothing was drawn is the same session" eval 'is 0 && [ ! -s empty ] && cmp -s first.session same.session'
run one $settings -n 1 --prompt "" --save-session nothing.session
run two -n 9 --load-session nothing.session
run whole $settings -n 10 --prompt ""
check "an empty prompt" joined whole one two

# The end of the text, which a model of 61 tokens with random weights soon finds.
small="--model $reference/goldfinch.safetensors --tokenizer tiny.txt"
run ended $small --seed 5 -n 2000 --prompt "$prompt" --save-session ended.session
run more $small -n 20 --load-session ended.session --save-session ended2.session
check "nothing comes after the end of the text" eval 'is 0 && [ ! -s more ] && cmp -s ended.session ended2.session'
run more $small -n 20 --load-session ended.session --ignore-eos --stats-json stats.json
check "unless that is asked for: then the end of the text is read" counted "$(($(stat -c %s ended)))" 1 19

# ---- no token twice -------------------------------------------------------------------------------------------------------------
run first -n 20 --prompt "$prompt" --stats-json stats.json --save-session session
n=$(count_of prefill)
check "a new session reads the prompt" eval '[ "$n" -gt 30 ] && counted 0 "$n" 20'
run second -n 20 --load-session session --stats-json stats.json
check "a resumed one reads nothing; the last token is not evaluated where no session is saved" counted $((n + 20)) 0 19
run second -n 20 --load-session session --save-session session2 --stats-json stats.json
check "and is where one is saved" counted $((n + 20)) 0 20

greedy="$small --temperature 0"
run text $greedy -n 20 --prompt "$prompt" --save-session session
n=$(stat -c %s text)  # a token a byte
run second $greedy -n 20 --load-session session --prompt "$(cat text; printf x)" --stats-json stats.json
check "a prompt that begins with the session's text: one new token" counted "$n" 1 19
run whole $greedy -n 20 --prompt "$(cat text; printf ' And then what')"
run second $greedy -n 20 --load-session session --prompt "$(cat text; printf ' And then what')" --stats-json stats.json
check "a prompt that begins with the session's text: the rest is computed, the text is that of a new run" eval 'counted "$n" 14 19 && joined whole second'
run second $greedy -n 20 --load-session session --prompt-file text --stats-json stats.json
check "a prompt that is the session's text: nothing is computed" counted "$n" 0 19
run whole $greedy -n 20 --prompt "${prompt:0:100}X"
run second $greedy -n 20 --load-session session --prompt "${prompt:0:100}X" --stats-json stats.json
check "a prompt that differs says where and begins anew" \
  eval 'joined whole second && counted 0 101 19 && [ "$(cat err)" = "goldfinch: session: the prompt differs from the session at token 100 of $n; starting anew" ]'
run second $greedy -n 20 --load-session session --prompt "${prompt:0:50}" --stats-json stats.json
check "a prompt that the session has left behind begins anew" eval 'counted 0 50 19 && grep -q "at token 50 of $n" err'
run other $greedy -n 20 --load-session session --prompt "$prompt X" --save-session session2 --stats-json stats.json
p=${#prompt}
check "a prompt that differs after the end of an earlier one goes on from there" \
  eval 'counted "$p" 2 20 && [ "$(cat err)" = "goldfinch: session: the prompt differs from the session at token $p of $n; going on from token $p" ]'
run whole $greedy -n 20 --prompt "$prompt X" --save-session whole.session
check "with the text of a new run" joined whole other
run other $greedy -n 20 --load-session session2 --prompt "$prompt" --stats-json stats.json
check "points stay in later sessions, and the end of a point is one" eval 'counted "$p" 0 19 && [ "$(cat other)" = "$(cat text)" ]'
penalised="$small --seed 8 --presence-penalty 2 --frequency-penalty 1"
run first $penalised -n 20 --prompt "$prompt" --save-session session
run whole $penalised -n 20 --prompt "Another text"
run second $small -n 20 --load-session session --prompt "Another text"
check "beginning anew is beginning anew for the sampler too, with the session's settings" joined whole second

# ---- refused --------------------------------------------------------------------------------------------------------------------
run out -n 20 --prompt "$prompt" --save-session session
check "a session for what follows" is 0
sed "1s/.*/1 '#' 1/" tiny.txt >other.txt
run out $small -n 5 --prompt hello --save-session small.session
refused "another model" "another model" --model "$reference/goldfinch_r2_c8_h32.safetensors" --tokenizer tiny.txt --load-session small.session
cp "$reference/goldfinch.safetensors" changed.safetensors && printf '\x01' | dd of=changed.safetensors bs=1 seek=$(($(stat -c %s changed.safetensors) - 2)) conv=notrunc status=none
refused "another model by one byte" "another model" --model changed.safetensors --tokenizer tiny.txt --load-session small.session
refused "another configuration" "another model" $small --rope-rescale 2 --load-session small.session
refused "another tokenizer" "another tokenizer" --model "$reference/goldfinch.safetensors" --tokenizer other.txt --load-session small.session
refused "the demo model's" "another model" $small --load-session session
refused "another precision" "another precision ('f32', expected 'f64')" --precision f64 --load-session session
run whole.txt -n 12 --prompt hello --cache-format int8
run first.txt -n 6 --prompt hello --cache-format int8 --save-session int8.session
run second.txt -n 6 --load-session int8.session
check "a session goes on in its own cache format" eval 'is 0 && cat first.txt second.txt | cmp -s - whole.txt'
refused "another cache format" "another cache format ('native', expected 'int8')" --cache-format int8 --load-session session
refused "a prompt too, another precision" "another precision" --precision f64 --load-session session --prompt hi
refused "a model" "it is no session" --load-session "$model"
refused "a text" "tiny.txt" --load-session tiny.txt
: >empty
refused "an empty file" "empty" --load-session empty
refused "a directory" "is a directory" --load-session .
refused "a device" "is a device" --load-session /dev/zero
refused "no file" "missing" --load-session missing
size=$(stat -c %s session)
for i in {1..10}; do
  head -c $(((RANDOM * 32768 + RANDOM) % size)) session >damaged
  refused "cut short to $(stat -c %s damaged) of $size bytes" "damaged: " --load-session damaged
done
for i in {1..20}; do
  at=$(((RANDOM * 32768 + RANDOM) % size))
  cp session damaged
  byte=$(od -An -tu1 -j $at -N 1 session)
  printf "\\x$(printf %x $((byte ^ (1 << RANDOM % 8))))" | dd of=damaged bs=1 seek=$at conv=notrunc status=none
  refused "one bit of byte $at changed" "damaged: " --load-session damaged
done
{ cat session && echo; } >damaged
refused "a byte too many" "damaged: " --load-session damaged
# forge SCRIPT: damaged becomes the session with its header edited, and with a checksum that is right.
forge() {
  sed "$1" session >damaged
  seal
}
# seal: gives damaged the checksum that it should have.
seal() {
  head -c -64 damaged >unsealed
  { cat unsealed && sha256sum <unsealed | head -c 64; } >damaged
}
# poke NAME BYTES: damaged becomes the session with other bytes at the beginning of an array.
poke() {
  cp session damaged
  local begin=$(grep -a -o "\"$1\":{[^}]*" session | sed 's/.*"data_offsets":\[\([0-9]*\),.*/\1/')
  printf "$2" | dd of=damaged bs=1 seek=$((8 + $(od -An -tu8 -N 8 session) + begin)) conv=notrunc status=none
  seal
}
forge s/x/x/
check "forging without an edit gives the session" cmp -s session damaged
forge 's/\\"version\\":2/\\"version\\":1/'
refused "another version of session files" "another version of session files (1, expected 2)" --load-session damaged
forge 's/\\"numerics\\":1/\\"numerics\\":2/'
refused "another version of the arithmetic" "another version of the arithmetic (2, expected 1)" --load-session damaged
forge 's/\\"drawn\\":20/\\"drawn\\":-1/'
refused "a count of drawn tokens that cannot be" "damaged: sampler state: index is -1" --load-session damaged
forge 's/\\"drawn\\":20/\\"drawn\\":{}/'
refused "a count of drawn tokens that is no number" "damaged: its metadata" --load-session damaged
forge 's/\\"drawn\\":20/\\"drawm\\":20/'
refused "a key that is missing" "damaged: its metadata" --load-session damaged
forge 's/\\"top_p\\":0.9/\\"top_p\\":2.0/'
refused "a setting out of range" "damaged: top_p is 2" --load-session damaged
forge 's/\\"points\\":\[[0-9]*\]/\\"points\\":[99]/'
refused "a point beyond the end" "damaged: point 0 is at token 99" --load-session damaged
poke tokens '\xff\xff'
refused "a token beyond the vocabulary" "damaged: token 0 is 65535" --load-session damaged
poke state.cache.packed '\xff\xff'
refused "a token beyond the vocabulary in the cache" "damaged: tensor state.cache.packed has another token 0" --load-session damaged
forge 's/state.blocks.0.att.S/state.blocks.0.att.X/'
refused "an array that is missing" "damaged: has no tensor state.blocks.0.att.S" --load-session damaged

# ---- what cannot be written ------------------------------------------------------------------------------------------------------
cp session session.before
# cannot_save NAME TEXT FILE: exit code 2, one line with TEXT, and the file as it was.
cannot_save() {
  local text=$2
  run out -n 3 --load-session session --save-session "$3"
  check "cannot save: $1 (expected '$2')" eval 'is 2 && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$text" err && cmp -s session session.before'
}
cannot_save "into a folder that is not there" "missing/session: cannot write" missing/session
cannot_save "onto a folder" "is a directory" .
[ -w /dev/full ] && cannot_save "on a full disk" "/dev/full: cannot write" /dev/full
mkdir locked && cp session locked/session && chmod 555 locked
[ -w locked ] || cannot_save "into a folder that may not be written" "locked/session: cannot write" locked/session
trap '' XFSZ
soft=$(ulimit -S -f)
ulimit -S -f 16  # kB: the session does not fit
cannot_save "past the limit on file sizes" "session: cannot write" session
ulimit -S -f "$soft"
trap - XFSZ
check "nothing is left behind" [ -z "$(compgen -G '.goldfinch.*')" ]
run out -n 3 --load-session session --save-session session
check "and then it can be saved" is 0

# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------------------
# continues NAME: first holds what came before the interrupt; the session goes on with what would have come.
continues() {
  run second -n 30 --ignore-eos --load-session session --stats-json stats.json $1
  local n=$(($(count_of reused) - prompt_tokens))
  run whole -n $((n + 30)) --ignore-eos $settings --prompt "$prompt" $1
  check "after $2 and $n tokens the session goes on with what would have come" joined whole first second
}
run out -n 0 --prompt "$prompt" --stats-json stats.json
prompt_tokens=$(count_of prefill)
for signal in INT TERM; do
  rm -f session
  : >first  # or its size would be the last round's, and the signal come before the program
  $at_terminal "$program" generate -n 1000000 --ignore-eos $settings --prompt "$prompt" --save-session session >first 2>err &
  for _ in {1..200}; do [ "$(stat -c %s first)" -gt 300 ] && break || sleep 0.05; done
  kill -$signal $!
  wait $!
  code=$?
  check "an interrupt ($signal) saves the session" eval 'is $((128 + $(kill -l $signal))) && [ ! -s err ] && [ -s session ]'
  continues "" "an interrupt ($signal)"
done
# A reader that does not read: the interrupt comes while a token waits to be written.
run out $small -n 0 --prompt "$prompt" --stats-json stats.json
prompt_tokens=$(count_of prefill)
rm -f session && mkfifo pipe && exec 7<>pipe 8<pipe
head -c 65000 /dev/zero >&7
$at_terminal "$program" generate $small -n 1000000 --ignore-eos $settings --prompt "$prompt" --save-session session >pipe 2>err 7>&- 8<&- &
sleep 0.7
kill -INT $!
for _ in {1..100}; do kill -0 $! 2>/dev/null && sleep 0.05 || break; done
exec 7>&-
timeout 10 tail -c +65001 <&8 >first
wait $!
code=$?
exec 8<&-
check "an interrupt saves the session while nobody reads the text" eval 'is 130 && [ -s session ]'
continues "$small" "an interrupt while nobody reads"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
