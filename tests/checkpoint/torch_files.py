"""Checkpoints as PyTorch writes them, and what goldfinch makes of them.    torch_files.py PROGRAM WORK

Two small models, Finch-C2 and Llama, are real modules. Their state is saved in many ways: in other number types, pickle protocols
and containers, as views of shared storages, transposed. Every file must convert to PyTorch's own numbers, byte for byte, and give
the same logits as what it was converted to. Files that hold no dictionary of tensors must be refused in one line.
"""
import collections
import json
import os
import struct
import subprocess
import sys

import torch
from torch import nn

V, L, D, N, F, SWIGLU = 61, 2, 32, 8, 96, 64


def rows(*shape):
    return nn.Parameter(torch.empty(*shape))


class FinchC2TimeMix(nn.Module):
    def __init__(self):
        super().__init__()
        for name in "xrkvw":
            setattr(self, "time_maa_" + name, rows(1, 1, D))
        self.time_maa_v2 = rows(1, 1, D)
        self.time_maa_w1, self.time_maa_w2 = rows(D, 160), rows(5, 32, D)
        self.time_decay, self.time_decay_w1, self.time_decay_w2 = rows(1, 1, D), rows(D, 64), rows(64, D)
        self.time_value2_w1, self.time_value2_w2 = rows(D, 64), rows(64, D)
        self.time_faaaa = rows(D // N, N)
        self.receptance, self.key, self.value, self.output = (nn.Linear(D, D, bias=False) for _ in range(4))
        self.ln_x = nn.GroupNorm(D // N, D)


class ChannelMix(nn.Module):
    def __init__(self):
        super().__init__()
        self.time_maa_k, self.time_maa_r = rows(1, 1, D), rows(1, 1, D)
        self.key, self.receptance, self.value = nn.Linear(D, F, bias=False), nn.Linear(D, D, bias=False), nn.Linear(F, D, bias=False)


class LlamaAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(D, D, bias=False) for _ in range(4))


class SwiGlu(nn.Module):
    def __init__(self):
        super().__init__()
        self.w1, self.w2, self.w3 = nn.Linear(D, SWIGLU, bias=False), nn.Linear(SWIGLU, D, bias=False), nn.Linear(D, SWIGLU, bias=False)


class Block(nn.Module):
    def __init__(self, layer, time_mix, channel_mix):
        super().__init__()
        if layer == 0:
            self.ln0 = nn.LayerNorm(D)
        self.ln1, self.ln2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.att, self.ffn = time_mix(), channel_mix()


class Model(nn.Module):
    """Numbers of seven bits, which every number type holds: k / 128 with |k| < 64, norms around 1."""

    def __init__(self, time_mix, channel_mix):
        super().__init__()
        self.emb = nn.Embedding(V, D)
        self.blocks = nn.ModuleList(Block(i, time_mix, channel_mix) for i in range(L))
        self.ln_out = nn.LayerNorm(D)
        self.head = nn.Linear(D, V, bias=False)
        for name, parameter in self.named_parameters():
            numbers = torch.randint(-63, 64, parameter.shape) / 128
            parameter.data = numbers + 1 if "ln" in name and name.endswith("weight") else numbers


def in_one_storage(state):
    """Views of a single buffer, in an order of its own, with numbers between and around that belong to no tensor."""
    gap = 3
    total = gap + sum(t.numel() + gap for t in state.values())
    buffer = torch.full((total,), float("nan"), dtype=next(iter(state.values())).dtype)
    at, views = gap, {}
    for name in sorted(state, reverse=True):
        views[name] = buffer[at:at + state[name].numel()].view(state[name].shape)
        views[name].copy_(state[name])
        at += state[name].numel() + gap
    return collections.OrderedDict((name, views[name]) for name in state)


def turned(t):
    """The same tensor with its axes in another order in memory."""
    axes = list(reversed(range(t.dim())))
    return t.permute(axes).contiguous().permute(axes)


def every_second(t):
    """The same tensor as a part of a larger one: every second of its rows and columns."""
    larger = torch.full([2 * n + 1 for n in t.shape], float("nan"), dtype=t.dtype)
    part = larger[tuple(slice(1, None, 2) for _ in t.shape)]
    part.copy_(t)
    return part


def tied(state):
    return collections.OrderedDict(state, **{"head.weight": state["emb.weight"]})


def broadcast(state):
    """Mixing rates that are one number, repeated with a stride of zero."""
    return {name: t[..., :1].expand(t.shape) if "time_maa_" in name and t.dim() == 3 and t.shape[0] == 1 else t for name, t in state.items()}


def files(model):
    """(name, what torch.save gets, arguments of torch.save)"""
    state = model.state_dict()
    assert "_metadata" in vars(state) and isinstance(state, collections.OrderedDict)
    for name, dtype in ("f64", torch.float64), ("f32", torch.float32), ("bf16", torch.bfloat16), ("f16", torch.float16):
        typed = model.to(dtype).state_dict()
        yield "state_" + name, typed, {}
        yield "one_storage_" + name, in_one_storage(typed), {}
        yield "turned_" + name, {key: turned(t) for key, t in typed.items()}, {}
        model.to(torch.float32)
    for protocol in 2, 3, 4, 5:
        yield f"protocol_{protocol}", state, {"pickle_protocol": protocol}
        yield f"parameters_protocol_{protocol}", dict(model.named_parameters()), {"pickle_protocol": protocol}
    yield "parameters_in_order", collections.OrderedDict(model.named_parameters()), {}
    yield "kept_variables", model.state_dict(keep_vars=True), {}
    yield "every_second", {name: every_second(t) for name, t in state.items()}, {}
    yield "tied", tied(state), {}
    yield "broadcast", broadcast(state), {}
    yield "mixed_types", {name: t.to(torch.bfloat16) if t.dim() == 2 else t for name, t in state.items()}, {}
    yield "requires_grad", {name: t.clone().requires_grad_() for name, t in state.items()}, {}
    yield "frozen_parameters", {name: nn.Parameter(t, requires_grad=False) for name, t in state.items()}, {}


def refused(model):
    """(name, what torch.save gets, arguments of torch.save, a part of the message)"""
    state = model.state_dict()

    def but_for(tensor):
        return dict(state, **{"head.weight": tensor})

    yield "module", model, {}, "state_dict()"
    yield "old_format", state, {"_use_new_zipfile_serialization": False}, "torch.save"
    yield "nested", {"model": state, "epoch": 3}, {}, "'model' is a dict"
    yield "list", list(state.values()), {}, "a list"
    yield "tensor", state["head.weight"], {}, "a tensor"
    yield "number", 3, {}, "an integer"
    yield "complex", but_for(torch.zeros(V, D, dtype=torch.complex64)), {}, "ComplexFloatStorage"
    yield "integers", but_for(torch.zeros(V, D, dtype=torch.int64)), {}, "LongStorage"
    yield "bytes", but_for(torch.zeros(V, D, dtype=torch.uint8)), {}, "ByteStorage"
    yield "booleans", but_for(torch.zeros(V, D, dtype=torch.bool)), {}, "BoolStorage"
    yield "sparse", but_for(state["head.weight"].to_sparse()), {}, "_rebuild_sparse_tensor"
    yield "quantized", but_for(torch.quantize_per_tensor(state["head.weight"], 0.1, 0, torch.qint8)), {}, "_rebuild_qtensor"
    yield "optimizer", torch.optim.Adam(model.parameters()).state_dict(), {}, "expected only tensors"
    yield "names_that_are_numbers", dict(enumerate(state.values())), {}, "an integer as a tensor's name"
    yield "lacking_a_tensor", {name: t for name, t in state.items() if name != "head.weight"}, {}, "head.weight"
    yield "another_shape", but_for(torch.zeros(V, D + 1)), {}, "head.weight"
    yield "not_a_number", but_for(torch.full((V, D), float("nan"))), {}, "head.weight"


def read_safetensors(path):
    """{name: (type, shape, bytes)}"""
    with open(path, "rb") as file:
        data = file.read()
    length, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        found[name] = entry["dtype"], entry["shape"], data[8 + length + begin:8 + length + end]
    return found


def as_safetensors(state):
    names = {torch.float64: ("F64", torch.int64), torch.float32: ("F32", torch.int32), torch.bfloat16: ("BF16", torch.int16), torch.float16: ("F16", torch.int16)}
    found = {}
    for name, t in state.items():
        dtype, integer = names[t.dtype]
        found[name] = dtype, list(t.shape), t.detach().contiguous().view(integer).numpy().tobytes()
    return found


def main():
    program, work = sys.argv[1:]
    passed = failed = 0

    def check(name, holds, why=""):
        nonlocal passed, failed
        passed += bool(holds)
        failed += not holds
        if not holds:
            print(f"FAILED: {name}: {why}")

    def run(*arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)

    def read(path):
        with open(path, "rb") as file:
            return file.read()

    tokens = " ".join(str(7 * i % V) for i in range(20))
    # What the tensors do not tell: Llama's head size and rotary base.
    flags = {"finchc2": [], "llama": ["--head-size", str(N), "--rope-base", "10000"]}
    torch.manual_seed(1)
    models = {"finchc2": Model(FinchC2TimeMix, ChannelMix), "llama": Model(LlamaAttention, SwiGlu)}
    for kind, model in models.items():
        same_numbers = {}
        for name, state, arguments in files(model):
            name = f"{kind}_{name}"
            pth, safetensors, npy, npy2 = (os.path.join(work, name + suffix) for suffix in (".pth", ".safetensors", ".pth.npy", ".safetensors.npy"))
            torch.save(state, pth, **arguments)
            result = run("convert", pth, safetensors, *flags[kind])
            check(name, result.returncode == 0, "convert: " + result.stderr)
            if result.returncode != 0:
                continue
            found, expected = read_safetensors(safetensors), as_safetensors(state)
            wrong = [key for key in sorted(found.keys() | expected.keys()) if found.get(key) != expected.get(key)]
            check(name, not wrong, f"differs from torch's: {wrong[:3]}")
            results = [run("logits", "--model", pth, "--tokens", tokens, "--out", npy, *flags[kind]),
                       run("logits", "--model", safetensors, "--tokens", tokens, "--out", npy2)]
            check(name, all(r.returncode == 0 for r in results), "logits: " + results[0].stderr + results[1].stderr)
            if all(r.returncode == 0 for r in results):
                logits = read(npy)
                check(name, logits == read(npy2), "the logits of .pth and .safetensors differ")
                if "tied" not in name and "broadcast" not in name:
                    check(name, logits == same_numbers.setdefault(kind, logits), "the same numbers, stored otherwise, give other logits")
    model = models["finchc2"]
    scripted = torch.jit.script(nn.Linear(D, D))
    for name, thing, arguments, message in [*refused(model), ("torchscript", None, None, "")]:
        pth, out = os.path.join(work, f"refused_{name}.pth"), os.path.join(work, f"refused_{name}.safetensors")
        scripted.save(pth) if thing is None else torch.save(thing, pth, **arguments)
        for result in run("convert", pth, out), run("logits", "--model", pth, "--tokens", tokens, "--out", out):
            good = result.returncode == 2 and not result.stdout and result.stderr.count("\n") == 1 and pth in result.stderr and message in result.stderr
            check(f"refused: {name}", good, f"exit code {result.returncode}, expected '{message}': {result.stderr}")
        check(f"refused: {name}", not os.path.exists(out), "a file was written")

    print(f"PyTorch {torch.__version__}: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
