#!/usr/bin/env python3
"""check.py and goldfinch compare say the same of the same numbers: status, figures and exit code, for right and wrong ones.

    check_agreement.py PROGRAM CHECK_PY REFERENCE_FOLDER        exit code 0: they do; 1: not, with the differences
"""

import json
import math
import os
import subprocess
import sys

import numpy as np

program, path, folder = sys.argv[1:]
sys.path.insert(0, os.path.dirname(path))
import check


def put(value):
    def change(x):
        x = x.astype(np.float32)
        x.flat[x.size // 2] = value
        return x
    return change


def bf16(x):
    return (x.astype(np.float32).view(np.uint32) + 0x8000 >> 16).astype(np.uint16)


VARIANTS = {
    "right": lambda x: x.astype(np.float32),
    "exact": lambda x: x,
    "a little off": lambda x: 1.000001 * x,
    "a percent off": lambda x: 1.01 * x,
    "far off": lambda x: 3 * x + 1,
    "huge": lambda x: 1e300 * x,
    "one element": put(1e4),
    "nan": put(np.nan),
    "infinite": put(-np.inf),
    "reversed": lambda x: x[::-1] if x.ndim else -x,
    "zeros": np.zeros_like,
    "constant": np.ones_like,
    "shape": lambda x: x[None],
    "fewer rows": lambda x: x[:-1] if x.ndim and len(x) > 1 else x[None],
    "missing": None,
    "words": lambda x: bf16(x) if x.ndim else x,
    "V2": lambda x: bf16(x).view("V2") if x.ndim else x,
    "Fortran": lambda x: np.asfortranarray(x),
    "half": lambda x: np.clip(x, -6e4, 6e4).astype(np.float16),
    "integers": lambda x: np.clip(x, -100, 100).astype(np.int64),
}
# What is ordinary; packed with states; all zeros; all equal; without information; of 1e-8, which fp16 cannot hold; numbers; with infinite exponentials;
# a layer.
CASES = ("wkv6.basic", "rotary.far", "wkv6.packed", "rms_norm.zero", "softmax.equal", "softmax.large", "layer_norm.constant", "layer_norm.far_mean", "rms_norm.small",
         "cross_entropy.basic", "wkv6.vanishing_decay", "finch_c2_time_mix.carried")

FEW = ("right", "a percent off", "half", "one element", "nan", "missing", "fewer rows")  # of all cases but the first two
wrong, compared, seen = [], 0, set()
for name in CASES:
    expected = os.path.join(folder, check.manifest(folder)["cases"][name]["file"])
    names = check.computed(name, folder)
    stored = check.read_safetensors(expected)
    for variant, change in VARIANTS.items():
        if name not in CASES[:2] and variant not in FEW:
            continue
        got = {tensor: stored[tensor].astype(np.float32) for tensor in names}
        del got[names[-1]]
        if change:
            got[names[-1]] = change(stored[names[-1]].copy())
        if not got:
            continue
        np.savez("got.npz", **got)
        for format in ("f32", "bf16") if variant not in FEW[:3] and name != "rms_norm.small" else ("f64", "f32", "bf16", "f16"):
            ours = subprocess.run([program, "compare", expected, "got.npz", "--format", format, "--json", "all.json", "--threads", "1"], capture_output=True)
            if ours.returncode == 2:
                wrong.append(f"{name}, {variant}, {format}: {ours.stderr}")
                continue
            with open("all.json", encoding="utf-8") as file:
                tensors = {t["name"]: t for t in json.load(file)["tensors"]}
            read = check.read_arrays("got.npz")
            results = [check.check(name, tensor, read.get(tensor), format, dir=folder) for tensor in names]
            if ours.returncode != (0 if all(results) else 1):
                wrong.append(f"{name}, {variant}, {format}: exit code {ours.returncode}")
            for result in results:
                t = tensors[result.tensor]
                compared += 1
                seen.add(result.status)
                figures = [(t.get(key), getattr(result, key)) for key in ("relative_rms", "worst", "max_abs")]
                near = lambda a, b: (a is None and not math.isfinite(b)) or (a is not None and abs(a - b) <= 1e-9 * abs(a))
                at = result.max_abs_at == () or tuple(t["max_abs_at"]) == result.max_abs_at
                if t["status"] != result.status or not all(near(a, b) for a, b in figures) or not at:
                    wrong.append(f"{name}, {variant}, {format}: {t['status']} {t['reason']} {figures} {t.get('max_abs_at')}, check.py: {result}")

# The command line says what the function says.
def exits(code, *words):
    process = subprocess.run([sys.executable, path, *words, "--dir", folder], capture_output=True, text=True)
    if process.returncode != code or (code == 2 and (process.stdout or len(process.stderr.splitlines()) == 0 or "Traceback" in process.stderr)):
        wrong.append(f"check.py {' '.join(words)}: exit code {process.returncode}, expected {code}: {process.stdout[-300:]}{process.stderr[-300:]}")
    return process.stdout


stored = check.read_safetensors(os.path.join(folder, "operators", "wkv6.basic.safetensors"))
np.save("y.npy", stored["y"].astype(np.float32))
np.save("wrong.npy", 2 * stored["y"])
np.save("complex.npy", stored["y"] * 1j)
np.savez("mine.npz", y=stored["y"])
open("text.npy", "w").write("no array")
open("empty.npy", "w").close()
with open("y.npy", "rb") as file:
    whole = file.read()
open("cut.npy", "wb").write(whole[:200])
open("pickle.npy", "wb").write(np.lib.format.magic(1, 0) + b"\x3e\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(61) + b"\n" + b"\x80\x04N.")
exits(0, "wkv6.basic", "y", "y.npy", "--format", "f32")
exits(0, "wkv6.basic", "y", "mine.npz", "--local")
exits(0, "wkv6.basic", os.path.join(folder, "operators", "wkv6.basic.safetensors"), "--format", "f64")
for text in ("FAILED     wkv6.basic y", "relative rms 1 above the budget", "equation WKV.1", "read-after-update", "first bad element"):
    if text not in exits(1, "wkv6.basic", "y", "wrong.npy"):
        wrong.append(f"check.py does not say {text}")
if "UNTESTED" not in exits(1, "wkv6.basic", "mine.npz"):
    wrong.append("check.py does not miss what is missing")
if "wkv6.packed" not in exits(0, "--list") or "S_after" not in exits(0, "--list", "wkv6.basic") or "--format" not in exits(0, "--help"):
    wrong.append("check.py does not list")
for words in (("wkv6.basic",), ("nonsense", "y", "y.npy"), ("wkv6.basic", "nonsense", "y.npy"), ("wkv6.basic", "r", "y.npy"), ("wkv6.basic", "y.npy"),
              ("wkv6.basic", "y", "y.npy", "--format", "f8"), ("wkv6.long_head64", "y", "y.npy"), ("--list", "nonsense"),
              *(("wkv6.basic", "y", f) for f in ("nofile", "text.npy", "empty.npy", "cut.npy", "pickle.npy", "complex.npy"))):
    exits(2, *words)

# A safetensors file is read strictly.
def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    open("bad.safetensors", "wb").write(len(text).to_bytes(8, "little") + text + data)


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


safetensors({"a": entry([1], 0, 4), "b": entry([], 4, 6, "BF16")}, b"\0\0\x80\x3f\x80\x3f")
if check.read_safetensors("bad.safetensors") != {"a": 1, "b": 1}:
    wrong.append("a small safetensors file is read wrongly")
for header, data in (({"a": entry([2], 0, 4)}, bytes(4)), ({"a": entry([1], 0, 4)}, bytes(3)), ({"a": entry([1], 0, 4)}, bytes(5)), ({"a": entry([1], 4, 8)}, bytes(8)),
                     ({"a": entry([1], 0, 4), "b": entry([1], 2, 6)}, bytes(6)), ({"a": entry([2**62, 4], 0, 4)}, bytes(4)), ({"a": entry([-1], 0, 4)}, bytes(4)),
                     ({"a": entry([1.0], 0, 4)}, bytes(4)), ({"a": entry([True], 0, 4)}, bytes(4)), ({"a": entry([1], 0, 4, "F12")}, bytes(4)), ({"a": 3}, b""), ([], b""),
                     ({"a": entry([1], 4, 0)}, bytes(4)), (b"{" * 100000, b""), (b'{"a":{},"a":{}}', b""), (b"\xff\xfe{", b""), (b"{}\0", b"")):
    safetensors(header, data)
    try:
        check.read_safetensors("bad.safetensors")
        wrong.append(f"read in spite of {header!s:.80}")
    except check.CheckError:
        pass
open("bad.safetensors", "wb").write(b"\xff" * 16)
exits(2, "wkv6.basic", "bad.safetensors")

# A reference that is not what its manifest says is no reference.
os.makedirs("spoilt/operators")
with open(os.path.join(folder, "operators", "wkv6.basic.safetensors"), "rb") as file:
    whole = file.read()
open("spoilt/operators/wkv6.basic.safetensors", "wb").write(whole[:-1] + bytes([whole[-1] ^ 1]))
with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
    text = file.read()
for content, problem in ((text, "other bits"), ("{}", "is not a manifest"), ("[", "is not a manifest"), (text.replace('"numerics": 1', '"numerics": 9'), "numerics 9")):
    open("spoilt/manifest.json", "w").write(content)
    check._manifests.clear()
    try:
        check.check("wkv6.basic", "y", stored["y"], dir="spoilt")
        wrong.append(f"a spoilt reference is believed, expected: {problem}")
    except check.CheckError as error:
        if problem not in str(error):
            wrong.append(f"{error}, expected: {problem}")

if seen != {"PASSED", "FAILED", "MISTRUSTED", "UNTESTED"}:
    wrong.append(f"the variants give {seen} only")
print(*wrong[:20], sep="\n")
print(f"{compared} verdicts compared, {len(wrong)} wrong")
sys.exit(1 if wrong else 0)
