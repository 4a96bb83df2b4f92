"""Tensors in files, for tests that need no NumPy: safetensors and .npz, read and written. A tensor is Tensor(type, shape, numbers), its
type as safetensors spells it; `numbers` is flat."""

import collections
import io
import json
import math
import struct
import zipfile

Tensor = collections.namedtuple("Tensor", "type shape numbers")
CODES = {"F64": "d", "F32": "f", "F16": "e", "I64": "q", "I32": "i", "I16": "h", "I8": "b", "U16": "H", "U8": "B", "BOOL": "?"}
DESCR = {"F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1", "U16": "u2", "U8": "u1", "BOOL": "b1"}


def f32(shape, numbers):
    return Tensor("F32", list(shape), list(numbers))


def pack(tensor, order="<"):
    if tensor.type == "BF16":
        return b"".join(struct.pack("<f", x)[2:] for x in tensor.numbers)
    return struct.pack(f"{order}{len(tensor.numbers)}{CODES[tensor.type]}", *tensor.numbers)


def unpack(type, data):
    if type == "BF16":
        return [struct.unpack("<f", b"\0\0" + data[i : i + 2])[0] for i in range(0, len(data), 2)]
    code = CODES[type]
    return list(struct.unpack(f"<{len(data) // struct.calcsize('<' + code)}{code}", data))


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return {n: Tensor(e["dtype"], e["shape"], unpack(e["dtype"], data[start + e["data_offsets"][0] : start + e["data_offsets"][1]])) for n, e in header.items()}


def write_safetensors(path, tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, tensor in tensors.items():
        content = pack(tensor)
        header[name] = {"dtype": tensor.type, "shape": tensor.shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)
    return path


def npy(descr, shape, data):
    """The bytes of a .npy file."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''}), }}"
    text = text.ljust(-(len(text) + 11) % 64 + len(text)) + "\n"
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode() + data


def write_npz(path, tensors, compressed=False, order="<", entries={}):
    """`entries`: other files of the archive, name -> bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        for name, tensor in tensors.items():
            archive.writestr(name + ".npy", npy(order + DESCR[tensor.type], tensor.shape, pack(tensor, order)))
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def read_npz(path):
    """float64 arrays in C order, as goldfinch writes them."""
    tensors = {}
    with zipfile.ZipFile(path) as archive:
        if archive.testzip():
            raise ValueError(f"{path}: a CRC is wrong")
        for name in archive.namelist():
            file = io.BytesIO(archive.read(name))
            head = file.read(10)
            header = eval(file.read(int.from_bytes(head[8:], "little")), {})
            assert head[:8] == b"\x93NUMPY\1\0" and header["descr"] == "<f8" and not header["fortran_order"], header
            tensors[name.removesuffix(".npy")] = Tensor("F64", list(header["shape"]), unpack("F64", file.read()))
    return tensors


def rows(tensor, begin, end):
    """Of the first dimension."""
    size = math.prod(tensor.shape[1:])
    return Tensor(tensor.type, [end - begin] + tensor.shape[1:], tensor.numbers[begin * size : end * size])
