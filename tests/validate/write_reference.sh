#!/usr/bin/env bash
# `goldfinch reference write` gives the files that reference_outputs holds, byte for byte:   write_reference.sh PROGRAM REFERENCE_FOLDER
set -euo pipefail
written=$(mktemp -d)
trap 'rm -rf "$written"' EXIT
mkdir "$written/models" && cp "$2"/models/*.json "$2"/models/*.safetensors "$written/models"
"$1" reference write "$written"
# A tensor's rms and float64's own error are measured in long double, which is another type where there is no x87: there the last digits may differ.
manifest() {
  if [ "$(uname -m)" = x86_64 ]; then cat "$1/manifest.json"; else sed 's/"rms":[^,]*,"error":[^,]*,//' "$1/manifest.json"; fi
}
for folder in operators layers; do diff -r "$2/$folder" "$written/$folder"; done
diff <(manifest "$2") <(manifest "$written") | head -20
echo "the same bytes: $(find "$written/operators" "$written/layers" -type f | wc -l) files and the manifest"
