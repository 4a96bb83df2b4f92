#!/usr/bin/env bash
# Many prompts through `generate --batch` as users meet it: every text is the one that its prompt gives alone, byte for byte; a run that
# was killed, or whose journal was cut anywhere, ends in the file of an unbroken one; what does not belong here is refused.
#   batch_test.sh PROGRAM DEMO_FOLDER REFERENCE_FOLDER
set -u
program=$(realpath "$1") demo=$(realpath "$2") reference=$(realpath "$3")/models
source "$(dirname "$0")/../checks.sh"
export OMP_NUM_THREADS=1 LC_ALL=C
# batch ARGUMENT…: goldfinch generate --batch prompts --out out.
batch() {
  timeout 60 "$program" generate --batch prompts --out out "$@" >stdout 2>err </dev/null
  code=$?
}
is() { [ "$code" -eq "$1" ]; }
# begins_anew: no file of an earlier run.
begins_anew() { rm -f out out.partial; }
# equal: the last run worked without a word, out is what is expected, and the journal is gone.
equal() { is 0 && [ ! -s stdout ] && cmp -s out expected && [ ! -e out.partial ]; }
# refused NAME TEXT ARGUMENT…: exit code 2, one line on standard error with TEXT in it, no output, and no journal but what there was.
refused() {
  local name=$1 text=$2
  shift 2
  rm -f out before
  [ -e out.partial ] && cp out.partial before
  batch "$@"
  check "refused: $name (expected '$text')" eval 'is 2 && [ ! -s stdout ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$text" err && [ ! -e out ] &&
    { [ -e before ] && cmp -s before out.partial || [ ! -e before -a ! -e out.partial ]; }'
}

# complains NAME TEXT ARGUMENT…: exit code 2 and one line on standard error with TEXT in it.
complains() {
  local name=$1 text=$2
  shift 2
  "$program" generate "$@" >stdout 2>err </dev/null
  code=$?
  check "refused: $name (expected '$text')" eval 'is 2 && [ ! -s stdout ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$text" err'
}

# A World vocabulary for models of 61 tokens: sixty bytes, among them three that are parts of characters.
{
  id=0
  for c in {a..z} {A..Z} ' ' . , '?'; do echo "$((++id)) '$c' 1"; done
  echo "$((++id)) '\\n' 1"
  for byte in c3 a9 b6; do echo "$((++id)) b'\\x$byte' 1"; done
} >tiny.txt
sed "2s/.*/2 '#' 1/" tiny.txt >other.txt
small="--model $reference/goldfinch.safetensors --tokenizer tiny.txt"

# ---- the text that each prompt gives alone --------------------------------------------------------------------------------------
# as_alone NAME ARGUMENT…: runs each line of prompts alone, with its settings as flags, and all of them together: the same bytes, in order.
cat >alone.py <<'PYTHON'
import json, subprocess, sys

program, flags = sys.argv[1], sys.argv[2:]
prompts = [json.loads(line) for line in open("prompts", encoding="utf-8")]
results = [json.loads(line) for line in open("out", encoding="utf-8")]
assert len(prompts) == len(results), "as many texts as prompts"
finishes = set()
for i, (prompt, result) in enumerate(zip(prompts, results)):
    own = []
    for key, value in prompt.items():
        if key != "id":
            flag = "--" + key.replace("_", "-")
            own += [flag, ""] if value == "" else [f"{flag}={value}"]
    given = [flag.split("=")[0] for flag in own]
    others = [flag for flag in flags if flag.split("=")[0] not in given]
    alone = subprocess.run([program, "generate", *own, *others, "--stats-json", "stats.json"], capture_output=True)
    assert alone.returncode == 0, alone.stderr
    assert result["index"] == i and result.get("id") == prompt.get("id"), f"line {i} is that of prompt {i}"
    expected = alone.stdout.decode("utf-8", errors="replace")
    assert expected == prompt["prompt"] + result["text"], f"prompt {i}: {expected!r} alone, {result!r} in a batch"
    assert result.get("utf8", True) == ("\ufffd" not in expected), f"prompt {i}: UTF-8 or not"
    finishes.add(result["finish"])
    # The last token of a text is not evaluated; where the text ended by itself, the end of the text is not.
    evaluated = json.load(open("stats.json"))["decode_tokens"]
    assert result["tokens"] == evaluated + (result["finish"] != "end" and result["tokens"] > 0), f"prompt {i}: tokens"
    assert result["finish"] != "count" or result["tokens"] == prompt.get("count", 60), f"prompt {i}: finish"
