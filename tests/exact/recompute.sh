#!/usr/bin/env bash
# An independent script recomputes parts of traces that goldfinch wrote, to the bit:   recompute.sh PROGRAM MODELS
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for model in goldfinch goldfinch_l7_ranks finch; do
  for precision in f64 f32; do
    "$1" logits --model "$2/$model.safetensors" --tokens "$(seq -s ' ' 1 60)" --precision $precision --chunk 17 --out "$work/logits.npy" --trace "$work/trace.safetensors"
    /usr/bin/env python3 -c 'import numpy' 2>/dev/null && python=python3 || python=/usr/bin/python3
    "$python" "$(dirname "$0")/recompute.py" "$2/$model.safetensors" "$work/trace.safetensors" $precision
  done
done
