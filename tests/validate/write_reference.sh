#!/usr/bin/env bash
# Writes the reference cases and their manifest, golden models included, for the tests that judge by them.
#   write_reference.sh PROGRAM REFERENCE_FOLDER WRITTEN_FOLDER
set -u
rm -rf "$3" && mkdir -p "$3/models" && cp "$2"/models/*.json "$2"/models/*.safetensors "$3/models" && "$1" reference write "$3"
