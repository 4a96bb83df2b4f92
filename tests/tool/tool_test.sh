#!/usr/bin/env bash
# The goldfinch program as its users meet it, hostile ones included: exit codes, one line on standard error that names the file and
# the reason, nothing but the result on standard output.
#   tool_test.sh PROGRAM DEMO_FOLDER REFERENCE_FOLDER
set -u
program=$(realpath "$1") demo=$(realpath "$2") reference=$(realpath "$3")/models
model=$demo/goldfinch-demo.safetensors vocabulary=$demo/goldfinch-demo.model
source "$(dirname "$0")/../checks.sh"
# run ARGUMENT…: leaves out, err and the exit code.
run() {
  timeout 30 "$program" "$@" >out 2>err </dev/null
  code=$?
}
is() { [ "$code" -eq "$1" ]; }
same() { is 0 && [ "$(cat "$1"; echo x)" = "$2x" ]; }
# refused TEXT ARGUMENT…: exit code 2, nothing on standard output, one line on standard error with TEXT in it.
refused() {
  local text=$1
  shift
  run "$@"
  check "refused: $* (expected '$text')" eval 'is 2 && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$text" err'
}
# works TEXT ARGUMENT…: exit code 0 and TEXT in standard output.
works() {
  local text=$1
  shift
  run "$@"
  check "works: $* (expected '$text')" eval 'is 0 && grep -qF -- "$text" out'
}

# The command line.
refused "expected a command"
refused "nonsense" nonsense
refused "--frobnicate" generate --frobnicate
refused "--seed" generate --seed 3 --seed 4
works "Usage" --help
works "Usage" perplexity --help
works "instruction set" --version
if [ -w /dev/full ]; then
  "$program" --help >/dev/full 2>err
  code=$?
  check "help on a full disk" is 2
fi

# generate: options.
for bad in "--temperature -1" "--temperature nan" "--top-p 0" "--top-p 1.1" "--top-k -1" "--min-p 2" "--threads 0" "--seed -1" "-n -1" "--penalty-decay 2" \
  "--precision f16" "--head-size 5" "--tokenizer nofile" "--prompt-file nofile" "--model nofile" "--model ." "--model /dev/null" "--tokenizer ."; do
  run generate $bad
  check "refused: generate $bad" eval 'is 2 && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ]'
done
refused "--stop" generate --stop ""
refused "excludes" generate --prompt a --prompt-file b
refused "goldfinch-demo.model: the tokenizer" generate --model "$reference/finch.safetensors" --tokenizer "$vocabulary"
refused "no tokenizer beside it" generate --model "$reference/finch.safetensors"

# generate: text.
run generate -n 30 --temperature 0 --prompt "In the beginning"
whole=$(cat out; echo x) whole=${whole%x}
check "the prompt comes first" eval 'is 0 && [[ $whole == "In the beginning"?* ]]'
printf 'In the beginning' >prompt
run generate -n 30 --temperature 0 --prompt-file prompt
check "the prompt from a file" same out "$whole"
"$program" generate -n 30 --temperature 0 - <prompt >out 2>err
code=$?
check "the prompt from standard input" same out "$whole"
echo other | "$program" generate -n 30 --temperature 0 --prompt "In the beginning" >out 2>err
code=$?
check "standard input is read for - only" same out "$whole"
run generate -n 30 --temperature 0 --prompt "In the beginning" --threads 5
check "five threads give the same text" same out "$whole"
middle=${whole:20:5}
run generate -n 30 --temperature 0 --prompt "In the beginning" --stop "no such text" --stop "$middle"
rest=${whole:16}
check "stops before a stop string, tokens or not" same out "${whole:0:16}${rest%%"$middle"*}"
run generate -n 0 --prompt "hi"
check "no tokens asked for" same out "hi"
run generate -n 5 --prompt ""
check "an empty prompt" eval 'is 0 && [ -s out ]'
run generate -n 2 --prompt $'a\xff\xfeb'
check "a prompt that is not UTF-8 comes out as it went in" eval 'is 0 && [ "$(head -c 4 out | od -An -tx1)" = " 61 ff fe 62" ]'
run generate -n 4 --ignore-eos --stats --stats-json stats.json --prompt hi
check "statistics" eval 'is 0 && grep -q "^decode" err && grep -q "\"cache_bytes\": [1-9]" stats.json'
run generate -n 1 --stats-json "$work/missing/stats.json" --prompt hi
check "statistics that cannot be written" eval 'is 2 && grep -q "missing/stats.json" err'
"$program" generate -n 2000 --ignore-eos --prompt hi 2>err | head -c 1 >out
code=${PIPESTATUS[0]}
check "a closed pipe is silent" eval '[ "$code" -eq 0 ] && [ ! -s err ]'
if [ -w /dev/full ]; then
  "$program" generate -n 2 --prompt hi >/dev/full 2>err
  code=$?
  check "a full disk" eval 'is 2 && [ "$(wc -l <err)" -eq 1 ]'
