#!/usr/bin/env python3
"""Makes the inputs of the reference cases anew, with nothing but NumPy, and checks their SHA-256 against the manifest.

    make_inputs.py [MANIFEST] [--case NAME] [--save OUT.npz]

Every number of an input is a bfloat16, made from integers by the rule that stands beside it in the manifest (docs/numerics.md, rule 13).
Exit code 0: all are equal; 1: some are not. --save keeps the numbers of one case, as float64.
"""

import argparse
import hashlib
import json
import os
import sys

import numpy as np


def words(seed, stream, count):
    """Words 0 .. count - 1 of a stream: Philox4x64-10 keyed by the seed and the FNV-1a hash of the name."""
    name = 0xCBF29CE484222325
    for byte in stream.encode():
        name = (name ^ byte) * 0x100000001B3 % 2**64
    return np.random.Philox(key=np.array([seed, name], dtype=np.uint64)).random_raw(count)


def normals(seed, stream, count):
    """Number i adds the twelve 16-bit fields of words 3i .. 3i + 2: exact in float64."""
    fields = words(seed, stream, 3 * count).view("<u2").reshape(count, 12)
    return (fields.sum(axis=1, dtype=np.int64) - 6 * 65535) * 2.0**-16


def to_bfloat16(x):
    """The nearest bfloat16, ties to even, as its 16 bits. For numbers of float32's normal range, and zeros."""
    bits = np.ascontiguousarray(x, dtype=np.float64).view(np.uint64)
    kept = (bits + np.uint64(2**44 - 1) + (bits >> np.uint64(45) & np.uint64(1))) >> np.uint64(45) << np.uint64(45)
    return (kept.view(np.float64).astype(np.float32).view(np.uint32) >> np.uint32(16)).astype("<u2")


def make(rule, count):
    if rule["rule"] == "normal":
        return rule["mean"] + rule["scale"] * normals(rule["seed"], rule["stream"], count) / rule["divisor"]
    if rule["rule"] == "integers":
        return (words(rule["seed"], rule["stream"], count) % np.uint64(rule["below"])).astype(np.float64)
    values = np.array(rule["values"], dtype=np.float64)
    index = words(rule["seed"], rule["stream"], count) if rule["rule"] == "choice" else np.arange(count, dtype=np.uint64)
    return values[(index % np.uint64(len(values))).astype(np.int64)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", nargs="?", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "manifest.json"))
    parser.add_argument("--case")
    parser.add_argument("--save")
    arguments = parser.parse_args()
    with open(arguments.manifest, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    if arguments.case:
        cases = [case for case in cases if case["name"] == arguments.case]
    if not cases or (arguments.save and not arguments.case):
        parser.error("no such case" if not cases else "--save goes with --case")

    equal, unequal, numbers = 0, 0, {}
    for case in cases:
        for tensor in case["tensors"]:
            if "made" not in tensor:
                continue
            x = make(tensor["made"], int(np.prod(tensor["shape"], dtype=np.int64)))
            data = to_bfloat16(x) if tensor["dtype"] == "BF16" else x.astype("<f8")
            if hashlib.sha256(data.tobytes()).hexdigest() == tensor["sha256"]:
                equal += 1
            else:
                unequal += 1
                print(f"{case['name']}: {tensor['name']} has other bits")
            if tensor["dtype"] == "BF16":
                x = (data.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
            numbers[tensor["name"]] = x.reshape(tensor["shape"])
    print(f"{equal} of {equal + unequal} inputs made anew, bit for bit")
    if arguments.save:
        np.savez(arguments.save, **numbers)
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