print(*sorted(finishes))
PYTHON
as_alone() {
  local name=$1 finishes=$2
  shift 2
  begins_anew
  batch "$@" --rows 3
  check "$name: a batch of 3 rows" is 0
  python3 alone.py "$program" "$@" >finishes 2>err
  code=$?
  check "$name: the same texts as alone" eval 'is 0 && [ "$(cat finishes)" = "$finishes" ]'
  cp out expected
  for more in "--rows 1" "--rows 2 --threads 3" "--rows 5" "--rows 1024 --cache-memo 0"; do
    begins_anew
    batch "$@" $more
    check "$name: the same file with $more" equal
  done
}
cat >prompts <<'END'
{"prompt": "In the beginning"}
{"prompt": "And the sea gave up the dead which were in it", "id": "the sea", "seed": 18446744073709551615}
{"prompt": "Call me Ishmael. \"Some years ago\"\n\tnever mind how long", "count": 7, "id": 12}
{"prompt": "", "temperature": 0.5}
{"prompt": "a", "count": 0}
{"prompt": "caf\u00e9 \ud83d\ude00", "temperature": 0, "count": 1}
{"prompt": "The whale, the whale! ", "temperature": 1.5, "top_k": 20, "top_p": 0.95, "min_p": 0.01, "seed": 3}
{"prompt": "And it came to pass", "presence_penalty": 0.5, "frequency_penalty": 0.25, "penalty_decay": 0.9, "count": 90}
END
python3 -c 'import json; print(json.dumps({"prompt": "And God said, Let there be light. " * 60, "seed": 9}))' >>prompts
as_alone "the demo model" "count" --count=60 --seed=4
as_alone "stop strings" "count stop" --count=60 --seed=4 "--stop=he " --stop=the --temperature=0.8
as_alone "float64 and a cache of 8 bits" "count" --count=60 --precision=f64 --cache-format=int8
{
  for i in {1..12}; do echo "{\"prompt\": \"prompt number zero\", \"seed\": $i}"; done
  echo '{"prompt": "another", "frequency_penalty": 1}'
} >prompts
as_alone "texts that end, and bytes that are no UTF-8" "count end" --model="$reference/goldfinch.safetensors" --tokenizer=tiny.txt --count=60
check "and some of them are" eval '[ "$(grep -c "\"utf8\":false" out)" -gt 3 ]'
as_alone "after the end of the text" "count" --model="$reference/goldfinch.safetensors" --tokenizer=tiny.txt --count=60 --ignore-eos

printf '\r\n{"prompt": "one"}\r\n   \n{"prompt": "two"}' >prompts  # blank lines, other newlines, none at the end
begins_anew
batch -n 3
check "blank lines do not count" eval 'is 0 && [ "$(wc -l <out)" -eq 2 ]'
mv out expected
"$program" generate --batch - --out out -n 3 <prompts >stdout 2>err
code=$?
check "prompts from standard input" equal
: >prompts
batch -n 3
check "no prompts, no texts" eval 'is 0 && [ -e out ] && [ ! -s out ] && [ ! -e out.partial ]'
echo '{"prompt": "one"}' >prompts
ln -s elsewhere link && echo earlier >elsewhere
"$program" generate --batch prompts --out link -n 3 >stdout 2>err
code=$?
check "through a link" eval 'is 0 && [ -L link ] && grep -q "\"index\":0" elsewhere'
batch -n 5 --stats --stats-json stats.json
check "statistics" eval 'is 0 && grep -q "^decode   4 tokens" err && grep -q "\"state_bytes\": [1-9]" stats.json'

# ---- killed and resumed -----------------------------------------------------------------------------------------------------------
for i in {1..60}; do echo "{\"prompt\": \"And the number of them was $i; and\", \"seed\": $i, \"count\": $((20 + i % 7 * 12))}"; done >prompts
settings="--rows 4 --ignore-eos --temperature 0.8"
begins_anew
begin=${EPOCHREALTIME/./}
batch $settings --stats-json stats.json
full=$((${EPOCHREALTIME/./} - begin))  # microseconds
check "an unbroken run" is 0
mv out expected
all=$(sed -n 's/.*"decode_tokens": \([0-9]*\).*/\1/p' stats.json)
evaluated=0
for kill in {1..10}; do
  "$program" generate --batch prompts --out out $settings >stdout 2>err &
  pid=$!
  sleep "$(printf '0.%06d' $((full / 20 + (RANDOM * 32768 + RANDOM) % (full / 10))))"
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
  code=$?
  check "kill $kill: the file is not there before it is whole" eval '[ ! -e out ] || cmp -s out expected'
