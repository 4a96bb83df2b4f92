#!/usr/bin/env python3
"""Runs the commands of a page and checks that they print what the page says they print.

    walk_through.py PAGE FOLDER

In code blocks of PAGE, a line that begins with "$ " is a command; the lines after it, up to the next command or the end of the block, are
from its output: each must appear, in that order, and … in a line stands for anything. All commands run in one bash in FOLDER.
Exit code 0: they do; 1: something is not printed."""
import os
import re
import subprocess
import sys

page, folder = sys.argv[1:]
commands, block = [], False
for line in open(page, encoding="utf-8"):
    line = line.rstrip("\n")
    block = line.startswith("    ") or (block and line == "")
    if not block:
        commands.append(None)  # ends the output of the command before
    elif line.startswith("    $ "):
        commands.append((line[6:], []))
    elif line.strip() and commands and commands[-1]:
        commands[-1][1].append(line[4:])
commands = [command for command in commands if command]
if not commands:
    sys.exit(page + ": has no commands")

end = "end of the output of command "
script = "".join(f"{command}\necho\necho '{end}{i}'\n" for i, (command, _) in enumerate(commands))
printed = subprocess.run(["bash", "-c", script], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
missing = 0
for i, (command, expected) in enumerate(commands):
    output, _, printed = printed.partition(f"\n{end}{i}\n")
    lines = iter(output.split("\n"))
    for text in expected:
        pattern = re.compile(".*".join(re.escape(part) for part in text.split("…")))
        if not any(pattern.fullmatch(line) for line in lines):
            print(f"FAILED: {command}\n  does not print, at its place: {text}\n  it prints:\n{output}")
            missing += 1
            break
print(f"{os.path.basename(page)}: {len(commands)} commands, {sum(len(lines) for _, lines in commands)} lines of output, {missing} commands fail")
sys.exit(missing > 0)
