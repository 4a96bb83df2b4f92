"""What the tests of `goldfinch generate` share: a small model with a vocabulary of one byte a token, and one with whole words."""

import json
import os
import signal
import subprocess
import time

import program

os.environ["OMP_NUM_THREADS"] = "1"


def tiny_vocabulary():
    """A World vocabulary for models of 61 tokens: sixty bytes, among them three that are parts of characters."""
    characters = [repr(c) for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,?"]
    characters += ["'\\n'", "b'\\xc3'", "b'\\xa9'", "b'\\xb6'"]
    return "".join(f"{i + 1} {c} 1\n" for i, c in enumerate(characters))


def wait_for_handlers(process):
    """Until the program has its handlers of signals."""
    while process.poll() is None:
        with open(f"/proc/{process.pid}/status") as file:
            caught = next(line for line in file if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) >> (signal.SIGHUP - 1) & 1:
            return
        time.sleep(0.001)


class GenerateTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("tiny.txt", tiny_vocabulary())
        self.small = ["--model", program.model("goldfinch"), "--tokenizer", "tiny.txt"]
        self.demo = ["--model", program.DEMO_MODEL]

    def generate(self, *arguments, **options):
        return self.works("generate", *arguments, **options)

    def start(self, *arguments, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen([program.GOLDFINCH, "generate", *map(str, arguments)], cwd=self.folder, **options)
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        return process

    def lines(self, name):
        return [json.loads(line) for line in self.read(name).decode().splitlines()]
