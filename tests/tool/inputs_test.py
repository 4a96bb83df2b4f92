"""What the program reads: pipes as files, and what cannot be read is an error, never an empty text; numbers that are no
results are errors, too."""

import json
import os
import struct
import subprocess
import threading
import unittest

import arrays
import commands
import program


def read_safetensors(path):
    """The header's entries and the bytes of each tensor."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = (entry["dtype"], entry["shape"], data[8 + length + begin:8 + length + end])
    return tensors, metadata


def write_safetensors(path, tensors, metadata):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, (dtype, shape, numbers) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(numbers)]}
        data += numbers
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


class InputsTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        commands.files_for(self)

    def fed(self, path):
        """A pipe with the file's bytes, as <(cat FILE) makes one."""
        reader, writer = os.pipe()

        def feed():
            with os.fdopen(writer, "wb") as pipe, open(path, "rb") as file:
                try:
                    pipe.write(file.read())
                except BrokenPipeError:
                    pass

        thread = threading.Thread(target=feed)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(os.close, reader)
        return reader

    def test_pipes_are_read_as_files_are(self):
        model, tokenizer = program.model("goldfinch"), program.DEMO_TOKENIZER
        reference = os.path.join(program.REFERENCE, "operators", "tanh.small.safetensors")
        self.write("tokens", "1 2 3")
        runs = [(["info", "--json"], model, []), (["cost", "--model"], model, []), (["convert"], model, ["-"]),
                (["compare", model], model, []), (["tokenize"], "text", []), (["tokenize", "--decode"], "@tokens", []),
                (["tokenize", "--text", "hi", "--tokenizer"], tokenizer, []), (["perplexity"], "text", []),
                (["perplexity", "text", "--tokenizer"], tokenizer, []),
                (["logits", "--tokens", "1 2", "--out", "-", "--model"], model, []),
                (["logits", "--model", model, "--out", "-", "--tokens"], "@tokens", []),
                (["init", "--seed", "1", "-", "--config"], "config.json", []),
                (["op", "tanh", "--out", "-", "--in"], reference, [])]

        def lines(text, name, path):
            """With the path's name, and without what changes by itself."""
            named = text.replace(name.encode(), path.encode()).splitlines()
            return [line for line in named if b"available" not in line and b"fits" not in line]

        for before, path, after in runs:
            at, path = ("@", path[1:]) if path.startswith("@") else ("", path)
            with self.subTest(arguments=before):
                expected = self.works(*before, at + path, *after)
                full = os.path.join(self.folder, path)
                pipe = self.fed(full)
                name = f"/dev/fd/{pipe}"
                got = self.works(*before, at + name, *after, pass_fds=[pipe])
                self.assertEqual(lines(expected, path, path), lines(got, name, path))
                got = self.works(*before, at + "/dev/stdin", *after, stdin=self.fed(full))
                self.assertEqual(lines(expected, path, path), lines(got, "/dev/stdin", path))

    def test_a_pipe_is_read_only_once(self):
        pipe = self.fed(self.path("text"))
        self.refused("can be read only once", "perplexity", "/dev/stdin", "--model", "/dev/stdin", stdin=pipe)

    def test_what_cannot_be_read_is_no_empty_text(self):
        folder = os.open(self.folder, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        for arguments in [["tokenize"], ["perplexity"]]:
            self.refused("standard input: cannot read: Is a directory", *arguments, "-", stdin=folder)
            self.refused("is a directory", *arguments, ".")
            self.refused("/proc/self/mem: cannot read", *arguments, "/proc/self/mem")
            self.refused("is a device", *arguments, "/dev/zero")
            closed = ["bash", "-c", 'exec "$0" "$@" - <&-', program.GOLDFINCH, *arguments]
            done = subprocess.run(closed, cwd=self.folder, capture_output=True)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr, b"goldfinch: standard input: cannot read: Bad file descriptor\n")
        self.refused("cannot read", "logits", "--tokens", "@/proc/self/mem", "--out", "o")
        self.refused("is a directory", "logits", "--tokens", "@.", "--out", "o")
        self.refused("holds no tokens", "logits", "--tokens", "@/dev/null", "--out", "o")
        self.assertGreater(len(self.works("tokenize", "--tokenizer", "bytes", "/proc/version").split()), 10)
        self.assertEqual(self.works("tokenize", "/dev/null"), b"\n")

    def test_what_never_ends_is_not_read(self):
        limit = lambda: program.limit_address_space(2 << 30)  # else all memory there is would be taken
        for arguments in [["tokenize", "-"], ["perplexity", "-"], ["generate", "-"], ["generate", "-f", "-"],
                          ["generate", "--batch", "-", "--out", "o"], ["init", "--seed", "1", "o", "--config", "-"]]:
            for device in ["/dev/zero", "/dev/urandom"]:
                with open(device, "rb") as endless:
                    self.refused("standard input: is a device", *arguments, stdin=endless, preexec_fn=limit)
        self.assertEqual(self.works("tokenize", "-"), b"\n")  # /dev/null

    def test_standard_input_is_read_from_where_it_stands(self):
        with open(self.path("text"), "rb") as file:
            os.lseek(file.fileno(), 7, os.SEEK_SET)
            got = self.works("tokenize", "--tokenizer", "bytes", "-", stdin=file)
        self.assertEqual(got, self.works("tokenize", "--tokenizer", "bytes", "--text", "beginning"))

    def broken_model(self, name, dtype, numbers):
        tensors, metadata = read_safetensors(program.model("finch"))
        _, shape, _ = tensors["head.weight"]
        count = shape[0] * shape[1]
        form = f"<{count}{'d' if dtype == 'F64' else 'f'}"
        tensors["head.weight"] = (dtype, shape, struct.pack(form, *([numbers] * count)))
        write_safetensors(self.path(name), tensors, metadata)
        return name

    def test_numbers_that_are_no_results_are_errors(self):
        wide = self.broken_model("wide.safetensors", "F64", 1e300)
        large = self.broken_model("large.safetensors", "F32", 3e38)
        self.write("rwkv_vocab.txt", "".join(f"{i - 47} {bytes([i])!r} 1\n" for i in range(48, 90)))
        self.write("capitals", "AB")
        for model, reason in [(wide, "head.weight holds numbers too large for f32"), (large, "token number 0")]:
            for last in [[], ["--last"]]:
                self.refused(reason, "logits", "-m", model, "--tokens", "0", "--precision", "f32", "--out", "o", *last)
            self.refused(reason, "perplexity", "--model", model, "--context-token", "0", "capitals")
        self.assertFalse(os.path.exists(self.path("o")))
        self.works("logits", "--model", large, "--tokens", "0", "--out", "o")  # in double there is room for them

    def test_an_operator_says_where_a_result_is_no_number(self):
        given = {"r": [0, 0, 1, -1], "k": [3e38] * 4, "v": [10] * 4, "w": [0] * 4}
        tensors = {name: arrays.f32([2, 2], numbers) for name, numbers in given.items()}
        arrays.write_safetensors(self.path("in"), tensors | {"head_size": arrays.f32([], [2])})
        for precision, says in [("f32", b"goldfinch: out.safetensors: NaN in y; numbers"), ("f64", b"")]:
            done = self.run_program("op", "wkv6", "--in", "in", "--out", "out.safetensors", "--precision", precision)
            self.assertEqual((done.returncode, done.stderr[:len(says)]), (0, says), done.stderr)
            self.assertEqual(any(x != x for x in arrays.read_safetensors(self.path("out.safetensors"))["y"].numbers), bool(says))


if __name__ == "__main__":
    program.main()
