"""What the Python tests of the goldfinch program share. A test file is a unittest module, run as

    python3 tests/FOLDER/NAME_test.py [unittest arguments]

with the paths in the environment: GOLDFINCH (the program), GOLDFINCH_DEMO and GOLDFINCH_REFERENCE (the folders examples/demo and
reference_outputs); GOLDFINCH_SANITIZE names the sanitizers that it is built with. It ends with `program.main()`.
"""

import os
import resource
import signal
import subprocess
import tempfile
import unittest

GOLDFINCH = os.environ["GOLDFINCH"]
DEMO = os.environ["GOLDFINCH_DEMO"]
REFERENCE = os.environ["GOLDFINCH_REFERENCE"]
DEMO_MODEL = os.path.join(DEMO, "goldfinch-demo.safetensors")
DEMO_TOKENIZER = os.path.join(DEMO, "goldfinch-demo.model")


def model(name):
    """The path of a small random model of the reference: "finch", "goldfinch", …"""
    return os.path.join(REFERENCE, "models", name + ".safetensors")

# In the background of a script these are ignored, and so they would be by the program that a test starts.
for ignored in [signal.SIGINT, signal.SIGQUIT]:
    if signal.getsignal(ignored) == signal.SIG_IGN:
        signal.signal(ignored, signal.SIG_DFL)


# AddressSanitizer takes more address space than any limit that a test could set.
MAY_LIMIT_ADDRESS_SPACE = "address" not in os.environ.get("GOLDFINCH_SANITIZE", "")


def limit_address_space(size):
    """For a process about to run the program: it gets no more bytes than this, where that is possible."""
    if MAY_LIMIT_ADDRESS_SPACE:
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


class ProgramTest(unittest.TestCase):
    """Runs the program in an empty folder of its own, self.folder, which goes when the test ends."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = self._folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        """A file in the folder; data is bytes or text."""
        with open(self.path(name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_program(self, *arguments, timeout=60, **options):
        """Runs it to its end: a CompletedProcess with bytes in stdout and stderr. `options` are those of subprocess.run."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("cwd", self.folder)
        return subprocess.run([GOLDFINCH, *map(str, arguments)], timeout=timeout, **options)

    def works(self, *arguments, **options):
        """Exit code 0; returns what it printed."""
        done = self.run_program(*arguments, **options)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done.stdout

    def refused(self, text, *arguments, **options):
        """Exit code 2, nothing printed, one line on standard error with `text` in it; returns that line."""
        done = self.run_program(*arguments, **options)
        line = (done.stderr or b"").decode(errors="replace")
        self.assertEqual(done.returncode, 2, f"{arguments}: {line}")
        self.assertEqual(done.stdout or b"", b"", arguments)
        self.assertEqual(line.count("\n"), 1, f"{arguments}: {line}")
        self.assertIn(text, line, arguments)
        return line


def main():
    unittest.main(verbosity=1)
