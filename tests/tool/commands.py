"""Every command of the program with arguments that make it do something small, and the options that its --help tells
of, so that what holds for all of them is tested of all of them, those that come later too."""

import os
import re
import subprocess

import program

CONFIG = '{"vocab_size": 256, "n_layer": 1, "n_embd": 64, "tmix2": "gold"}'
CASE = os.path.join(program.REFERENCE, "operators", "tanh.small.safetensors")
OUT = "output"  # in place of the path of an output that a command cannot do without


def files_for(test):
    """Makes the files that the arguments below name, in the test's folder."""
    test.write("config.json", CONFIG)
    test.write("text", "In the beginning")
    test.works("init", "--config", "config.json", "--seed", "1", "tiny.safetensors")
    test.write("prompts", '{"prompt": "In the", "count": 2}\n')


# The arguments of a run, and the output options that stand in them already.
RUNS = {
    "generate": ["generate", "--model", "tiny.safetensors", "-n", "1", "--prompt", "In the"],
    "generate batch": ["generate", "--model", "tiny.safetensors", "--batch", "prompts", "--out", OUT],
    "logits": ["logits", "--model", program.model("finch"), "--tokens", "1 2 3", "--out", OUT],
    "perplexity": ["perplexity", "--model", "tiny.safetensors", "text"],
    "info": ["info", program.model("finch")],
    "convert": ["convert", program.model("finch"), OUT],
    "init": ["init", "--config", "config.json", "--seed", "1", OUT],
    "tokenize": ["tokenize", "text"],
    "cost": ["cost"],
    "cache": ["cache"],
    "bench": ["bench", "--layers", "1", "--embd", "64", "--vocab", "300", "--context", "8"],
    "compare": ["compare", CASE, CASE],
    "op": ["op", "tanh", "--in", CASE, "--out", OUT],
    "reference verify": ["reference", "verify", "--case", "tanh.small"],
    "reference write": ["reference", "write", ".", "--case", "tanh.small"],
}


class Option:
    """What --help says of an option: its names, the type of its value ("" for a flag), what it is for."""

    def __init__(self, names, kind, text):
        self.names, self.kind, self.text = names.split(","), kind, text
        self.long = next((name for name in self.names if name.startswith("--")), names)
        self.positional = not names.startswith("-")
        self.written = "- is standard output" in text


def words(name):
    """The command's own words: "reference verify" is two, "generate batch" is generate."""
    return name.split() if name.startswith("reference") else name.split()[:1]


def help_of(name):
    return subprocess.run([program.GOLDFINCH, *words(name), "--help"], capture_output=True, check=True).stdout.decode()


def options_of(name):
    """All options of a command, positional ones too."""
    found = []
    for line in help_of(name).splitlines():
        # Those of groups stand farther in.
        match = re.match(r"(?:  ){1,2}(-\S+|[A-Z]+)(?: (TEXT|INT|NUMBER)\S*)?(?: |$)(.*)", line)
        if match:
            found.append([match[1], match[2] or "", match[3]])
        elif line.startswith(" " * 20) and found:
            found[-1][2] += " " + line.strip()
    return [Option(*one) for one in found]


def commands():
    """The names of all commands."""
    text = subprocess.run([program.GOLDFINCH, "--help"], capture_output=True, check=True).stdout.decode()
    return re.findall(r"^  (\w+) ", text[text.index("Subcommands:"):], re.MULTILINE)


def outputs():
    """(name of the run, option) for every output that a command has. Of generate, --out is of a batch, the others not."""
    every = [(name, option) for name in RUNS for option in options_of(name) if option.written]
    return [(name, option) for name, option in every
            if not name.startswith("generate") or (option.long == "--out") == (name == "generate batch")]


def with_value(run, option, value):
    """The arguments of a run with this value of an option, in place of the one that stands there."""
    for at, argument in enumerate(run[:-1]):
        if argument in option.names:
            return run[:at + 1] + [value] + run[at + 2:]
    return run + [option.long, value]


def with_output(name, option, path):
    """The arguments of a run whose output `option` goes to `path`; another output that must be goes to "other"."""
    run = RUNS[name]
    if option.positional:
        return [path if argument == OUT else argument for argument in run]
    return ["other" if argument == OUT else argument for argument in with_value(run, option, path)]