fi
$at_terminal "$program" generate -n 1000000 --ignore-eos --prompt "In the" >out 2>err &
for _ in {1..200}; do [ "$(wc -c <out)" -gt 6 ] && break || sleep 0.1; done
kill -INT $!
wait $!
code=$?
check "an interrupt leaves the text so far" eval 'is 130 && [ "$(wc -c <out)" -gt 6 ] && [ ! -s err ]'

# Models that are broken.
size=$(stat -c %s "$model")
mkdir broken && cp "$vocabulary" broken
head -c 1000 "$model" >broken/header.safetensors
head -c $((size - 1)) "$model" >broken/short.safetensors
{ head -c $((size - 2)) "$model" && printf '\x80\x7f'; } >broken/infinite.safetensors
: >broken/empty.safetensors
refused "header.safetensors: header" generate --model broken/header.safetensors
refused "short.safetensors: tensor" generate --model broken/short.safetensors
refused "short.safetensors: tensor" info broken/short.safetensors
refused "infinity in" generate --model broken/infinite.safetensors
refused "infinity in" convert broken/infinite.safetensors out.safetensors
refused "is empty" info broken/empty.safetensors
works "GoldFinch" info broken/infinite.safetensors
if [ "$(id -u)" -ne 0 ]; then
  cp "$model" broken/secret.safetensors && chmod 000 broken/secret.safetensors
  refused "secret.safetensors: cannot open" info broken/secret.safetensors
fi

# logits.
finch=$reference/finch.safetensors
refused "holds no tokens" logits --model "$finch" --tokens " " --out l.npy
refused "'x'" logits --model "$finch" --tokens "1 x" --out l.npy
refused "out of range" logits --model "$finch" --tokens "1 61" --out l.npy
refused "out of range" logits --model "$finch" --tokens "1 -2" --out l.npy
refused "nofile" logits --model "$finch" --tokens @nofile --out l.npy
refused "--trace" logits --model "$finch" --tokens 1 --out l.npy --trace t.safetensors --last
refused "missing/l.npy" logits --model "$finch" --tokens 1 --out missing/l.npy
check "nothing is left behind" [ ! -e l.npy ]
tokens="1 2 3 4 5 6 7 8 9 10 11 12"
run logits --model "$reference/goldfinch.safetensors" --tokens "$tokens" --out whole.npy
check "logits" is 0
run logits --model "$reference/goldfinch.safetensors" --tokens "${tokens// /,}" --out chunks.npy --chunk 5 --threads 3
check "chunks and threads give the same bits" cmp -s whole.npy chunks.npy
run logits --model "$reference/goldfinch.safetensors" --tokens "$tokens" --out last.npy --last
check "the linear pre-fill gives the last row's bits" cmp -s <(tail -c 488 whole.npy) <(tail -c 488 last.npy)

