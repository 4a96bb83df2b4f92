#!/usr/bin/env python3
"""Checks numbers against a reference case, with nothing but NumPy: what a kernel's own tests need, on a machine without this library.

    python3 check.py wkv6.packed y mine.npy --format bf16     one tensor
    python3 check.py wkv6.packed mine.npz --format bf16       all that the case computes, by name (.npz or .safetensors)
    python3 check.py --suite wkv6 FOLDER --format bf16        every case of an operator, from FOLDER/CASE.npz or .safetensors
    python3 check.py --list [CASE]                            the cases, or the tensors of one

    from check import case, check
    given = case("wkv6.packed")                               inputs, weights, states: name -> float64 array
    print(check("wkv6.packed", "y", mine, "bf16"))            truth value: whether it does not fail

The verdict is that of `goldfinch compare` (docs/compare.md), to the letter: budgets and known mistakes are those of manifest.json.

    FAILED      another shape; a NaN or infinity on one side only; relative rms above the budget; or one element off by more than 16
                budgets of its size or of the tensor's rms, whichever is larger
    UNTESTED    missing
    MISTRUSTED  within its budget, but over 90 % zeros, or all elements equal, or a budget above 0.3, which says nothing; or of the right
                shape in a format that cannot hold the case's numbers, for which there is no budget
    PASSED      otherwise

relative rms = rms(got - expected) / rms(expected). The budget is the one from the case's inputs on; with --local (local=True) that of
the one operator, for numbers that were computed from the reference's own inputs to it. In f64 it is 1e-9, or four times the
reference's own error if that is more. Exit code 0: nothing failed; 1: a tensor is wrong or missing; 2: a file cannot be read, or bad usage.
"""

import argparse
import hashlib
import json
import math
import os
import sys
from dataclasses import dataclass

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FORMATS = ("f64", "f32", "tf32", "bf16", "fp16", "e4m3", "e5m2", "bf16_own", "fp16_own")
NO_INFORMATION, WORST_IN_BUDGETS = 0.3, 16
NO_BUDGET = math.inf  # where the format cannot hold the numbers


class CheckError(Exception):
    """A file that cannot be read, a case that does not exist: one line that names it and the reason."""


# Files.

SAFETENSORS_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
                     "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "u1"}


def from_bfloat16(words):
    return (words.astype(np.uint32) << np.uint32(16)).view(np.float32)


