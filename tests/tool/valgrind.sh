#!/usr/bin/env bash
# The tool's main commands on the demo model under valgrind, which sees reads of memory that nobody has written:
#   valgrind.sh PROGRAM DEMO_FOLDER REFERENCE_FOLDER        PROGRAM built for any x86-64: valgrind knows no AVX-512
set -u
program=$(realpath "$1") demo=$(realpath "$2") reference=$(realpath "$3")
model=$demo/goldfinch-demo.safetensors vocabulary=$demo/goldfinch-demo.model
source "$(dirname "$0")/../checks.sh"
if ! command -v valgrind >/dev/null; then
  echo "skipped: valgrind is not installed"
  exit 77
fi
# clean ARGUMENT…: exit code 0, and valgrind has nothing to say.
clean() {
  OMP_NUM_THREADS=2 valgrind --quiet --error-exitcode=99 "$program" "$@" >out 2>err </dev/null
  code=$?
  check "$*" eval '[ $code -eq 0 ] && ! grep -q "^==" err'
}
clean generate --prompt "In the beginning" -n 20 --save-session s
clean generate --load-session s -n 5
clean generate --prompt "In the beginning" -n 5 --precision f64 --cache-format int4
printf '{"prompt": "In the"}\n{"prompt": "And God said"}\n' >prompts.jsonl
clean generate --batch prompts.jsonl --out texts.jsonl -n 8
clean tokenize --tokenizer "$vocabulary" --text "In the beginning"
clean logits --model "$model" --tokens "1 2 3" --out logits.npy --trace trace.safetensors
printf 'And the earth was without form, and void.' >text
clean perplexity --model "$model" text
clean info "$model"
clean convert "$model" q8.safetensors --dtype q8
clean generate --model q8.safetensors --tokenizer "$vocabulary" --prompt "In" -n 5
clean op wkv6 --in "$reference/operators/wkv6.basic.safetensors" --out out.safetensors --precision bf16
clean compare "$reference/operators/wkv6.basic.safetensors" "$reference/operators/wkv6.basic.safetensors" --html report.html
echo '{"vocab_size": 256, "n_layer": 3, "n_embd": 64, "tmix2": "gold"}' >config.json
clean init --config config.json --seed 1 random.safetensors
clean cost --layers 2 --embd 64
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
