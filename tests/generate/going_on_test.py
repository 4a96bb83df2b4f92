"""A text that was stopped, in any way, and goes on from its session is the text of one run, byte for byte."""

import json
import os
import signal
import time

import program
import texts

PROMPT = "The quick brown fox jumps over the lazy dog, and "


class GoingOnTest(texts.GenerateTest):
    def joined(self, parts, *arguments):
        """The texts of runs of these numbers of tokens, each from the session of the one before."""
        text = self.generate(*arguments, "--prompt", PROMPT, "-n", parts[0], "--save-session", "s")
        for i, n in enumerate(parts[1:]):
            save = ["--save-session", "s"] if i + 2 < len(parts) else []
            text += self.generate(*arguments, "--load-session", "s", "-n", n, *save)
        return text

    def test_after_any_number_of_tokens_with_any_stops(self):
        for model, seeds in ((self.small, (1, 2)), (self.demo, (3,))):
            for seed in seeds:
                common = [*model, "--seed", seed, "--ignore-eos", "--temperature", "1", "--top-p", "1"]
                free = self.generate(*common, "--prompt", PROMPT, "-n", 30)
                tail = free[len(PROMPT):]
                # Stop strings out of the text itself: within tokens and across them, with others that only begin as the text does.
                at = len(tail) // 2
                lists = [[], [tail[at:at + 4]], [tail[at:at + 3] + b"~", tail[3:6] + b"~", tail[at + 5:at + 7]]]
                for stops in lists:
                    stop = [x for s in stops for x in (b"--stop", s)]
                    stop = [os.fsdecode(x) for x in stop]
                    whole = self.generate(*common, *stop, "--prompt", PROMPT, "-n", 30)
                    self.assertTrue(free.startswith(whole))
                    for parts in ((1, 29), (5, 1, 1, 9, 14), (14, 0, 1, 15)):
                        self.assertEqual(self.joined(parts, *common, *stop), whole, (stops, parts))

    def test_stopped_and_on_without_the_stop(self):
        for model in (self.small, self.demo):
            common = [*model, "--seed", 3, "--ignore-eos"]
            whole = self.generate(*common, "--prompt", PROMPT, "-n", 40)
            tail = whole[len(PROMPT):]
            for begin in (0, 7, 8, 9):
                stop = os.fsdecode(tail[begin:begin + 3])
                first = self.generate(*common, "--stop", stop, "--stop", "no such", "--prompt", PROMPT, "-n", 40,
                                      "--save-session", "s", "--stats-json", "j")
                self.assertTrue(whole.startswith(first) and os.fsencode(stop) not in first[len(PROMPT):])
                drawn = json.loads(self.read("j"))["decode_tokens"]
                again = self.run_program("generate", *common, "--stop", stop, "--load-session", "s", "--save-session", "same")
                self.assertEqual((again.returncode, again.stdout), (0, b""))
                self.assertIn(b"has come to a stop string", again.stderr)
                self.assertEqual(self.read("s"), self.read("same"))
                second = self.generate(*common, "--load-session", "s", "-n", 40 - drawn)
                self.assertEqual(first + second, whole)

    def test_after_the_end_of_text(self):
        ended = 0
        for seed in range(1, 9):
            common = [*self.small, "--seed", seed, "--temperature", "1", "--top-p", "1"]
            first = self.generate(*common, "--prompt", PROMPT, "-n", 200, "--stop", "~", "--save-session", "s", "--stats-json", "j")
            drawn = json.loads(self.read("j"))["decode_tokens"]
            if drawn == 200:
                continue
            ended += 1
            self.assertEqual(self.generate(*common, "--load-session", "s", "-n", 50), b"")
            second = self.generate("--ignore-eos", *common, "--load-session", "s", "-n", 20)
            whole = self.generate("--ignore-eos", *common, "--prompt", PROMPT, "-n", drawn + 1 + 20)
            self.assertEqual(first + second, whole)
        self.assertGreater(ended, 0)

    def test_settings_are_part_of_the_session(self):
        settings = ["--repeat-penalty", "1.5", "--repeat-last-n", "30", "--logit-bias", "5+2", "--logit-bias=7-1.5", "--logit-bias", "9-inf", "--seed", "6"]
        whole = self.generate(*self.small, *settings, "--ignore-eos", "--prompt", PROMPT, "-n", 40)
        plain = self.generate(*self.small, "--seed", "6", "--ignore-eos", "--prompt", PROMPT, "-n", 40)
        self.assertNotEqual(whole, plain)
        self.assertNotIn(b"i", whole[len(PROMPT):])  # token 9
        first = self.generate(*self.small, *settings, "--ignore-eos", "--prompt", PROMPT, "-n", 15, "--save-session", "s")
        second = self.generate(*self.small, "--ignore-eos", "--load-session", "s", "-n", 25)
        self.assertEqual(first + second, whole)
        other = self.generate(*self.small, "--ignore-eos", "--load-session", "s", "-n", 25, "--logit-bias", "2+1000")
        self.assertEqual(other, b"b" * 25)

    def test_a_reader_who_goes_away(self):
        common = [*self.small, "--seed", 4, "--ignore-eos"]
        read, write = os.pipe()
        os.close(read)
        self.assertEqual(self.run_program("generate", *common, "--prompt", PROMPT, "--save-session", "s", stdout=write).returncode, 0)
        os.close(write)
        whole = self.generate(*common, "--prompt", PROMPT, "-n", 30)
        self.assertEqual(self.generate(*common, "--load-session", "s", "-n", 30), whole[len(PROMPT):])

        process = self.start(*common, "--prompt", PROMPT, "-n", 1000000, "--save-session", "s")
        first = process.stdout.read(len(PROMPT) + 40)
        process.stdout.close()
        self.assertEqual(process.wait(60), 0)
        second = self.generate(*common, "--load-session", "s", "-n", 30, "--stats-json", "j")
        count = json.loads(self.read("j"))["reused_tokens"] - len(PROMPT) + 30  # a token a byte
        whole = self.generate(*common, "--prompt", PROMPT, "-n", count)
        self.assertTrue(whole.startswith(first) and whole.endswith(second))

    def test_output_that_cannot_be_written(self):
        if not os.path.exists("/dev/full"):
            return
        common = [*self.small, "--seed", 4, "--ignore-eos"]
        self.generate(*common, "--prompt", PROMPT, "-n", 10, "--save-session", "s")
        whole = self.generate(*common, "--load-session", "s", "-n", 20)
        with open("/dev/full", "wb") as full:
            done = self.run_program("generate", *common, "--load-session", "s", "-n", 5, "--save-session", "s", stdout=full)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"cannot write", done.stderr)
        self.assertEqual(self.generate(*common, "--load-session", "s", "-n", 19), whole)  # one token was drawn, and not written

    def signalled(self, number, delay, *arguments):
        """Runs with --save-session s and a signal after a delay; returns what was written and the exit code."""
        with open(self.path("out"), "wb") as out:
            process = self.start(*arguments, "--save-session", "s", stdout=out)
        texts.wait_for_handlers(process)
        time.sleep(delay)
        process.send_signal(number)
        process.communicate(timeout=60)
        return self.read("out"), process.returncode

    def test_signals_at_any_moment(self):
        """The session is the earlier one, or a new one that goes on with the bytes of one run."""
        small = [*self.small, "--seed", 7, "--ignore-eos", "--temperature", "1"]
        long = self.write("long", (PROMPT * 60)[:3000])
        # An ended session, which --ignore-eos makes go on with the end of text.
        for seed in range(1, 20):
            ended = [*self.small, "--seed", seed, "--temperature", "1", "--top-p", "1"]
            self.generate(*ended, "--prompt", PROMPT, "-n", 200, "--save-session", "ended", "--stats-json", "j")
            if json.loads(self.read("j"))["decode_tokens"] < 200:
                break
        cases = [(["--load-session", "ended", *ended, "--ignore-eos", "-n", 100000], "ended"),
                 ([*small, "--prompt", PROMPT, "-n", 100000], None), ([*small, "--prompt-file", long, "-n", 100000], None)]
        new = 0
        for arguments, session in cases:
            for i, delay in enumerate((0, 0.01, 0.03, 0.1, 0.3)):
                number = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[i % 3]
                earlier = self.read(session or "ended")
                self.write("s", earlier)
                first, code = self.signalled(number, delay, *arguments)
                self.assertEqual(code, 128 + number)
                self.assertEqual([name for name in os.listdir(self.folder) if name.startswith(".")], [])
                if self.read("s") == earlier:
                    continue
                new += 1
                flags = [a for a in arguments if a not in ("-n", 100000)]
                more = [*self.small, "--ignore-eos", "--load-session", "s", "-n", 30]
                second = self.generate(*more)
                # Enough: a token is a byte or more, but for ends of text, which are ignored and write nothing.
                whole = self.generate(*flags, "-n", 2 * (len(first) + len(second)))
                self.assertTrue(whole.startswith(first + second), (delay, number))
        self.assertGreater(new, 2)

    def test_signals_while_saving(self):
        self.write("long", (PROMPT * 100)[:5000])
        self.generate(*self.small, "--prompt-file", "long", "-n", 0, "--cache-memo", "0", "--save-session", "big")
        begin = time.monotonic()
        self.generate(*self.small, "--load-session", "big", "-n", 0, "--seed", 5, "--save-session", "new")
        took = time.monotonic() - begin
        for i in range(12):
            self.write("s", self.read("big"))
            _, code = self.signalled(signal.SIGINT, took * i / 12, *self.small, "--load-session", "big", "-n", 0, "--seed", 5)
            self.assertIn(code, (0, 130))
            self.assertIn(self.read("s"), (self.read("big"), self.read("new")) if code else (self.read("new"),))


if __name__ == "__main__":
    program.main()
