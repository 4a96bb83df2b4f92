"""check.py's files: what a safetensors file says is an integer stays one, what nobody asks for is no fault, and options are obeyed or refused."""

import json
import os
import struct
import subprocess
import sys

import numpy

import program

CHECK = os.path.join(program.REFERENCE, "check.py")
CASE = "wkv6.basic"


def safetensors(arrays):
    """arrays: name -> (dtype, array)."""
    header, data = {}, b""
    for name, (dtype, array) in arrays.items():
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class CheckArrays(program.ProgramTest):
    def expected(self):
        sys.path.insert(0, program.REFERENCE)
        import check

        self.addCleanup(sys.path.remove, program.REFERENCE)
        stored = check.read_safetensors(os.path.join(program.REFERENCE, "operators", CASE + ".safetensors"))
        return {name: stored[name].astype("<f4") for name in check.computed(CASE)}

    def check(self, *arguments):
        done = subprocess.run([sys.executable, CHECK, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_integers_of_a_safetensors_file_are_integers(self):
        y = self.expected()["y"]
        words = (y.view("<u4") >> numpy.uint32(16)).astype("<u2")
        self.write("bf16.safetensors", safetensors({"y": ("BF16", words)}))
        self.write("u16.safetensors", safetensors({"y": ("U16", words)}))
        self.write("i16.safetensors", safetensors({"y": ("I16", words)}))
        numpy.save(self.path("y.npy"), words)
        for name, code in (("bf16.safetensors", 0), ("u16.safetensors", 1), ("i16.safetensors", 1), ("y.npy", 0)):
            found, out, err = self.check(CASE, "y", name, "--format", "bf16_own")
            self.assertEqual(found, code, (name, out, err))
            compared = self.run_program("compare", os.path.join(program.REFERENCE, "operators", CASE + ".safetensors"), name, "--format", "bf16_own", "--only", "y")
            self.assertEqual(compared.returncode, code, (name, compared.stdout, compared.stderr))

    def test_objects_are_a_fault_only_where_they_are_wanted(self):
        right = self.expected()
        numpy.savez(self.path("more.npz"), names=numpy.array(["a", None], dtype=object), **right)
        self.assertEqual(self.check(CASE, "more.npz")[0], 0)
        numpy.savez(self.path("wanted.npz"), **{**right, "y": numpy.array([None], dtype=object)})
        code, _, err = self.check(CASE, "wanted.npz")
        self.assertEqual((code, err), (2, "check.py: wanted.npz: array 'y' holds Python objects (pickled), expected numbers\n"))
        self.assertEqual(self.check(CASE, "wanted.npz", "--only", "S_after")[0], 0)

    def test_only_is_obeyed_or_refused(self):
        numpy.savez(self.path("mine.npz"), **self.expected())
        code, out, _ = self.check(CASE, "mine.npz", "--only", "y")
        self.assertEqual((code, len(out.splitlines())), (0, 1))
        for arguments in ((CASE, "y", "mine.npz", "--only", "S_after"), ("--list", CASE, "--only", "y")):
            code, out, err = self.check(*arguments)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("--only goes with CASE and FILE, or with --suite", err)


if __name__ == "__main__":
    program.main()