# info, convert, init.
works '"parameters": 1817856' info --json "$model"
works "does not fit" info "$model" --context 1000000000000 --sessions 1000
run convert "$reference/goldfinch.published.pth" converted.safetensors --dtype f32
check "convert" eval 'is 0 && grep -q " 0 of 502528 numbers" err'
run convert converted.safetensors converted.safetensors --dtype bf16
run logits --model converted.safetensors --tokens "$tokens" --out converted.npy
check "convert onto its own input, and the same logits" cmp -s whole.npy converted.npy
run convert "$reference/gptalpha_rope.safetensors" rope.safetensors --rope-base 500
works '"rope_base":500.0' info rope.safetensors
refused "missing/a" convert "$model" missing/a
run convert "$model" q8.safetensors --dtype q8 --threads 1
check "convert to q8" eval 'is 0 && [ "$(stat -c %s q8.safetensors)" -lt 2500000 ]'
run convert "$model" again.safetensors --dtype q8 --threads 3
check "q8 is the same bytes on any number of threads" eval 'is 0 && cmp -s q8.safetensors again.safetensors'
run convert q8.safetensors again.safetensors --dtype q8
check "q8 to q8 is a copy" eval 'is 0 && grep -q " 0 of 1817856 numbers" err && cmp -s q8.safetensors again.safetensors'
run convert q8.safetensors wide.safetensors --dtype f32
check "q8 to f32 is exact" eval 'is 0 && grep -q " 0 of 1817856 numbers" err && ! grep -aq goldfinch.q8 wide.safetensors'
works "41 q8" info q8.safetensors
{ head -c $(($(stat -c %s q8.safetensors) - 1)) q8.safetensors && printf '\xbf'; } >broken/q8.safetensors
refused "negative, infinite or NaN, in head.weight" generate --model broken/q8.safetensors --tokenizer "$vocabulary" --prompt hi
echo '{"vocab_size": 256, "n_layer": 3, "n_embd": 64, "tmix2": "gold"}' >config.json
run init --config config.json --seed 7 one.safetensors --threads 1
run init --config config.json --seed 7 three.safetensors --threads 3
check "init gives the same bytes on any number of threads" eval 'is 0 && cmp -s one.safetensors three.safetensors'
run generate --model one.safetensors -n 5 --prompt hello
check "a new model of 256 tokens writes bytes" eval 'is 0 && [ "$(head -c 5 out)" = hello ]'
for bad in '{}' '[]' '{"vocab_size": 256, "n_layer": 3, "n_embd": 64, "x": 1}' '{"vocab_size": 256, "n_layer": 2147483647, "n_embd": 64}' \
  '{"vocab_size": 256, "n_layer": 3, "n_embd": 64, "head_size": 48}' '{"vocab_size": 2147483647, "n_layer": 65536, "n_embd": 1048576}'; do
  echo "$bad" >bad.json
  refused "bad.json: " init --config bad.json --seed 1 x.safetensors
done
refused "--seed" init --config config.json --seed -1 x.safetensors

# perplexity, tokenize.
works "nats per token" perplexity --model "$model" prompt
run perplexity --json --model "$model" prompt --context-token none --block 4
check "perplexity without a context token" eval 'is 0 && grep -q "\"context_token\": null" out'
refused "out of range" perplexity --model "$model" prompt --context-token 99999
refused "no token to score" perplexity --model "$model" prompt --context-token none --block 1
refused "nofile" perplexity --model "$model" nofile
text=$'In the \xc3\xa9\n beginning'
run tokenize --text "$text"
ids=$(cat out)
run tokenize --decode "$ids"
check "decoding gives the text back" same out "$text"
run tokenize --pieces --tokenizer bytes --text $'a\xff'
check "pieces" same out $'97 \'a\'\n255 \'\\xff\'\n'
refused "holds no tokens" tokenize --decode ","
refused "expected one of" tokenize --text a prompt

# bench.
works "pre-fill" bench --layers 1 --embd 64 --vocab 300 --context 8 --json bench.json
check "bench's figures as JSON" eval 'grep -q "\"tokens_per_second\"" bench.json && grep -q "\"bytes_read_per_second\"" bench.json'
refused "does not divide" bench --embd 100
refused "of memory" bench --layers 60000 --embd 65536
refused "excludes" bench --model "$model" --dtype f32
refused "nofolder/f" bench --json nofolder/f

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
