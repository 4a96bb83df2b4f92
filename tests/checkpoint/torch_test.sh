#!/usr/bin/env bash
# Reads files that PyTorch itself writes (torch_files.py says which).     torch_test.sh PROGRAM WORK
# WORK, a folder that is made, keeps the files. Exit code 0: all as expected; 1: not; 77: PyTorch is not installed (python3-torch).
set -u
[ $# -eq 2 ] || { echo "usage: torch_test.sh PROGRAM WORK" >&2; exit 2; }
python=/usr/bin/python3
if ! $python -c 'import torch' 2>/dev/null; then
  echo "skipped: no python3-torch"
  exit 77
fi
mkdir -p "$2" && exec $python "$(dirname "$0")/torch_files.py" "$1" "$2"
