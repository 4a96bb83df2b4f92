"""What the program writes: whole or not at all, through descriptors that are open already and never over what is behind
them, and what cannot be written is said before the work. Of every output option that --help tells of."""

import os
import resource
import shutil
import subprocess
import unittest

import commands
import program

VARIES = {"bench", "generate"}  # there are times in what they write, so only its beginning is compared
SLOW = ["bench"]
JOURNAL = "generate batch --out"  # has a journal beside it, so that it is a file with a name


class OutputsTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        commands.files_for(self)
        self.at_first = set(os.listdir(self.folder))

    def new_files(self):
        return set(os.listdir(self.folder)) - self.at_first

    def for_each_output(self, check, without=()):
        """Calls check(name, run) for every output option, where run(path) gives the arguments of a run with that path:
        in a subtest, with the folder as it was at first."""
        for name, option in commands.outputs():
            if name in without or name + " " + option.long in without:
                continue
            with self.subTest(command=name, option=option.long):
                check(name, lambda path: commands.with_output(name, option, path))
            for left in self.new_files():
                path = self.path(left)
                shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)

    def in_shell(self, script, *arguments, before=()):
        """Runs a script of bash in the folder, with the program as $0 and these arguments."""
        command = [*before, "bash", "-c", script, program.GOLDFINCH, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, timeout=60)

    def expect_alike(self, name, expected, got):
        if name in VARIES:
            self.assertEqual(expected[:10], got[:10])
        else:
            self.assertEqual(expected, got)

    def test_every_output_is_declared_as_one(self):
        names = {(name.split()[0], option.long) for name, option in commands.outputs()}
        for command, option in [("logits", "--out"), ("logits", "--trace"), ("convert", "OUT"), ("init", "OUT"),
                                ("cache", "--svg"), ("bench", "--json"), ("compare", "--json"), ("compare", "--html"),
                                ("op", "--out"), ("generate", "--stats-json"), ("generate", "--save-session")]:
            self.assertIn((command, option), names)

    def test_an_open_descriptor_is_written_through(self):
        def check(name, run):
            printed = self.works(*run("file"))
            expected = self.read("file")
            self.assertNotEqual(expected, b"")
            for path in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]:
                self.write("log", "precious\n")
                with open(self.path("log"), "ab") as log:
                    self.works(*run(path), stdout=log)
                written = self.read("log")
                self.assertTrue(written.startswith(b"precious\n"), path)
                self.assertEqual(len(written) > len(b"precious\n") + len(printed), True, path)
                if name not in VARIES:
                    self.assertIn(expected, written, path)
            self.assertFalse(os.path.exists(self.path("-")))
            self.write("log", "precious\n")
            with open(self.path("log"), "ab") as log:
                self.works(*run("/dev/stderr"), stderr=log)
            self.assertTrue(self.read("log").startswith(b"precious\n"))

        self.for_each_output(check, without=[*SLOW, JOURNAL])

    def test_long_names_and_symbolic_links(self):
        def check(name, run):
            self.works(*run("file"))
            expected = self.read("file")
            for target in ["n" * 255, "target"]:
                os.symlink(target, self.path("link"))
                for path in ["link", target]:
                    self.works(*run(path))
                    self.expect_alike(name, expected, self.read(target))
                self.assertTrue(os.path.islink(self.path("link")))
                os.unlink(self.path("link"))

        self.for_each_output(check, without=[*SLOW, JOURNAL])

    def test_an_output_is_no_input_and_no_other_output(self):
        self.works("convert", program.model("finch"), "m.safetensors")
        shutil.copy(self.path("m.safetensors"), self.path("n.safetensors"))
        self.write("tokens", "1 2 3")
        before = self.read("m.safetensors")
        os.link(self.path("m.safetensors"), self.path("hard"))
        os.symlink("m.safetensors", self.path("soft"))
        for path in ["m.safetensors", "./m.safetensors", "hard", "soft"]:
            self.refused("would be lost", "logits", "--model", "m.safetensors", "--tokens", "1", "--out", path)
            self.refused("would be lost", "compare", "n.safetensors", "m.safetensors", "--json", path)
            self.refused("would be lost", "op", "tanh", "--in", "m.safetensors", "--out", path)
            self.refused("would be lost", "generate", "--state", "m.safetensors", "--save-session", path)
            self.refused("would be lost", "compare", "n.safetensors", "n.safetensors", "--map", "m.safetensors", "--json", path)
        self.refused("would be lost", "logits", "-m", "m.safetensors", "--tokens", "@tokens", "--out", "tokens")
        self.refused("would be lost", "init", "--config", "config.json", "--seed", "1", "config.json")
        self.refused("--json", "compare", "m.safetensors", "n.safetensors", "--json", "new", "--html", "new")
        self.refused("--trace", "logits", "-m", "m.safetensors", "--tokens", "1", "--out", "new", "--trace", "./new")
        with open(self.path("log"), "wb") as log:
            both = ["compare", "m.safetensors", "n.safetensors", "--json", "-", "--html", "/dev/fd/1"]
            self.assertEqual(self.run_program(*both, stdout=log).returncode, 2)
        with open(self.path("log"), "wb") as log:
            self.refused("where standard output goes", "cache", "--svg", "log", stdout=log)
            done = self.run_program("cache", "--svg", "log", stderr=log)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"where standard error goes", self.read("log"))
        self.assertEqual(before, self.read("m.safetensors"))
        self.assertFalse(os.path.exists(self.path("new")))
        self.works("convert", "m.safetensors", "m.safetensors", "--dtype", "f32")  # what may be
        with open(os.devnull, "wb") as null:
            nowhere = ["--json", "/dev/null", "--html", "/dev/null"]
            self.works("compare", "m.safetensors", "n.safetensors", *nowhere, stdout=null)

    def test_what_cannot_be_written_is_said_at_once(self):
        def check(name, run):
            for path, reason in [("missing/file", "No such file"), (".", "is a directory"), ("n" * 256, "too long"),
                                 ("closed/file", "Not a directory"), ("/dev/fd/99", "Bad file descriptor"),
                                 ("/dev/stdin", "reading only")]:
                with open(self.write("closed", ""), "rb") as file:
                    self.assertIn(reason, self.refused(path + ": cannot write: ", *run(path), stdin=file))
            self.assertLessEqual(self.new_files(), {"closed"})

        self.for_each_output(check)
        # Before any input is looked at.
        self.refused("missing", "logits", "--tokens", "1", "--model", "nofile", "--out", "missing/file")

    def test_full_disks_and_limits_leave_the_old_file(self):
        def check(name, run):
            self.write("file", "before")
            code = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
            done = self.run_program(*run("file"), preexec_fn=code)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(b"File too large", done.stderr)
            self.assertEqual(done.stderr.count(b"\n"), 1)
            self.assertEqual(self.read("file"), b"before")
            self.assertLessEqual(self.new_files() - {"file.partial"}, {"file", "other"})
            done = self.run_program(*run("/dev/full"))
            self.assertEqual((done.returncode, done.stderr.count(b"\n")), (2, 1))
            self.assertIn(b"No space left", done.stderr)

        self.for_each_output(check, without=[*SLOW, JOURNAL])

    def test_closed_descriptors_are_no_files(self):
        def check(name, run):
            arguments = run("file")
            self.works(*arguments)
            expected = self.read("file")
            printed = bool(self.works(*arguments))
            for closed in [0, 1, 2]:
                if os.path.exists(self.path("file")):
                    os.unlink(self.path("file"))
                done = self.in_shell(f'exec "$0" "$@" {closed}>&-', *arguments)
                failed = closed == 1 and printed
                self.assertEqual(done.returncode, 2 if failed else 0, done.stderr)
                if not failed or os.path.exists(self.path("file")):
                    self.expect_alike(name, expected, self.read("file"))
            done = self.in_shell('exec "$0" "$@" >&-', *run("-"))
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr.count(b"\n"), 1)

        self.for_each_output(check, without=SLOW)

    def test_a_reader_who_goes_away_changes_no_verdict_and_no_file(self):
        other = self.path("other.safetensors")
        self.works("convert", program.model("finch"), other)
        data = bytearray(self.read("other.safetensors"))
        data[-1] ^= 0x40
        self.write("other.safetensors", bytes(data))

        def unread(*arguments):
            reader, writer = os.pipe()
            os.close(reader)
            with os.fdopen(writer, "wb") as pipe:
                return self.run_program(*arguments, stdout=pipe)

        done = unread("compare", program.model("finch"), other, "--json", "report.json")
        self.assertEqual((done.returncode, done.stderr), (1, b""))
        self.assertTrue(self.read("report.json"))
        self.assertEqual(unread("compare", program.model("finch"), other, "--json", "-").returncode, 1)
        self.assertEqual(unread("compare", program.model("finch"), program.model("finch")).returncode, 0)
        self.assertEqual(unread("cache", "--svg", "picture.svg").returncode, 0)
        self.assertTrue(self.read("picture.svg").endswith(b"</svg>\n"))
        for arguments in [["cost"], ["info", program.model("finch")], ["tokenize", "text"], ["--help"]]:
            done = unread(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, b""), arguments)

    def test_pipes_and_devices_are_written_directly(self):
        os.mkfifo(self.path("pipe"))
        self.works("init", "--config", "config.json", "--seed", "1", "file")
        with open(self.path("copy"), "wb") as copy, subprocess.Popen(["cat", self.path("pipe")], stdout=copy) as cat:
            self.works("init", "--config", "config.json", "--seed", "1", "pipe")
            cat.wait(60)
        self.assertEqual(self.read("copy"), self.read("file"))
        self.works("init", "--config", "config.json", "--seed", "1", "/dev/null")

    def test_a_descriptor_of_another_process_is_written_through(self):
        make = ["init", "--config", "config.json", "--seed", "1"]
        self.works(*make, "expected")
        process = os.getpid()
        self.write("log", "precious\n")
        with open(self.path("log"), "r+b") as log:  # without O_APPEND
            os.symlink(f"/proc/{process}/fd/{log.fileno()}", self.path("link"))
            for path in [f"/proc/{process}/fd/{log.fileno()}", f"/proc/{process}/task/{process}/fd/{log.fileno()}", "link"]:
                self.works(*make, path)
            self.assertTrue(os.path.sameopenfile(log.fileno(), os.open(self.path("log"), os.O_RDONLY)))
            self.assertEqual(self.read("log"), b"precious\n" + 3 * self.read("expected"))
            self.works("generate", "--model", "tiny.safetensors", "--batch", "prompts", "--out", "lines")
            before = self.read("log")
            self.works("generate", "--model", "tiny.safetensors", "--batch", "prompts", "--out", f"/proc/{process}/fd/{log.fileno()}")
            self.assertEqual(self.read("log"), before + self.read("lines"))
            self.refused("which is read (--config) and would be lost", *make[:2], "log", *make[3:], path)
        with open(self.path("log"), "rb") as log:
            os.chmod(self.path("log"), 0o444)
            if os.geteuid() != 0:
                self.refused("Permission denied", *make, f"/proc/{process}/fd/{log.fileno()}")
        self.refused("No such file", *make, f"/proc/{process}/fd/987654")

    def test_a_file_in_a_folder_that_cannot_be_written_is_overwritten(self):
        self.works("init", "--config", "config.json", "--seed", "1", "expected")
        other = {"user": 65534, "extra_groups": []} if os.geteuid() == 0 else {}  # root may write everywhere
        for name in ["", "config.json", "expected"]:
            os.chmod(self.path(name), 0o755)
        os.mkdir(self.path("folder"))
        os.chmod(self.write("folder/file", b"x" * 1_000_000), 0o666)
        os.chmod(self.path("folder"), 0o555)
        self.addCleanup(os.chmod, self.path("folder"), 0o755)
        try:
            self.run_program("--version", **other)
        except PermissionError as error:
            self.skipTest(f"no other user may run the program: {error}")
        inode = os.stat(self.path("folder/file")).st_ino
        self.works("init", "--config", "config.json", "--seed", "1", "folder/file", **other)
        self.assertEqual(os.stat(self.path("folder/file")).st_ino, inode)
        self.assertEqual(self.read("folder/file"), self.read("expected"))
        self.refused("Permission denied", "init", "--config", "config.json", "--seed", "1", "folder/new", **other)
        self.assertEqual(os.listdir(self.path("folder")), ["file"])

    def test_a_file_that_cannot_be_replaced_is_overwritten(self):
        """One that is mounted by itself, and one in a folder that cannot be written."""
        self.works("init", "--config", "config.json", "--seed", "1", "expected")
        for length in [3, 10_000_000]:
            self.write("source", b"x" * length)
            self.write("mounted", "")
            script = 'mount --bind source mounted && exec "$0" init --config config.json --seed 1 mounted'
            done = self.in_shell(script, before=["unshare", "-m"])
            if b"unshare:" in done.stderr or b"mount:" in done.stderr:
                self.skipTest("no mounts here: " + done.stderr.decode())
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertEqual(self.read("source"), self.read("expected"))
            self.assertFalse([name for name in os.listdir(self.folder) if name.startswith(".goldfinch")])
        os.mkdir(self.path("folder"))
        self.write("folder/file", "before")
        script = "mount --bind folder folder && mount --bind folder/file folder/file && "
        script += "mount -o remount,bind,ro folder && "
        script += 'exec "$0" init --config config.json --seed 1 '
        for target, code in [("folder/file", 0), ("folder/new", 2)]:
            done = self.in_shell(script + target, before=["unshare", "-m"])
            self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(b"Read-only file system", done.stderr)
        self.assertEqual(self.read("folder/file"), self.read("expected"))


if __name__ == "__main__":
    program.main()
