"""Every container and order of bytes that NumPy writes is read by compare and op, what is no array of numbers is a fault only where it
is wanted, and what is damaged is refused in one line."""

import random
import zipfile

import arrays
import program

X = arrays.f32([3, 40], [((7 * i) % 23 - 11) / 8 + (i % 5) for i in range(120)])


class Containers(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.expected = arrays.write_safetensors(self.path("expected.safetensors"), {"x": X})

    def compares(self, path, *options):
        return self.works("compare", self.expected, path, *options).decode()

    def test_compressed_and_big_endian(self):
        for compressed in (False, True):
            for order in "<>":
                path = arrays.write_npz(self.path("mine.npz"), {"x": X}, compressed, order)
                self.assertIn("1 PASSED", self.compares(path))
        wide = arrays.Tensor("F64", [300, 70], [float(i * i % 977) - 400 for i in range(21000)])
        arrays.write_safetensors(self.expected, {"x": wide})
        for level in (0, 1, 9):  # stored blocks, and codes of other lengths
            with zipfile.ZipFile(self.path("mine.npz"), "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
                archive.writestr("x.npy", arrays.npy(">f8", wide.shape, arrays.pack(wide, ">")))
            self.assertIn("1 PASSED", self.compares("mine.npz", "--format", "f64"))

    def test_other_entries(self):
        text = arrays.npy("<U4", [], "wkv6".encode("utf-32-le"))
        path = arrays.write_npz(self.path("mine.npz"), {"x": X}, entries={"readme.txt": b"hello", "name.npy": text, "objects.npy": arrays.npy("|O", [1], b"\x80\x04N.")})
        said = self.compares(path)
        for name in ("readme.txt", "name", "objects"):
            self.assertIn(name, said)
        path = arrays.write_npz(self.path("mine.npz"), {"y": X}, entries={"x.npy": text})
        self.refused("mine.npz: entry 'x.npy': holds numbers of type '<U4'", "compare", self.expected, path)
        self.refused("readme.txt", "compare", self.expected, arrays.write_npz(self.path("none.npz"), {}, entries={"readme.txt": b"hello"}))

    def test_damaged_archives_are_refused(self):
        good = arrays.write_npz(self.path("good.npz"), {"x": X}, compressed=True)
        whole = self.read("good.npz")
        at = whole.index(b"x.npy") + 5
        generator = random.Random(1)
        for _ in range(60):
            data = bytearray(whole)
            data[generator.randrange(at, at + 60)] ^= 1 << generator.randrange(8)
            self.write("bad.npz", bytes(data))
            done = self.run_program("compare", self.expected, "bad.npz")
            self.assertIn(done.returncode, (0, 1, 2))  # a number may be another one
            self.assertEqual(done.stderr.count(b"\n"), 1 if done.returncode == 2 else 0, done.stderr)
        # An archive that says more of itself than so many bytes can hold.
        with zipfile.ZipFile(good) as archive:
            compressed = archive.infolist()[0].compress_size
        record = whole.rindex(b"PK\1\2")
        for size in (2**31, 2000 * compressed, 640):
            data = whole[: record + 24] + size.to_bytes(4, "little") + whole[record + 28 :]
            self.write("bad.npz", data)
            self.refused("bad.npz: entry 'x.npy'", "compare", self.expected, "bad.npz")

    def given(self):
        numbers = [((13 * i) % 31 - 15) / 16 for i in range(40)]
        one = lambda k: arrays.f32([5, 8], numbers[k:] + numbers[:k])
        return {"r": one(0), "k": one(3), "v": one(5), "w": one(9), "head_size": arrays.f32([], [4])}

    def test_op_reads_and_writes_npz(self):
        given = self.given()
        arrays.write_safetensors(self.path("in.safetensors"), given)
        arrays.write_npz(self.path("in.npz"), given, compressed=True, order=">")
        self.works("op", "wkv6", "--in", "in.safetensors", "--out", "a.safetensors")
        self.works("op", "wkv6", "--in", "in.npz", "--out", "b.safetensors")
        self.assertEqual(self.read("a.safetensors"), self.read("b.safetensors"))
        self.works("op", "wkv6", "--in", "in.npz", "--out", "c.npz")
        self.assertEqual(arrays.read_npz(self.path("c.npz")), arrays.read_safetensors(self.path("a.safetensors")))
        self.assertIn("3 PASSED", self.works("compare", "a.safetensors", "c.npz", "--format", "f64").decode())
        logits = {"logits": arrays.f32([2, 4], [1, 2, 3, 4, 4, 3, 2, 1]), "targets": arrays.Tensor("I64", [2], [3, 0])}
        arrays.write_npz(self.path("l.npz"), logits)
        self.works("op", "cross_entropy", "--in", "l.npz", "--out", "l_out.npz")
        self.assertEqual(arrays.read_npz(self.path("l_out.npz"))["mean"].shape, [])

    def test_integers_are_sizes_and_ids(self):
        for type in ("I32", "I64", "U8", "I16"):
            given = self.given() | {"lengths": arrays.Tensor(type, [2], [2, 3]), "head_size": arrays.Tensor(type, [], [4])}
            for path in (arrays.write_safetensors(self.path("i.safetensors"), given), arrays.write_npz(self.path("i.npz"), given)):
                self.works("op", "wkv6", "--in", path, "--out", "o.safetensors")
                self.assertEqual(arrays.read_safetensors(self.path("o.safetensors"))["S_after"].shape, [2, 2, 4, 4])
        given = self.given() | {"r": arrays.Tensor("I32", [5, 8], [1] * 40)}
        self.refused("in.safetensors: tensor r is of integers (I32)", "op", "wkv6", "--in", arrays.write_safetensors(self.path("in.safetensors"), given), "--out", "o")

    def test_what_does_not_fit_is_named(self):
        given = self.given() | {"u": arrays.f32([1, 8], [0] * 8)}
        path = arrays.write_safetensors(self.path("u.safetensors"), given)
        self.refused("u.safetensors: tensor u is [1, 8], expected [H, N], where D = 8, H = 2, N = 4, T = 5", "op", "wkv6", "--in", path, "--out", "o")


if __name__ == "__main__":
    program.main()