done
lines=$(wc -l <out.partial)
check "10 kills left some of the texts" [ "$lines" -gt 5 ]
batch ${settings/--rows 4/--rows 7} --threads 2 --stats-json stats.json
check "and going on gives the file of an unbroken run" equal
left=$(sed -n 's/.*"decode_tokens": \([0-9]*\).*/\1/p' stats.json)
check "without the work that was done ($left tokens of $all, after $((lines - 1)) texts)" [ "$left" -lt "$all" ]

# interrupted: a journal with part of the texts, as Ctrl-C leaves it.
begins_anew
$at_terminal "$program" generate --batch prompts --out out $settings >stdout 2>err &
pid=$!
for _ in {1..200}; do [ "$(cat out.partial 2>/dev/null | wc -l)" -gt 40 ] && break || sleep 0.02; done
complains "a second run at the same time" "out.partial: another run is writing it" --batch prompts --out out $settings
kill -INT $pid
wait $pid
code=$?
check "an interrupt leaves the journal" eval 'is 130 && [ ! -s stdout ] && [ ! -e out ] && [ "$(wc -l <out.partial)" -gt 40 ]'
cp out.partial journal
n=$(($(wc -l <journal) - 1))
batch $settings
check "after an interrupt too" eval 'equal && [ "$(cat err)" = "goldfinch: out.partial: going on, $n of 60 prompts are done" ]'
batch $settings
check "a finished run begins anew" eval 'equal && [ ! -s err ]'

# goes_on NAME: with the journal that is there.
goes_on() {
  rm -f out
  batch $settings
  check "$1" equal
}
size=$(stat -c %s journal)
header=$(head -n 1 journal | wc -c)
for cut in 0 1 $((header - 1)) "$header" $((header + 1)) $((size - 1)) $((header + RANDOM % (size - header))); do
  head -c "$cut" journal >out.partial
  goes_on "a journal cut short to $cut of $size bytes"
done
for _ in {1..4}; do
  at=$((header + RANDOM % (size - header)))
  cp journal out.partial
  byte=$(od -An -tu1 -j $at -N 1 journal)
  printf "\\x$(printf %x $((byte ^ (1 << RANDOM % 8))))" | dd of=out.partial bs=1 seek=$at conv=notrunc status=none
  goes_on "a journal with one bit of byte $at changed"
done
{ cat journal && tail -n 2 journal; } >out.partial
goes_on "a journal with texts that stand there twice"
{ cat journal && head -c 5000 /dev/zero; } >out.partial
goes_on "a journal with zeros at its end"
# sealed LINE: the line with its checksum.
sealed() { printf '%s %s\n' "$(printf '%s' "$1" | sha256sum | head -c 64)" "$1"; }
for line in '60 {"index":60}' '-1 {}' '99999999999999999999 {}' 59 'x {}'; do
  { cat journal && sealed "$line"; } >out.partial
  goes_on "a journal with a line that cannot be: $line"
done

# ---- refused -----------------------------------------------------------------------------------------------------------------------
cp journal out.partial
cp prompts prompts.before
refused "a journal of another configuration" "differs in the model" $settings --rope-rescale 2
refused "a journal of another precision" "differs in the precision" $settings --precision f64
refused "a journal of another cache format" "differs in the cache format" $settings --cache-format int8
refused "a journal of another setting" "differs in the settings" $settings --top-p 0.5
refused "a journal of other stop strings" "differs in the settings" $settings --stop x
refused "a journal of texts that end" "differs in the settings" --rows 4 --temperature 0.8
sed -i '3s/"seed": 3/"seed": 4/' prompts
refused "a journal of another seed in one line" "differs in the settings" $settings
sed '3s/the/a/' prompts.before >prompts
refused "a journal of another prompt" "differs in the prompts" $settings
sed '3s/{/{"id": "x", /' prompts.before >prompts
refused "a journal of another id" "differs in the prompts" $settings
head -n 59 prompts.before >prompts
refused "a journal of more prompts" "differs in the prompts" $settings
rm prompts.before
echo '{"prompt": "fine"}' >prompts
rm out.partial
"$program" generate --batch prompts --out out $small -n 1000000 --ignore-eos >stdout 2>err &
for _ in {1..200}; do [ -s out.partial ] && break || sleep 0.02; done
kill -9 $! && wait $! 2>/dev/null
refused "a journal of another tokenizer" "differs in the tokenizer" ${small/tiny/other} -n 1000000 --ignore-eos
refused "a journal of another model" "differs in the model" -n 1000000 --ignore-eos
sed 1s/the/The/ journal >out.partial
refused "a journal whose first line is damaged" "out.partial: is no journal" $settings
echo "my notes" >out.partial
refused "something else where the journal would be" "out.partial: is no journal" $settings
sealed '{"the model": 3}' >out.partial
refused "a journal without a description" "differs in the version of its format" $settings
sealed '[1]' >out.partial
refused "a journal with a list for a description" "out.partial: is no journal" $settings
rm out.partial && mkdir out.partial
batch $settings
check "a folder where the journal would be" eval 'is 2 && grep -q "out.partial: cannot write: is a directory" err'
rmdir out.partial

