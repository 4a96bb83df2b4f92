"""Signals end every command at once, in the middle of its work: with 128 and their number, and no output but whole
ones."""

import json
import os
import resource
import signal
import struct
import subprocess
import time
import unittest

import commands
import program

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU, signal.SIGALRM, signal.SIGUSR1]


def sparse(path, dtype, size, tensors, metadata=None):
    """A safetensors file of zeros that take no room; tensors: name -> shape."""
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for name, shape in tensors.items():
        count = 1
        for n in shape:
            count *= n
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size * count]}
        end += size * count
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


class SignalsTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        commands.files_for(self)
        self.write("long text", "In the beginning God created the heaven and the earth. " * 200_000)
        self.write("tokens", "1 " * 200_000)
        self.write("large.json", '{"vocab_size": 65536, "n_layer": 12, "n_embd": 768, "tmix2": "gold"}')
        for name in ["a.npy", "b.npy"]:  # of zeros that take no room
            header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (50000, 1000), }".ljust(117) + b"\n"
            with open(self.path(name), "wb") as file:
                file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header)
                file.truncate(128 + 8 * 50_000_000)
        with open(program.model("finch"), "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        metadata = header.pop("__metadata__")
        config = json.loads(metadata["goldfinch.config"]) | {"vocab_size": 4_000_000}
        shapes = {name: tensor["shape"] for name, tensor in header.items()}
        for name in ["emb.weight", "head.weight"]:
            shapes[name] = [4_000_000, shapes[name][1]]
        sparse(self.path("large.safetensors"), "F32", 4, shapes, metadata | {"goldfinch.config": json.dumps(config)})
        sparse(self.path("matrices"), "F32", 4, {"x": [2000, 2000], "W": [2000, 2000]})
        os.mkfifo(self.path("pipe"))  # nobody writes: reading it is what is long
        self.before = set(os.listdir(self.folder))

    def long_runs(self):
        """Arguments for every command that keep it busy for long, by name."""
        out = ["--out", "new"]
        return {
            "generate": ["generate", "-n", "1000000", "--ignore-eos", "--prompt", "In"],
            "generate, its prompt": ["generate", "-n", "1", "--prompt-file", "long text"],
            "logits": ["logits", "--tokens", "@tokens", *out],
            "logits --last": ["logits", "--last", "--tokens", "@tokens", *out],
            "perplexity": ["perplexity", "long text"],
            "info": ["info", "pipe"],
            "convert": ["convert", "pipe", "new"],
            "convert, at work": ["convert", "large.safetensors", "new", "--dtype", "q8"],
            "init": ["init", "--config", "large.json", "--seed", "1", "new"],
            "tokenize": ["tokenize", "long text"],
            "cost": ["cost", "--model", "pipe"],
            "cache": ["cache", "--model", "pipe"],
            "bench": ["bench", "--layers", "2", "--embd", "256", "--vocab", "3000", "--context", "4000"],
            "compare": ["compare", "a.npy", "b.npy", "--json", "new"],
            "op": ["op", "tanh", "--in", "pipe", *out],
            "op, at work": ["op", "linear", "--precision", "f80", "--in", "matrices", *out],
            "reference verify": ["reference", "verify"],
            "reference write": ["reference", "write", "."],
        }

    def start(self, arguments, **options):
        """Starts the program and waits until it is at work: has used time, or waits for the pipe."""
        process = subprocess.Popen([program.GOLDFINCH, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        asleep = 0  # how often in a row: a program that begins may sleep once
        for _ in range(2000):
            if process.poll() is not None:
                break
            with open(f"/proc/{process.pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            asleep = asleep + 1 if fields[0] == "S" else 0
            if used > 0.4 or ("pipe" in arguments and asleep == 5):
                break
            time.sleep(0.01)
        time.sleep(0.05)
        return process

    def test_every_command_ends_at_once(self):
        runs = self.long_runs()
        self.assertLessEqual(set(commands.commands()), {name.split()[0].strip(",") for name in runs})
        for number, (name, arguments) in enumerate(runs.items()):
            sent = SIGNALS[number % len(SIGNALS)]
            with self.subTest(command=name, signal=sent.name):
                process = self.start(arguments)
                self.assertIsNone(process.poll(), "ended by itself")
                process.send_signal(sent)
                self.assertEqual(process.wait(60), 128 + sent, process.stderr.read())
                self.assertEqual(process.stderr.read(), b"")
                new = set(os.listdir(self.folder)) - self.before
                self.assertFalse(new - ({"operators", "layers"} if name == "reference write" else set()))

    def test_every_signal_removes_what_is_unfinished(self):
        for sent in SIGNALS:
            with self.subTest(signal=sent.name):
                self.write("new", "before")
                process = self.start(self.long_runs()["logits"])
                self.assertTrue([name for name in os.listdir(self.folder) if name.startswith(".goldfinch.")])
                process.send_signal(sent)
                self.assertEqual(process.wait(60), 128 + sent)
                self.assertEqual(self.read("new"), b"before")
                self.assertEqual(set(os.listdir(self.folder)), self.before | {"new"})

    def test_ignored_signals_are_respected(self):
        """nohup ignores SIGHUP, a script SIGINT and SIGQUIT for what it starts in the background."""
        ignored = [sent for sent in SIGNALS if sent != signal.SIGTERM]
        ignore = lambda: [signal.signal(sent, signal.SIG_IGN) for sent in ignored]
        process = self.start(self.long_runs()["logits"], preexec_fn=ignore)
        for sent in ignored:
            process.send_signal(sent)
        time.sleep(0.2)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 143)

    def test_the_limit_of_cpu_time_leaves_nothing_unfinished(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 60))
        done = self.run_program(*self.long_runs()["init"], preexec_fn=limit)
        self.assertEqual((done.returncode, done.stderr), (128 + signal.SIGXCPU, b""))
        self.assertEqual(set(os.listdir(self.folder)), self.before)


if __name__ == "__main__":
    program.main()
