"""Writes the valid inputs of tests/fuzz/corpus (python3 tests/fuzz/make_corpus.py, from the root): small, one of each kind. The other files
there are what fuzzing or the tests of malformed files left behind: each once went another way through its reader."""

import io
import json
import os
import struct
import zipfile

import numpy

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def write(target, name, data):
    os.makedirs(os.path.join(CORPUS, target), exist_ok=True)
    with open(os.path.join(CORPUS, target, name), "wb") as file:
        file.write(data)


def safetensors(shapes, metadata=None, dtype="BF16", number=b"\x80\x3e"):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, shape in shapes.items():
        begin = len(data)
        data += number * int(numpy.prod(shape))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def shrunk(model):
    """The tensors of a model of reference_outputs, in two layers and a few channels."""
    with open(os.path.join(CORPUS, "../../../reference_outputs/models", model + ".safetensors"), "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    config = json.loads(header.pop("__metadata__")["goldfinch.config"])
    layers = {0: 0, config["n_layer"] - 1: 1}
    small = {config["vocab_size"]: 5, config["n_embd"]: 4, config["n_embd"] // config["head_size"]: 2, config["head_size"]: 2, config["dim_ffn"]: 3}
    result = {}
    for name, entry in header.items():
        if name.startswith("blocks."):
            layer = int(name.split(".")[1])
            if layer not in layers:
                continue
            name = name.replace(f"blocks.{layer}.", f"blocks.{layers[layer]}.")
        shape, last = entry["shape"], name.split(".")[-1]
        D, groups = 4, shape[0]
        if last == "time_maa_w1":
            shape = [D, {160: 5, 96: 3}[shape[1]]]
        elif last == "time_maa_kv_w1":
            shape = [D, 2]
        elif last in ("time_maa_w2", "time_maa_kv_w2"):
            shape = [groups, 1, D]
        elif last.endswith("_w1"):
            shape = [D, 1]
        elif last.endswith("_w2"):
            shape = [1, D]
        elif name == "w_kv_cache_a.weight":
            shape = [2, D]
        elif name == "w_kv_cache_b.weight":
            shape = [D, D + 2]
        elif last == "time_faaaa":
            shape = [2, 2]
        elif name.split(".")[-2] in ("w1", "w3"):
            shape = [3, D]
        elif name.split(".")[-2] == "w2":
            shape = [D, 3]
        else:
            shape = [small.get(n, n) for n in shape]
        result[name] = shape
    config.update(vocab_size=5, n_layer=2, n_embd=4, head_size=2, dim_ffn=3, inv_other_layer_ratio=2, kv_cache_compression_ratio=2)
    return result, config


def checkpoints():
    for model in ("finch", "goldfinch", "llama_rope", "gptalpha_rope"):
        shapes, config = shrunk(model)
        whole = safetensors(shapes, {"goldfinch.config": json.dumps(config)})
        write("safetensors", model, whole)
        write("safetensors", model + "_any_length", whole[:7] + b"\1" + whole[8:])
        write("config", model, json.dumps(config).encode())
    write("config", "empty", b"{}")
    write("config", "foreign", b'{"rope_theta": 10000.0, "rope_scaling": {"factor": 2}, "hidden_act": "sqrelu", "num_attention_heads": 64, "num_heads": 1, "head_dim": 64,'
          b' "intermediate_size": 224, "attention_hidden_size": 64, "tie_word_embeddings": false, "tmix2": "gold", "rms_norm_eps": null, "quantization_config": [[1]]}')
    write("config", "deep", b'{"vocab_size": ' + b"[" * 20 + b"]" * 20 + b"}")
    write("config", "unknown", b'{"model_type": "rwkv6", "layer_norm_epsilon": 1e-05, "hidden_size": 64, "num_hidden_layers": 2, "head_size": 64}')


def pytorch():
    def text(s):
        return b"X" + struct.pack("<I", len(s)) + s.encode()

    def tensor(shape, offset):
        def numbers(values):
            return b"(" + b"".join(b"K" + bytes([n]) for n in values) + b"t"
        strides, step = [], 1
        for n in reversed(shape):
            strides.insert(0, step)
            step *= n
        storage = b"(" + text("storage") + b"ctorch\nBFloat16Storage\n" + text("0") + text("cpu") + b"M" + struct.pack("<H", 64) + b"tQ"
        return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K" + bytes([offset]) + numbers(shape) + numbers(strides) + b"\x89ccollections\nOrderedDict\n)RtR"

    shapes, _ = shrunk("finch")
    pickle = b"\x80\x02}(" + b"".join(text(name) + tensor(shape, i % 8) for i, (name, shape) in enumerate(shapes.items())) + b"u."
    for nested, name in ((b"\x80\x02}(" + text("model") + pickle[2:-1] + text("epoch") + b"K\x07u.", "nested"), (pickle, "finch")):
        write("pth", name, archive({"m/data.pkl": nested, "m/byteorder": b"little", "m/data/0": b"\x80\x3e" * 64}))
        write("pickle", name, nested)
        write("pth", name + "_pickle_alone", nested)


def archive(entries):
    """Stored without compression, the sizes in front."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for name, data in entries.items():
            file.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def numpys():
    arrays = {}
    for dtype in ("<f2", "<f4", "<f8", "i1", "<i2", "<i4", "<i8", "u1", "<u2", "?", ">f4"):
        out = io.BytesIO()
        numpy.save(out, numpy.arange(6).reshape(2, 3).astype(dtype))
        arrays[dtype.strip("<>?") or "bool"] = out.getvalue()
    out = io.BytesIO()
    numpy.save(out, numpy.asfortranarray(numpy.arange(24.0).reshape(2, 3, 4)))
    arrays["fortran"] = out.getvalue()
    out = io.BytesIO()
    numpy.save(out, numpy.zeros((0, 3)))
    arrays["fortran_empty"] = out.getvalue().replace(b"False", b"True ")
    out = io.BytesIO()
    numpy.save(out, numpy.float32(1))
    arrays["scalar"] = out.getvalue()
    for name, data in arrays.items():
        write("npy", name, b"\0" + data)
        write("npy", name + "_bf16", b"\1" + data)
    write("npz", "all", archive({name + ".npy": data for name, data in arrays.items() if data.find(b">f4") < 0}))
    write("npz", "one", archive({"x.npy": arrays["f4"]}))
    out = io.BytesIO()
    numpy.savez_compressed(out, x=numpy.zeros(100))
    write("npz", "compressed", out.getvalue())
    out = io.BytesIO()
    numpy.savez(out, x=numpy.zeros(3), y=numpy.ones((2, 2), ">f4"))
    write("npz", "numpy", out.getvalue())


def vocabularies():
    lines = [f"{i + 1} {bytes([i])!r} 1" if i >= 128 else f"{i + 1} {chr(i)!r} 1" for i in range(256)]
    lines += ["300 'hello' 5", "301 ' world' 6", "302 '\u00e9\\u00e9' 4", '303 "it\'s" 4', "400 b'\\xff\\xfe' 2", "401 '\\U0001f600' 4"]
    write("world", "all_bytes", "\n".join(lines).encode() + b"\n")
    write("world", "few", b"11 '\\n' 1\n35 ' ' 1\n129 b'\\x80' 1\n")
    write("world", "carriage_returns", b"11 '\\n' 1\r\n35 ' ' 1\r\n")
    write("world", "no_last_newline", b"11 '\\n' 1\n35 ' ' 1")


def sentencepieces():
    def field(number, content):
        if isinstance(content, int):
            return bytes([number << 3, content])
        if isinstance(content, float):
            return bytes([number << 3 | 5]) + struct.pack("<f", content)
        size = len(content)
        return bytes([number << 3 | 2]) + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + content

    def pieces(with_bytes):
        out = b"".join(field(1, field(1, s) + field(2, 0.0) + field(3, kind)) for s, kind in ((b"<unk>", 2), (b"<s>", 3), (b"</s>", 3)))
        if with_bytes:
            out += b"".join(field(1, field(1, b"<0x%02X>" % i) + field(2, 0.0) + field(3, 6)) for i in range(256))
        words = ["\u2581", "\u2581he", "llo", "l", "o", "h", "e", "he", "\u00e9", "\u2581w", "r", "d", "user"]
        return out + b"".join(field(1, field(1, s.encode()) + field(2, -float(i)) + field(3, 4 if s == "user" else 1)) for i, s in enumerate(words))

    for kind in (1, 2):  # unigram, byte-pair encoding
        for with_bytes in (False, True):
            trainer = field(2, field(3, kind) + (b"\x98\x02\x01" if with_bytes else b""))
            for name, spaces in (("", b""), ("_no_prefix", field(3, 0) + field(4, 0))):
                write("sentencepiece", f"type{kind}{'_bytes' if with_bytes else ''}{name}", pieces(with_bytes) + trainer + field(3, spaces) + b"hello world " * 5 + b"help")


def maps():
    rules = [{"ours": "blocks.{i}.att.S", "theirs": "layer{i}.S4", "rearrange": "a b c d -> (b a) c d"},
             {"ours": "a4", "theirs": "a120", "rearrange": "(h v k) -> h k v", "sizes": {"h": 2, "v": 6}},
             {"ours": "a1", "theirs": "a4", "rearrange": "g b c d -> b (c d)", "take": {"g": [1]}},
             {"ours": "a2", "theirs": "a2", "rearrange": "(c a b) d -> c a b d", "sizes": {"a": 7, "b": 5}},
             {"ours": "blocks.{i}.*", "theirs": "layer{i}.*4", "scale": 2, "every": 6, "from": 1},
             {"ours": "*", "theirs": "*", "ours_as": "exp(-exp)"}]
    write("name_map", "all", json.dumps(rules).encode())
    for i, rule in enumerate(rules):
        write("name_map", f"rule{i}", json.dumps([rule]).encode())


def batches():
    write("batch", "all", b'{"prompt": "In the beginning"}\n\n{"id": 7, "prompt": "caf\\u00e9", "temperature": 0.5, "top_p": 0.9, "top_k": 3, "min_p": 0.1, "count": 5, "seed": 18446744073709551615,'
          b' "presence_penalty": 0.1, "frequency_penalty": 0.2, "penalty_decay": 0.9}\r\n{"id": "a", "prompt": ""}')
    write("batch", "one", b'{"prompt": "x"}')


def indices():
    write("index", "two", b'{"metadata": {"total_size": 16}, "weight_map": {"a": "m-00001-of-00002.safetensors", "b": "m-00002-of-00002.safetensors"}}')
    write("index", "elsewhere", b'{"weight_map": {"a": "../m.safetensors"}}')
    write("index", "numbers", b'{"weight_map": {"a": 7}, "metadata": [[[[1]]]]}')


for make in (indices, checkpoints, pytorch, numpys, vocabularies, sentencepieces, maps, batches):
    make()
