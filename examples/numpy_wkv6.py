#!/usr/bin/env python3
"""A kernel checked in three lines: wkv6 in NumPy, in float32, against every case of it.

    numpy_wkv6.py [REFERENCE_FOLDER]        exit code 0: right in all of them; 1: wrong in some

It knows nothing of goldfinch but the cases and reference_outputs/check.py beside them: yours may be written in anything that can hand
NumPy an array. The cases too large to keep are passed over where they are missing.
"""

import os
import sys

import numpy as np

reference = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference_outputs")
sys.path.insert(0, reference)
from check import case, check, manifest


def wkv6(r, k, v, w=None, d=None, u=None, S_before=None, head_size=None, lengths=None):
    """WKV.1, WKV.2 of docs/equations.md. r, k, v, and w or d [T, H N], sequences one after another; S [B, H, N, N], key rows."""
    T, D = r.shape
    N = int(head_size) if head_size is not None else (u if u is not None else S_before).shape[-1]
    heads = lambda x: np.asarray(x, np.float32).reshape(-1, D // N, N)
    if d is None:
        with np.errstate(over="ignore"):  # exp(w) may be infinite: then the decay is 0
            d = np.exp(-np.exp(w))
    r, k, v, d = heads(r), heads(k), heads(v), heads(d)
    u = heads(np.zeros(D) if u is None else u)[0]
    lengths = [T] if lengths is None else lengths.astype(int)
    S = np.zeros((len(lengths), D // N, N, N), np.float32) if S_before is None else S_before.astype(np.float32)
    y = np.empty_like(r)
    for b, end in enumerate(np.cumsum(lengths)):
        for t in range(end - lengths[b], end):
            kv = k[t, :, :, None] * v[t, :, None, :]
            y[t] = np.einsum("hi,hij->hj", r[t], S[b] + u[:, :, None] * kv)  # WKV.1, before the update
            S[b] = d[t, :, :, None] * S[b] + kv                              # WKV.2
    return y.reshape(T, D), S


if __name__ == "__main__":
    folder, right = sys.argv[1] if len(sys.argv) > 1 else reference, True
    for name, entry in manifest(folder)["cases"].items():
        if entry["operator"] != "wkv6" or not os.path.exists(os.path.join(folder, entry["file"])):
            continue
        y, S = wkv6(**case(name, folder))
        for result in (check(name, "y", y, "f32", dir=folder), check(name, "S_after", S, "f32", dir=folder)):
            right &= bool(result)
            print(result)
    sys.exit(0 if right else 1)