def read_safetensors(path):
    """name -> array. As strict as the format: every byte of data belongs to exactly one tensor; lengths are checked before they are used."""

    def refuse(reason):
        raise CheckError(f"{path}: {reason}")

    def once(pairs):
        if len(dict(pairs)) < len(pairs):
            refuse("the header gives a key twice")
        return dict(pairs)

    def whole(x):
        return isinstance(x, int) and not isinstance(x, bool) and 0 <= x < 2**63

    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        refuse(error.strerror)
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, 100_000_000):
        refuse("is no safetensors file: its header is longer than the file")
    try:
        header = json.loads(data[8 : 8 + length].decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        refuse(f"is no safetensors file: {error}")
    if not isinstance(header, dict):
        refuse("is no safetensors file: its header is no object")
    header.pop("__metadata__", None)
    data = data[8 + length :]
    tensors, covered = {}, 0
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            refuse(f"tensor {name!r} is not described by dtype, shape and data_offsets")
        if not (isinstance(entry["dtype"], str) and entry["dtype"] in SAFETENSORS_TYPES):
            refuse(f"tensor {name!r} is {entry['dtype']!r}, expected one of {', '.join(SAFETENSORS_TYPES)}")
        shape, offsets = entry["shape"], entry["data_offsets"]
        if not (isinstance(shape, list) and len(shape) <= 32 and all(map(whole, shape))):
            refuse(f"tensor {name!r} has no shape")
        if not (isinstance(offsets, list) and len(offsets) == 2 and all(map(whole, offsets)) and offsets[0] <= offsets[1] <= len(data)):
            refuse(f"tensor {name!r} has data_offsets outside of the data")
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        (begin, end), dtype = entry["data_offsets"], np.dtype(SAFETENSORS_TYPES[entry["dtype"]])
        if begin != covered:
            refuse(f"the data of tensor {name!r} does not begin where the tensor before it ends")
        if end - begin != math.prod(entry["shape"]) * dtype.itemsize:
            refuse(f"tensor {name!r} has {end - begin} bytes of data, which are not those of its shape")
        numbers = np.frombuffer(data[begin:end], dtype)
        tensors[name] = (from_bfloat16(numbers) if entry["dtype"] == "BF16" else numbers).reshape(entry["shape"])
        covered = end
    if covered < len(data):
        refuse("the last bytes belong to no tensor")
    return tensors


def read_numpy(path):
    """name -> array of an .npz, or one array without a name of an .npy. In the place of an array of Python objects in an .npz, which nobody may
    ask for, stands the error that it is for those who do."""

    def array(archive, name):
        try:
            return archive[name]
        except ValueError as error:
            if not str(error).startswith("Object arrays"):
                raise
            return CheckError(f"{path}: array {name!r} holds Python objects (pickled), expected numbers")

    try:
        loaded = np.load(path, allow_pickle=False)
        return {name: array(loaded, name) for name in loaded.files} if isinstance(loaded, np.lib.npyio.NpzFile) else {"": loaded}
    except OSError as error:
        raise CheckError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # of any kind that zipfile and NumPy throw at damaged files
        raise CheckError(f"{path}: {error}") from None


def read_arrays(path):
    """What a file holds, which its content says and not its name."""
    try:
        with open(path, "rb") as file:
            head = file.read(9)
    except OSError as error:
        raise CheckError(f"{path}: {error.strerror}") from None
    if head[8:] != b"{":
        return read_numpy(path)
    # A safetensors file says which numbers are bfloat16: its 16-bit integers are integers, whatever the format.
    return {name: array.astype("i4") if array.dtype in ("i2", "u2") else array for name, array in read_safetensors(path).items()}


def as_numbers(array, format):
    """As float64. 16-bit integers are bfloat16 numbers where the format is bfloat16, and so are NumPy's '<V2'."""
    if isinstance(array, CheckError):
        raise array
    array = np.asarray(array)
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:
        array = from_bfloat16(array.view("<u2"))
    elif array.dtype.kind in "iu" and array.dtype.itemsize == 2 and format.startswith("bf16"):
        array = from_bfloat16(array.view(array.dtype.str.replace("i", "u")))
    if array.dtype.kind not in "fiub":
        raise CheckError(f"an array of {array.dtype} holds no numbers that can be checked")
    return array.astype(np.float64)


# Cases.

_manifests, _cases = {}, {}


def manifest(dir=HERE):
    """What manifest.json holds, with the cases by name."""
    path = os.path.join(dir, "manifest.json")
    if path not in _manifests:
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
            if content["numerics"] != 1:
                raise CheckError(f"{path}: is of numerics {content['numerics']!r:.20}, expected 1")
            content["cases"] = {entry["name"]: entry for entry in content["cases"]}
        except OSError as error:
            raise CheckError(f"{path}: {error.strerror}; `goldfinch reference write DIR` makes it") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise CheckError(f"{path}: is not a manifest of reference cases") from None
        _manifests[path] = content
    return _manifests[path]


def _entry(name, dir):
    cases = manifest(dir)["cases"]
    if name not in cases:
        raise CheckError(f"there is no case {name!r} (--list tells what there is)")
    return cases[name]


def _tensors(name, dir):
    """Every tensor of a case's file. What goldfinch computed is held against its SHA-256; models have traces by another implementation."""
    entry = _entry(name, dir)
    path = os.path.join(dir, entry["file"])
    if path not in _cases:
        if entry.get("on_demand") and not os.path.exists(path):
            raise CheckError(f"{path}: is too large to keep; {entry['reproduce']} makes it")
        tensors = read_safetensors(path)
        for tensor in entry["tensors"] if entry["kind"] != "model" else []:
            if tensor["name"] not in tensors:
                raise CheckError(f"{path}: has no tensor {tensor['name']!r}, which the manifest lists")
            numbers = tensors[tensor["name"]]
            stored = (numbers.view("<u4") >> np.uint32(16)).astype("<u2") if tensor["dtype"] == "BF16" else numbers
            if hashlib.sha256(stored.tobytes()).hexdigest() != tensor["sha256"]:
                raise CheckError(f"{path}: tensor {tensor['name']!r} has other bits than the manifest says")
        _cases[path] = tensors
    return _cases[path]


def _given(tensor):
    return "made" in tensor


def case(name, dir=HERE):
    """What a case gives to who computes it: inputs, weights, settings and states before, as float64 arrays (all but settings are
    bfloat16 numbers). A model's weights and tokens are files of their own, which the manifest names under "inputs"."""
    stored = _tensors(name, dir)
    return {tensor["name"]: stored[tensor["name"]].astype(np.float64) for tensor in _entry(name, dir)["tensors"] if _given(tensor)}


def computed(name, dir=HERE):
    """The names of what is to be computed, in the order of the computation."""
    stored = _tensors(name, dir)
    return [tensor["name"] for tensor in _entry(name, dir)["tensors"] if not _given(tensor) and tensor["name"] in stored]


# Judging.


@dataclass
class Result:
    case: str
    tensor: str
    status: str
    reason: str = ""
    budget: float = math.nan
    relative_rms: float = math.nan
    worst: float = math.nan
    max_abs: float = math.nan
    max_abs_at: tuple = ()  # indices of the largest error
    first_bad: tuple = ()  # of the first element that is beyond what a single one may be off, or not a number
    got: float = math.nan  # there, and what it should be
    expected: float = math.nan
    equation: str = ""
    catches: tuple = ()  # the mistakes that the case is there to catch: (flag, words)

    def __bool__(self):
        return self.status in ("PASSED", "MISTRUSTED")

    def __str__(self):
        text = f"{self.status:10} {self.case} {self.tensor}"
        if not math.isnan(self.relative_rms):
            within = "" if self.budget == NO_BUDGET else f" of {self.budget:.3g}"
            text += f": relative rms {self.relative_rms:.3g}{within}, largest error {self.max_abs:.3g}"
            text += f" at {list(self.max_abs_at)}" if self.max_abs > 0 else ""
        if self.reason:
            text += f"\n  {self.reason}"
        if self.first_bad:
            text += f"\n  the first bad element is {list(self.first_bad)}: got {self.got:.9g}, expected {self.expected:.9g}"
        if not self:
            text += f"\n  equation {self.equation}" if self.equation else ""
            text += "\n  the case is there to catch:" if self.catches else ""
            text += "".join(f"\n    {flag}: {words}" for flag, words in self.catches)
        return text


def _ratio(a, b):
    return 0.0 if a == 0 else math.inf if b == 0 else a / b


def _short(x):
    return f"{x:.3g}"


def compare(expected, got, budget):
    """The figures and the verdict for two float64 arrays: (status, reason, figures by the names of Result)."""
    if expected.shape != got.shape:
        return "FAILED", f"shape {list(got.shape)}, expected {list(expected.shape)}", {}

    def at(flat):
        return tuple(int(i) for i in np.unravel_index(flat, expected.shape))

    def element(flat):
        return {"first_bad": at(flat), "got": float(got.flat[flat]), "expected": float(expected.flat[flat])}

    e, g = expected.ravel(), got.ravel()
    finite = np.isfinite(e) & np.isfinite(g)
    own = e[np.isfinite(e)]
    largest = float(np.max(np.abs(own))) if own.size else 0.0
    # A power of two that brings the numbers to a size whose squares neither overflow nor vanish; 1 for ordinary numbers.
    extreme = 0 < largest < 2.0**-300 or largest > 2.0**300
    shift = min(max(-(math.frexp(largest)[1] - 1), -1022), 1022) if extreme else 0
    rms = math.sqrt(float(np.mean(np.square(np.ldexp(own, shift))))) if own.size else 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = np.ldexp(e[finite], shift), np.ldexp(g[finite], shift)
        off = np.abs(y - x)
        relative_rms = math.sqrt(_ratio(float(np.sum(off * off)), float(np.sum(x * x))))
        sizes = np.maximum(np.abs(x), rms)
        shares = np.divide(off, sizes, out=np.where(off > 0, np.inf, 0.0), where=sizes > 0)
        places = np.flatnonzero(finite)
        figures = {"relative_rms": relative_rms, "worst": float(np.max(shares, initial=0)), "max_abs": 0.0}
        if off.size and np.max(off) > 0:
            figures["max_abs"], figures["max_abs_at"] = float(np.ldexp(np.max(off), -shift)), at(places[np.argmax(off)])

    if budget == NO_BUDGET:
        return "MISTRUSTED", "no information: the format cannot hold these numbers", figures
    unequal = np.flatnonzero(~finite & ~((e == g) | (np.isnan(e) & np.isnan(g))))
    if unequal.size:
        reason = f"{unequal.size} of {e.size} elements are NaN or infinite on one side only or differently, first {list(at(unequal[0]))}"
        return "FAILED", reason, figures | element(unequal[0])
    informative = budget <= NO_INFORMATION
    beyond = np.flatnonzero(~(shares <= WORST_IN_BUDGETS * budget))
    bad = element(places[beyond[0]]) if informative and beyond.size else {}
    if informative and not relative_rms <= budget:
        return "FAILED", f"relative rms {_short(relative_rms)} above the budget {_short(budget)}", figures | bad
    if bad:
        reason = f"an element is off by {_short(figures['worst'])} of its size or the tensor's rms, more than {WORST_IN_BUDGETS} budgets"
        return "FAILED", f"{reason} of {_short(budget)}; the rest is right", figures | bad
    if not np.any(finite):
        return "MISTRUSTED", "no finite elements" if e.size else "no elements", figures
    if not informative:
        return "MISTRUSTED", f"no information: the budget is {_short(budget)}", figures
    for zeros, whose in ((np.mean(e == 0), "of the expected are zeros"), (np.mean(g == 0), "are zeros")):
        if zeros > 0.9:
            return "MISTRUSTED", f"{_short(100 * zeros)} % {whose}", figures
    if e.size > 1 and np.all(np.isfinite(e)) and np.all(e == e[0]):
        return "MISTRUSTED", "all expected elements are equal", figures
    return "PASSED", "", figures


def check(name, tensor, array, format="f32", local=False, dir=HERE):
    """Judges an array (or None, where there is none) as tensor of a case. Throws CheckError where there is no such tensor."""
    format = "fp16" if format == "f16" else format
    if format not in FORMATS:
        raise CheckError(f"the format is {format!r}, expected one of {', '.join(FORMATS)}")
    entry, everything = _entry(name, dir), manifest(dir)
    if tensor not in computed(name, dir):
        raise CheckError(f"case {name} does not compute {tensor!r}, but {', '.join(computed(name, dir))}")
    known = next(t for t in entry["tensors"] if t["name"] == tensor)
    words = everything.get("mistakes", {})
    result = Result(name, tensor, "UNTESTED", "missing", equation=known.get("equation") or "",
                    catches=tuple((flag, words.get(flag, {}).get("words", "")) for flag in entry["catches"]))
    budget = max(1e-9, 4 * known["error"])
    if format != "f64":
        budget = known["budgets"].get(format, {}).get("local" if local else "end_to_end", NO_BUDGET)
    if array is None:
        return result
    expected = _tensors(name, dir)[tensor].astype(np.float64)
    got = as_numbers(array, format)
    if entry["kind"] == "model" and got.ndim == expected.ndim and got.ndim > 0 and got.shape[0] > expected.shape[0]:
        got = got[: expected.shape[0]]  # of a golden model, the first rows are kept
    result.budget = budget
    result.status, result.reason, figures = compare(expected, got, result.budget)
    for key, value in figures.items():
        setattr(result, key, value)
    return result


# The command line.


def list_cases(words, dir):
    for entry in manifest(dir)["cases"].values() if not words else [_entry(words[0], dir)]:
        print(f"{entry['name']:32} {entry['purpose']}; catches {', '.join(entry['catches'])}")
        for tensor in entry["tensors"] if words else []:
            print(f"  {'given' if _given(tensor) else 'computed':9} {tensor['name']:24} {tensor['shape']!s:18} {tensor['layout']}")


def _mine(folder, name):
    """What a folder holds of a case, or None."""
    for ending in (".npz", ".safetensors", ".npy"):
        path = os.path.join(folder, name + ending)
        if os.path.exists(path):
            return read_arrays(path)
    return None


def _wanted(name, only, dir):
    """What a case computes, or what is wanted of it."""
    unknown = [tensor for tensor in only if tensor not in computed(name, dir)]
    if unknown:
        raise CheckError(f"case {name} does not compute {unknown[0]!r}, but {', '.join(computed(name, dir))}")
    return [tensor for tensor in computed(name, dir) if not only or tensor in only]


def suite(operator, folder, format="f32", local=False, dir=HERE, only=()):
    """Prints a line for every case of an operator or layer, as `goldfinch compare --suite` does; whether nothing failed or was missing."""
    names = [entry["name"] for entry in manifest(dir)["cases"].values() if entry["operator"] == operator]
    if not names:
        raise CheckError(f"there are no cases of {operator!r} (--list tells what there is)")
    if not os.path.isdir(folder):
        raise CheckError(f"{folder}: is no folder")
    counts = dict.fromkeys(("PASSED", "FAILED", "MISTRUSTED", "UNTESTED", "SKIPPED"), 0)
    for name in names:
        entry, status, detail = _entry(name, dir), "UNTESTED", f"no file {name}.npz or {name}.safetensors"
        if entry.get("on_demand") and not os.path.exists(os.path.join(dir, entry["file"])):
            status, detail = "SKIPPED", f"too large to keep; {entry['reproduce']} makes it"
        elif (arrays := _mine(folder, name)) is not None:
            tensors = _wanted(name, only, dir)
            alone = arrays.get("") if len(tensors) == 1 else None
            results = [check(name, tensor, arrays.get(tensor, alone), format, local, dir) for tensor in tensors]
            wrong = next((result for result in results if not result), None)
            passed = [result for result in results if result.status == "PASSED"]
            status = wrong.status if wrong else "PASSED" if passed else "MISTRUSTED"
            if wrong:
                detail = f"{wrong.tensor}: {wrong.reason}"
            elif passed:
                nearest = max(passed, key=lambda result: _ratio(result.relative_rms, result.budget))
                detail = f"{nearest.tensor}, relative rms {_short(nearest.relative_rms)} of {_short(nearest.budget)}"
            else:
                detail = results[0].reason
        counts[status] += 1
        print(f"{status:10} {name:{max(map(len, names))}}  {detail}")
    print(f"{len(names)} cases of {operator}, {format}: " + ", ".join(f"{count} {status}" for status, count in counts.items() if count))
    return counts["FAILED"] + counts["UNTESTED"] == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="CASE [TENSOR] FILE", help="the case; one of its tensors, or all; .npy, .npz or .safetensors")
    parser.add_argument("--format", default="f32", choices=FORMATS + ("f16",), help="what the numbers were computed in (default f32)")
    parser.add_argument("--local", action="store_true", help="computed from the reference's own inputs to this step: its own budget")
    parser.add_argument("--dir", default=HERE, help="where manifest.json is (default: beside this program)")
    parser.add_argument("--suite", metavar="OPERATOR", help="every case of this operator or layer, from the files in a folder")
    parser.add_argument("--only", metavar="TENSOR", action="append", default=[], help="of the case, or of every case of the suite, only this tensor (repeatable)")
    parser.add_argument("--list", action="store_true", help="the cases, or the tensors of one")
    arguments = parser.parse_args()
    words = arguments.words
    if arguments.suite is not None and (arguments.list or len(words) != 1):
        parser.error("with --suite, expected a folder")
    if arguments.only and (arguments.list or (arguments.suite is None and len(words) == 3)):
        parser.error("--only goes with CASE and FILE, or with --suite")
    if arguments.suite is None and (len(words) > 1 if arguments.list else len(words) not in (2, 3)):
        parser.error("expected CASE, TENSOR and FILE, or CASE and FILE, or --list, or --suite and a folder")
    try:
        if arguments.suite is not None:
            format = "fp16" if arguments.format == "f16" else arguments.format
            return 0 if suite(arguments.suite, words[0], format, arguments.local, arguments.dir, arguments.only) else 1
        if arguments.list:
            list_cases(words, arguments.dir)
            return 0
        arrays = read_arrays(words[-1])
        names = words[1:2] if len(words) == 3 else _wanted(words[0], arguments.only, arguments.dir)
        if "" in arrays and len(names) > 1:
            raise CheckError(f"{words[-1]}: is one array; which tensor of {', '.join(names)} is it?")
        results = [check(words[0], name, arrays.get(name, arrays.get("")), arguments.format, arguments.local, arguments.dir) for name in names]
    except CheckError as error:
        print(f"check.py: {error}", file=sys.stderr)
        return 2
    for result in results:
        print(result)
    return 0 if all(results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.exit(1)
