#!/usr/bin/env python3
"""What each format of the key cache, or of the weights, does to a model's predictions.

    formats.py cache|weights PROGRAM MODEL TOKENS CONTEXT SCORED

TOKENS is a file of token ids; its last CONTEXT tokens are read as one sequence, and the predictions of the last SCORED of them are
compared with those of the model as it is, under the native cache format: loss in nats per token, Kullback-Leibler divergence in nats,
share of equal top tokens.
"""

import os
import subprocess
import sys
import tempfile

import numpy as np


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def main():
    what, program, model, tokens_file, context, scored = sys.argv[1:7]
    context, scored = int(context), int(scored)
    tokens = np.array(open(tokens_file).read().split(), dtype=np.int64)[-context:]
    targets = tokens[-scored:]
    native = None
    print(f"{len(tokens)} tokens, the last {scored} scored")
    print(f"{'format':8} {'loss':>9} {'change':>10} {'KL':>10} {'top-1 equal':>12}")
    with tempfile.TemporaryDirectory() as work:
        list_file, out, converted = (os.path.join(work, name) for name in ("tokens", "logits.npy", "converted.safetensors"))
        open(list_file, "w").write(" ".join(map(str, tokens)))
        for name in ("native", "bf16", "int8", "int4") if what == "cache" else ("as it is", "bf16", "q8"):
            if what == "weights" and native is not None:
                subprocess.run([program, "convert", model, converted, "--dtype", name], check=True, stderr=subprocess.DEVNULL)
            chosen = ["--model", model, "--cache-format", name] if what == "cache" else ["--model", model if native is None else converted]
            subprocess.run([program, "logits", *chosen, "--tokens", "@" + list_file, "--precision", "f32", "--out", out], check=True)
            logp = log_softmax(np.load(out, mmap_mode="r")[-scored - 1:-1].astype(np.float64))
            loss = -logp[np.arange(scored), targets].mean()
            if native is None:
                native, base = logp, loss
            kl = (np.exp(native) * (native - logp)).sum(axis=1).mean()
            equal = (native.argmax(axis=1) == logp.argmax(axis=1)).mean()
            print(f"{name:8} {loss:9.5f} {loss - base:+10.5f} {kl:10.2e} {100 * equal:11.2f}%")


if __name__ == "__main__":
    main()
