"""SIGINT, SIGTERM and SIGHUP end every command at once, in the middle of its work: with 128 and their number, and no
output but whole ones."""

import os
import signal
import struct
import subprocess
import time
import unittest

import commands
import program

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


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
            "init": ["init", "--config", "large.json", "--seed", "1", "new"],
            "tokenize": ["tokenize", "long text"],
            "cost": ["cost", "--model", "pipe"],
            "cache": ["cache", "--model", "pipe"],
            "bench": ["bench", "--layers", "2", "--embd", "256", "--vocab", "3000", "--context", "4000"],
            "compare": ["compare", "a.npy", "b.npy", "--json", "new"],
            "op": ["op", "tanh", "--in", "pipe", *out],
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
            sent = SIGNALS[number % 3]
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

    def test_nohup_is_respected(self):
        ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
        process = self.start(self.long_runs()["logits"], preexec_fn=ignore)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 143)


if __name__ == "__main__":
    program.main()
