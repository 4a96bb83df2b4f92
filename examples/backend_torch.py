#!/usr/bin/env python3
"""A backend in PyTorch that the reference kit judges: every operator, layer and model, from "What to compute" in reference_outputs/README.md.

    backend_torch.py [--device cuda] [--format f32|tf32|bf16|fp16] [--kernel triton] [CASE ...]
                                                    exit code 0: right in all of them; 1: wrong in some

It knows nothing of goldfinch but the cases and reference_outputs/check.py beside them. Tensors are kept in the format and matrix products
made in it, with sums of float32; the rest is float32 between what an operator takes and what it returns. A CPU multiplies the format's
numbers in float32, and has no tf32. The cases too large to keep are passed over where they are missing. PyTorch 1.13 will do; for 16 bits
on cuda, 2.0.
"""

import argparse
import functools
import itertools
import json
import math
import os
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference_outputs"))
from check import HERE, case, check, computed, manifest, read_safetensors

DTYPES = {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
device, dtype = "cpu", torch.float32  # of this run


def operator(function):
    """An operator takes numbers of the format, computes in float32 and returns numbers of the format."""

    @functools.wraps(function)
    def rounded(*given):
        return function(*(x.float() if torch.is_tensor(x) and x.is_floating_point() else x for x in given)).to(dtype)

    return rounded


# Operators.


def matmul(x, A):
    """On the matrix units of a GPU; a CPU's float32 products of 16-bit numbers are exact, and their sums are the same."""
    return x @ A if device == "cuda" else (x.float() @ A.float()).to(dtype)


def linear(x, W):
    return matmul(x, W.T)


tanh, sigmoid, silu, exp, expm1 = map(operator, (torch.tanh, torch.sigmoid, F.silu, torch.exp, torch.expm1))
relu_squared = operator(lambda x: F.relu(x) ** 2)
add, multiply = operator(torch.add), operator(torch.mul)
lerp = operator(lambda z, before, rate, offset=0: z + (before - z) * (rate + offset))

# What is never rounded to the format: decays, and what softmax gives.
decay = lambda w: torch.exp(-torch.exp(w.float()))
one_minus_decay = lambda w: -torch.expm1(-torch.exp(w.float()))
softmax = lambda x: torch.softmax(x.float(), -1)


@operator
def layer_norm(x, weight, bias):
    return F.layer_norm(x, x.shape[-1:], weight, bias, 1e-5)


@operator
def group_norm(x, weight, bias, head_size, divisor=8):
    return F.group_norm(x, x.shape[-1] // head_size, weight, bias, 1e-5 * divisor**2)


@operator
def rms_norm(x):
    return x / (x.square().mean(-1, keepdim=True).sqrt() + 1e-8)


def heads(x, head_size):
    """[T, H N] to float32 [T, H, N]."""
    return x.float().view(len(x), x.shape[1] // head_size, head_size)


def lora(z, A, B):
    h = tanh(matmul(z, A))
    return h, matmul(h, B)


def token_shift(z, lengths=None, last=None):
    """The row before each, and each sequence's last one. `last`: the rows carried from the call before."""
    sequences = z.split(lengths or [len(z)])
    last = z.new_zeros(len(sequences), z.shape[1]) if last is None else last
    rows = [torch.cat([carried[None], sequence]) for carried, sequence in zip(last, sequences)]
    return torch.cat([r[:-1] for r in rows]), torch.stack([r[-1] for r in rows])


def ddlerp(z, before, mu_x, mu, A, B_groups):
    h = tanh(matmul(lerp(z, before, mu_x), A))
    return h, [lerp(z, before, m, matmul(part, B)) for m, part, B in zip(mu, h.chunk(len(mu), -1), B_groups)]


def wkv6(r, k, v, d, u=None, lengths=None, S=None, head_size=None):
    """The state is float32, and so is all that touches it."""
    N = head_size or (u if u is not None else S).shape[-1]
    r, k, v, d = (heads(x, N) for x in (r, k, v, d))
    lengths = lengths or [len(r)]
    S = torch.zeros(len(lengths), r.shape[1], N, N, device=device) if S is None else S.clone()
    bonus, y = 0 if u is None else u.float()[:, :, None], torch.empty_like(r)
    for b, end in enumerate(itertools.accumulate(lengths)):
        for t in range(end - lengths[b], end):
            kv = k[t, :, :, None] * v[t, :, None, :]
            y[t] = (r[t, :, :, None] * (S[b] + bonus * kv)).sum(1)  # WKV.1, before the update
            S[b] = d[t, :, :, None] * S[b] + kv  # WKV.2
    return y.flatten(1).to(dtype), S


def rotary(x, positions, head_size, base, rescale=1):
    """Angles in double; what it returns is not rounded to the format."""
    j = torch.arange(0, head_size, 2, dtype=torch.float64, device=device)
    angles = positions.double()[:, None, None] * base ** (-j / head_size) / rescale
    cos, sin = angles.cos().float(), angles.sin().float()
    e, o = heads(x, head_size).unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([e * cos - o * sin, e * sin + o * cos], -1).view(x.shape)


def attention_of_sequence(q, k, v, head_size):
    q, k, v = (heads(x, head_size) for x in (q, k, v))
    n, C = len(q), len(k)
    scores = torch.einsum("qhn,khn->hqk", q, k) / math.sqrt(head_size)
    unseen = torch.ones(n, C, dtype=torch.bool, device=device).triu(C - n + 1)  # row i sees keys 0 … C - n + i
    return torch.einsum("hqk,khn->qhn", softmax(scores.masked_fill(unseen, -math.inf)), v).flatten(1).to(dtype)


def attention(q, k, v, head_size, lengths=None, contexts=None):
    sequences = zip(*(x.split(rows or [len(x)]) for x, rows in ((q, lengths), (k, contexts), (v, contexts))))
    return torch.cat([attention_of_sequence(*sequence, head_size) for sequence in sequences])


def decompress(x0, c, w_kv_cache_b):
    return rms_norm(linear(torch.cat([x0, c], -1), w_kv_cache_b))


def embed(ids, emb, ln0):
    return layer_norm(emb[ids], *ln0)


def cross_entropy(logits, targets):
    """A loss a row, in float32, and their mean."""
    losses = F.cross_entropy(logits.float(), targets, reduction="none")
    return losses, losses.mean()


# Layers: from a case's tensors, by the checkpoint's names, to the tensors that it computes.


class Given(dict):
    """Tensors by name, None for what is left out; of weights, NAME is NAME.weight, of norms both NAME.weight and NAME.bias."""

    __getattr__ = dict.get

    def __init__(self, arrays):
        for name, array in arrays.items():
            if name in ("lengths", "contexts", "stored"):
                self[name] = [int(rows) for rows in array]
            elif array.ndim == 0:
                self[name] = array.item() if name in ("base", "rescale") else int(array)
            elif name in ("ids", "targets", "positions"):
                self[name] = torch.tensor(array, device=device).long()
            else:
                array = array.reshape(-1) if array.shape[:-1] == (1, 1) else array  # the checkpoint's rates are [1, 1, D]
                self[name] = torch.tensor(array, device=device).to(torch.float32 if name in ("d", "S_before") else dtype)
        for name in [name for name in self if name.endswith(".weight")]:
            own = name[: -len(".weight")]
            self[own] = (self[name], self[own + ".bias"]) if own + ".bias" in self else self[name]

    def under(self, prefix):
        part = Given({})
        part.update((name[len(prefix) :], value) for name, value in self.items() if name.startswith(prefix))
        return part


def mixed(p, groups):
    """The inputs of a layer with data-dependent token shift: x_g for each group, and the last row of z."""
    before, last = token_shift(p.z, p.lengths, p.last_z_before)
    _, x = ddlerp(p.z, before, p.time_maa_x, [p["time_maa_" + g] for g in groups], p.time_maa_w1, p.time_maa_w2)
    return {**{"x" + g: row for g, row in zip(groups, x)}, "last_z_after": last}


def finch_c2_time_mix(p):
    out = mixed(p, ("r", "k", "v", "w", "v2"))
    r, v = linear(out["xr"], p.receptance), linear(out["xv"], p.value)
    w = add(p.time_decay, lora(out["xw"], p.time_decay_w1, p.time_decay_w2)[1])
    k = linear(out["xk"], p.key)
    k = k if p.use_one_minus_w == 0 else multiply(k, one_minus_decay(w))
    u = p.time_faaaa if p.use_v2 == 0 else None  # a second value takes the place of the bonus
    y, S = wkv6(r, k, v, decay(w), u, p.lengths, p.S_before, p.time_faaaa.shape[-1])
    out.update({"r": r, "k": k, "v": v, "w": w, "wkv": y, "S_after": S})
    if p.use_v2 != 0:
        out["v2"] = add(linear(out["xv2"], p.value), lora(out["xv2"], p.time_value2_w1, p.time_value2_w2)[1])
        y = add(y, out["v2"])
    return {**out, "out": linear(layer_norm(y, *p.ln_x), p.output)}


def finch_time_mix(p):
    out = mixed(p, ("w", "k", "v", "r", "g"))
    r, k, v = linear(out["xr"], p.receptance), linear(out["xk"], p.key), linear(out["xv"], p.value)
    g = silu(linear(out["xg"], p.gate))
    w = add(p.time_decay, lora(out["xw"], p.time_decay_w1, p.time_decay_w2)[1])
    y, S = wkv6(r, k, v, decay(w), p.time_faaaa, p.lengths, p.S_before)
    gated = multiply(group_norm(y, *p.ln_x, p.time_faaaa.shape[-1], p.head_size_divisor or 8), g)
    return {**out, "r": r, "k": k, "v": v, "g": g, "w": w, "wkv": y, "S_after": S, "out": linear(gated, p.output)}


def rotated(p, x, counts, firsts):
    """Rotary where the layer has a base: of each sequence count rows, which stand at positions from first on."""
    positions = torch.cat([torch.arange(first, first + count, device=device) for count, first in zip(counts, firsts)])
    return rotary(x, positions, p.head_size, p.base, p.rescale or 1) if p.base else x.float()


def gold_attention(p):
    lengths, contexts = p.lengths or [len(p.z)], p.contexts or [len(p.c)]
    # The query, from the rows of this call.
    before, last = token_shift(p.z, lengths, p.last_z_before)
    xq = lerp(p.z, before, p.time_maa_q, lora(lerp(p.z, before, p.time_maa_x), p.time_maa_q_w1, p.time_maa_q_w2)[1])
    q = layer_norm(linear(xq, p.query), *p.ln_q)
    # Keys and values, from ids and compressed keys of the whole context.
    x0 = embed(p.ids, p.emb, p["blocks.0.ln0"])
    o, K = rms_norm(x0), decompress(x0, p.c, p.w_kv_cache_b)
    o_before, K_before = token_shift(o, contexts)[0], token_shift(K, contexts)[0]
    rates = tanh(matmul(lerp(o, o_before, p.time_maa_v_cache), p.time_maa_kv_w1)).chunk(2, -1)
    mk, mv = (matmul(rate, w2) for rate, w2 in zip(rates, p.time_maa_kv_w2))
    k, v = lerp(K, K_before, p.time_maa_k, mk), lerp(o, o_before, p.time_maa_v, mv)
    k = layer_norm(add(k, lora(k, p.time_key_w1, p.time_key_w2)[1]), *p.ln_k)
    v = layer_norm(add(v, lora(v, p.time_value_w1, p.time_value_w2)[1]), *p.ln_v)

    rows_before = [C - n for C, n in zip(contexts, lengths)]
    turned_q, turned_k = rotated(p, q, lengths, rows_before), rotated(p, k, contexts, [0] * len(contexts))
    attn = attention(turned_q, turned_k, v, p.head_size, lengths, contexts)
    return {"xq": xq, "q": q, "keys": K, "mk": mk, "mv": mv, "k": k, "v": v, "attn": attn, "last_z_after": last,
            "out": linear(layer_norm(attn, *p.ln_x), p.output)}


def attention_on_stored(p, q, k, v):
    """Attention of this call's rows on the stored keys and values, and on their own, which are stored behind them."""
    lengths, nothing = p.lengths or [len(q)], q[:0]
    stored = p.stored or [0 if p.k_before is None else len(p.k_before)]

    def behind(old, new):
        pairs = zip((nothing if old is None else old).split(stored), new.split(lengths))
        return torch.cat([rows for pair in pairs for rows in pair])

    k_after, v_after = behind(p.k_before, rotated(p, k, lengths, stored)), behind(p.v_before, v)
    contexts = [before + own for before, own in zip(stored, lengths)]
    attn = attention(rotated(p, q, lengths, stored), k_after, v_after, p.head_size, lengths, contexts)
    return {"q": q, "k": k, "v": v, "attn": attn, "k_after": k_after, "v_after": v_after}


def gptalpha_attention(p):
    out = mixed(p, ("r", "k", "v"))
    q, k = layer_norm(linear(out["xr"], p.query), *p.ln_r), layer_norm(linear(out["xk"], p.key), *p.ln_k)
    out.update(attention_on_stored(p, q, k, layer_norm(linear(out["xv"], p.value), *p.ln_v)))
    return {**out, "out": linear(layer_norm(out["attn"], *p.ln_x), p.output)}


def llama_attention(p):
    out = attention_on_stored(p, linear(p.z, p.wq), linear(p.z, p.wk), linear(p.z, p.wv))
    return {**out, "out": linear(out["attn"], p.wo)}


def rwkv_channel_mix(p):
    before, last = token_shift(p.z, p.lengths, p.last_z_before)
    xk, xr = (lerp(p.z, before, rate) for rate in (p.time_maa_k, p.time_maa_r))
    k, r = relu_squared(linear(xk, p.key)), sigmoid(linear(xr, p.receptance))
    return {"xk": xk, "xr": xr, "k": k, "r": r, "out": multiply(r, linear(k, p.value)), "last_z_after": last}


def swiglu(p):
    k = multiply(silu(linear(p.z, p.w1)), linear(p.z, p.w3))
    return {"k": k, "out": linear(k, p.w2)}


def time_mix(p):
    """Which kind of layer it is, its weights say."""
    kinds = {"time_maa_v_cache": gold_attention, "wq": llama_attention, "ln_r": gptalpha_attention, "gate": finch_time_mix}
    return next((layer for weight, layer in kinds.items() if weight in p), finch_c2_time_mix)(p)


def channel_mix(p):
    return (swiglu if "w1" in p else rwkv_channel_mix)(p)


def model(weights, config, tokens):
    """Every intermediate of one pass over all tokens, by the names of the traces."""
    ids = torch.tensor(tokens, device=device)
    x = embed(ids, weights.emb, weights["blocks.0.ln0"])
    out = {"embed": x}
    shared = {"ids": ids, "head_size": config["head_size"], "base": config["rope_base"], "rescale": config["rope_rescale"],
              "head_size_divisor": config["head_size_divisor"], "use_v2": config["use_v2"], "use_one_minus_w": config["use_one_minus_w"],
              **{name: weights[name] for name in ("emb", "blocks.0.ln0", "w_kv_cache_b") if name in weights}}
    for i in range(config["n_layer"]):
        block = f"blocks.{i}."
        if block + "att.time_maa_v_cache" in weights and "c" not in shared:
            shared["c"] = out["tokencat.compressed"] = linear(x, weights.w_kv_cache_a)
        for norm, part, layer, stream in ("ln1", "att.", time_mix, "mid"), ("ln2", "ffn.", channel_mix, "out"):
            z = out[block + norm] = layer_norm(x, *weights[block + norm])
            given = weights.under(block + part)
            given.update(shared, z=z)
            results = layer(given)
            x = out[block + stream] = add(x, results["out"])
            out.update((block + part + name, tensor) for name, tensor in results.items())
        if block + "att.S_after" in out:
            out[block + "att.wkv_state"] = out[block + "att.S_after"][0]
        if block + "att.keys" in out:
            out["tokencat.keys"] = out[block + "att.keys"]
    out["ln_out"] = layer_norm(x, *weights.ln_out)
    return {**out, "logits": linear(out["ln_out"], weights.head)}


# What each of the kit's operators gives, by the names of its tensors.


def run_token_shift(p):
    before, last = token_shift(p.z, p.lengths, p.last_z_before)
    return {"before": before, "last_z_after": last}


def run_ddlerp(p):
    shift = run_token_shift(p)
    h, x = ddlerp(p.z, shift["before"], p.mu_x, p.mu, p.A, p.B_groups)
    return {**shift, "h": h, "x": torch.stack(x)}


def run_wkv6(p):
    d = p.d if p.w is None else decay(p.w)
    return {"decay": d, **dict(zip(("y", "S_after"), wkv6(p.r, p.k, p.v, d, p.u, p.lengths, p.S_before, p.head_size)))}


def run_rotary(p):
    places = torch.arange(len(p.x), device=device) if p.positions is None else p.positions
    return {"y": rotary(p.x, places, p.head_size, p.base or 10000, p.rescale or 1)}


RUN = {
    "wkv6": run_wkv6, "token_shift": run_token_shift, "ddlerp": run_ddlerp, "rotary": run_rotary,
    "lerp": lambda p: {"y": lerp(p.z, p.before, p.m, 0 if p.offset is None else p.offset)},
    "lora": lambda p: dict(zip("hy", lora(p.z, p.A, p.B))),
    "linear": lambda p: {"y": linear(p.x, p.W)},
    "layer_norm": lambda p: {"y": layer_norm(p.x, p.weight, p.bias)},
    "group_norm": lambda p: {"y": group_norm(p.x, p.weight, p.bias, p.head_size, p.head_size_divisor or 8)},
    "attention": lambda p: {"y": attention(p.q, p.k, p.v, p.head_size, p.lengths, p.contexts)},
    "token_cat_compress": lambda p: {"c": linear(p.x, p.w_kv_cache_a)},
    "token_cat_decompress": lambda p: {"K": decompress(p.x0, p.c, p.w_kv_cache_b)},
    "embedding": lambda p: {"x0": embed(p.ids, p.emb, p["blocks.0.ln0"])},
    "cross_entropy": lambda p: dict(zip(("losses", "mean"), cross_entropy(p.logits, p.targets))),
    **{name: lambda p, function=function: {"y": function(p.x)} for name, function in
       {"rms_norm": rms_norm, "softmax": softmax, "exp": exp, "expm1": expm1, "tanh": tanh, "sigmoid": sigmoid, "silu": silu,
        "relu_squared": relu_squared, "decay": decay, "one_minus_decay": one_minus_decay}.items()},
    **{layer.__name__: layer for layer in (finch_c2_time_mix, finch_time_mix, gold_attention, gptalpha_attention, llama_attention,
                                           rwkv_channel_mix, swiglu)},
}


def run(entry):
    if entry["kind"] != "model":
        return RUN[entry["operator"]](Given(case(entry["name"])))
    weights, settings = (os.path.join(HERE, file) for file in entry["inputs"])
    with open(settings, encoding="utf-8") as file:
        settings = json.load(file)
    return model(Given(read_safetensors(weights)), settings["config"], settings["tokens"])


def part(result):
    """Of its budget that a tensor's error takes; nothing where the format cannot hold the numbers."""
    return result.relative_rms / result.budget if result.relative_rms > 0 and math.isfinite(result.budget) else 0.0


def summary(results):
    nearest = max(results, key=part)
    return f"{len(results)} tensors, {sum(not result for result in results)} FAILED, nearest at {part(nearest):.2f} of its budget: {nearest.tensor}"


def main():
    global device, dtype, wkv6
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all of the kit, if none is named")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--format", default="f32", choices=DTYPES)
    parser.add_argument("--kernel", default="torch", choices=("torch", "triton"), help="of wkv6; triton: triton_wkv6.py")
    arguments = parser.parse_args()
    format, device, dtype = arguments.format, arguments.device, DTYPES[arguments.format]
    torch.set_float32_matmul_precision("high" if format == "tf32" else "highest")
    if device == "cuda" and dtype != torch.float32:  # sums are of float32, those of split products too
        setattr(torch.backends.cuda.matmul, f"allow_{format}_reduced_precision_reduction", False)
    if arguments.kernel == "triton":
        from triton_wkv6 import wkv6

    cases, results = manifest()["cases"], []
    for name in arguments.cases or [name for name, entry in cases.items() if os.path.exists(os.path.join(HERE, entry["file"]))]:
        if name not in cases:
            parser.error(f"there is no case {name} (reference_outputs/check.py --list tells what there is)")
        tensors = run(cases[name])
        judged = [check(name, tensor, tensors[tensor].double().cpu().numpy(), format) for tensor in computed(name)]
        print("".join(f"{result}\n" for result in judged if not result), end="")
        print(f"{name:32} {summary(judged)}")
        results += judged
    print(f"{summary(results)} of {max(results, key=part).case}; {format} on {device}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    with torch.no_grad():
        sys.exit(main())
