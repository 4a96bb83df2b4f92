#!/usr/bin/env python3
"""Recomputes what a trace says with nothing but NumPy, and demands equal bits.

    recompute.py MODEL.safetensors TRACE.safetensors f64|f32

By rule 2 of docs/numerics.md, y[n] = sum over k of x[k] W[n][k] in blocks of 64: `logits` from `ln_out` and head.weight, and every
`att.r` from `att.xr` and receptance.weight. The trace is what goldfinch wrote in that precision (its numbers are always stored as
F64, exactly). Exit code 0: all bits are equal; 1: some are not; 2: bad usage or input.
"""

import json
import sys

import numpy as np


def read(path):
    """A safetensors file as {name: array}; bfloat16 is widened to float32."""
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        stored = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}[entry["dtype"]]
        array = np.frombuffer(data[begin:end], stored)
        if entry["dtype"] == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def linear(x, W):
    """x [T, K], W [N, K] -> [T, N]. Every product and every sum is rounded once, k after k; only outputs are side by side."""
    s = np.zeros((x.shape[0], W.shape[0]), x.dtype)
    for first in range(0, x.shape[1], 64):
        c = np.zeros_like(s)
        for k in range(first, min(first + 64, x.shape[1])):
            c = c + x[:, k, None] * W[None, :, k]
        s = s + c
    return s


def main():
    if len(sys.argv) != 4 or sys.argv[3] not in ("f64", "f32"):
        print(__doc__, file=sys.stderr)
        return 2
    scalar = {"f64": np.float64, "f32": np.float32}[sys.argv[3]]
    try:
        weights, trace = read(sys.argv[1]), read(sys.argv[2])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"{sys.argv[0]}: cannot read the model or the trace: {error!r}", file=sys.stderr)
        return 2

    pairs = [("ln_out", "head.weight", "logits")]
    for name in trace:
        if name.endswith(".att.r"):
            layer = name.removesuffix("r")
            pairs.append((layer + "xr", layer + "receptance.weight", name))
    missing = [name for x, W, y in pairs for name, place in ((x, trace), (W, weights), (y, trace)) if name not in place]
    if missing:
        print(f"{sys.argv[0]}: the files lack {', '.join(missing)}", file=sys.stderr)
        return 2

    unequal = 0
    for x, W, y in pairs:
        expected = linear(trace[x].astype(scalar), weights[W].astype(scalar)).astype(np.float64)
        actual = np.ascontiguousarray(trace[y])
        if expected.shape != actual.shape:
            print(f"{y}: {list(actual.shape)}, expected {list(expected.shape)}")
            unequal += 1
            continue
        same = (expected.view(np.uint64) == actual.view(np.uint64)) | (np.isnan(expected) & np.isnan(actual))
        if not same.all():
            print(f"{y}: {np.count_nonzero(~same)} of {same.size} numbers have other bits")
            unequal += 1
    print(f"{len(pairs) - unequal} of {len(pairs)} tensors recomputed bit for bit")
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