# malformed LINE TEXT: refused before anything is computed.
malformed() {
  printf '{"prompt": "fine"}\n\n%b\n{"prompt": "fine"}\n' "$1" >prompts
  refused "the line $(head -c 60 <<<"$1")" "prompts, line 3: $2"
}
rm -f out.partial
malformed 'hello' "is not a JSON object in UTF-8"
malformed '{"prompt": "a"' "is not a JSON object in UTF-8"
malformed '{"prompt": "a"} {"prompt": "b"}' "is not a JSON object in UTF-8"
malformed '"a"' "is not a JSON object in UTF-8"
malformed 'null' "is not a JSON object in UTF-8"
malformed '{"prompt": "\xff"}' "is not a JSON object in UTF-8"
malformed '{"prompt": "\\ud800"}' "is not a JSON object in UTF-8"
malformed '{"prompt": "a", "temperature": 1e999}' "is not a JSON object in UTF-8"
malformed '["a"]' "is not a JSON object in UTF-8"
malformed "$(printf '[%.0s' {1..20000})" "is nested deeper than 16 levels"
malformed '{"prompt": ["a"]}' "prompt is an array, expected a string"
malformed '{}' "has no key 'prompt'"
malformed '{"prompt": 3}' "prompt is '3', expected a string"
malformed '{"prompt": "a", "prompt": "b"}' "the key 'prompt' stands there twice"
malformed '{"prompt": "a", "id": null}' "id is 'null', expected a string or a number"
malformed '{"prompt": "a", "temprature": 1}' "has the unknown key 'temprature'"
malformed '{"prompt": "a", "temperature": "1"}' "temperature is '\"1\"', expected a number"
malformed '{"prompt": "a", "temperature": -1}' "temperature is -1, expected a finite number, 0 or more"
malformed '{"prompt": "a", "top_p": 0}' "top_p is 0, expected"
malformed '{"prompt": "a", "top_k": 1.5}' "top_k is '1.5', expected a whole number"
malformed '{"prompt": "a", "count": -1}' "count is '-1', expected a whole number"
malformed '{"prompt": "a", "count": 18446744073709551615}' "count is '18446744073709551615', expected a whole number"
malformed '{"prompt": "a", "seed": -1}' "seed is '-1', expected a whole number"
malformed '{"prompt": "a", "seed": 18446744073709551616}' "seed is '1.8446744073709552e+19', expected a whole number"
printf '{"prompt": "a"}\n{"prompt": "1"}\n' >prompts
refused "a prompt that the tokenizer cannot express" "prompts, line 2: " $small

echo '{"prompt": "fine"}' >prompts
refused "rows: 0" "--rows" --rows 0
refused "rows: 1025" "--rows" --rows 1025
refused "a prompt beside the file of prompts" "excludes" --prompt a
refused "a session" "excludes" --save-session s
refused "another session" "excludes" --load-session s
refused "an empty stop string" "--stop" --stop ""
complains "no --out" "--out" --batch prompts
complains "no --batch" "--batch" --out out
complains "rows without --batch" "--batch" --rows 3
complains "an empty --batch" "--batch" --batch "" --out out
complains "an empty --out" "--out" --batch prompts --out ""
complains "no such file of prompts" "missing" --batch missing --out out
complains "a folder that is not there" "missing/out: cannot write" --batch prompts --out missing/out
complains "a folder" "is a directory" --batch prompts --out .
complains "the file of prompts" "--out: is ./prompts, which is read (--batch) and would be lost" --batch prompts --out ./prompts
check "which is still there" [ -s prompts ]
trap '' XFSZ
soft=$(ulimit -S -f)
ulimit -S -f 1  # kB: the journal does not fit
for i in {1..9}; do echo '{"prompt": "fine"}'; done >prompts
rm -f out
batch -n 100
check "past the limit on file sizes" eval 'is 2 && [ "$(wc -l <err)" -eq 1 ] && grep -q "out.partial: cannot write" err && [ ! -e out ]'
ulimit -S -f "$soft"
trap - XFSZ
batch -n 100
mv out expected
batch -n 100
check "and then it goes on" equal

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
