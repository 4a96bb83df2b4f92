"""The options of `goldfinch generate`: other programs' names for them, biases and penalties, what is refused, and the end of a line."""

import os
import pty

import program
import texts

PROMPT = "In the beginning"


class SettingsTest(texts.GenerateTest):
    def test_aliases_mean_the_same(self):
        self.write("prompt", PROMPT)
        long = self.generate("--model", program.DEMO_MODEL, "--prompt", PROMPT, "--count", 12, "--threads", 1, "--temperature", "0.9", "--seed", 10)
        for arguments in (["-m", program.DEMO_MODEL, "-p", PROMPT, "-n", "12", "-t", "1", "--temp", "0.9", "-s", "010"],
                          ["-f", "prompt", "--n-predict", "12", "--temp", "0.9", "-s", "10"]):
            self.assertEqual(self.generate(*arguments), long)
        self.assertNotEqual(self.generate("-p", PROMPT, "-n", "12", "--temp", "0.9", "-s", "8"), long)

    def test_what_is_not_there_is_refused_by_name(self):
        self.refused("--ctx-size", "generate", "--ctx-size", "100", "-p", "hi")
        self.refused("-c", "generate", "-c", "100", "-p", "hi")
        self.refused("expected a single dash", "generate", "hi")
        for bias in ("5", "5+x", "x+5", "5+", "+5", "5+inf", "5+1e999", "5-nan", "-5+1", "5+1 "):
            self.refused("--logit-bias", "generate", "-p", "hi", "--logit-bias=" + bias)
        self.refused("token 99999 is in logit_bias", "generate", "-p", "hi", "--logit-bias", "99999+1")
        self.refused("token 99999 is banned", "generate", "-p", "hi", "--logit-bias", "99999-inf")
        for text, option in (("repeat_penalty is 0", "--repeat-penalty=0"), ("repeat_penalty is -1", "--repeat-penalty=-1"), ("--repeat-penalty", "--repeat-penalty=inf"),
                             ("--repeat-last-n", "--repeat-last-n=-2"), ("--repeat-last-n", "--repeat-last-n=1.5"), ("--top-k", "--top-k=99999999999999999999"),
                             ("--count", "-n-1"), ("--temp", "--temp=")):
            self.refused(text, "generate", "-p", "hi", option)

    def test_what_is_off_changes_nothing(self):
        plain = self.generate("-p", PROMPT, "-n", 20)
        for off in (["--repeat-penalty", "1"], ["--repeat-penalty", "1", "--repeat-last-n", "-1"], ["--repeat-penalty", "9", "--repeat-last-n", "0"], ["--logit-bias", "7+0"],
                    ["--temperature", "0.7", "--top-p", "0.9"]):
            self.assertEqual(self.generate("-p", PROMPT, "-n", 20, *off), plain, off)
        self.assertNotEqual(self.generate("-p", PROMPT, "-n", 20, "--repeat-penalty", "1.5"), plain)

    def test_the_defaults_are_said(self):
        text = self.works("generate", "--help").decode()
        self.assertRegex(text, r"--temperature,--temp NUMBER=0\.7")
        self.assertRegex(text, r"--top-p NUMBER=0.9")

    def on_a_terminal(self, *arguments):
        terminal, other = pty.openpty()
        done = self.run_program("generate", *arguments, stdout=other)
        os.close(other)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = b""
        try:
            while piece := os.read(terminal, 4096):
                text += piece
        except OSError:  # the end of a terminal's other side
            pass
        os.close(terminal)
        return text.replace(b"\r\n", b"\n")

    def test_a_newline_at_the_end_on_a_terminal_only(self):
        text = self.generate(*self.small, "-p", PROMPT, "-n", 5)
        self.assertFalse(text.endswith(b"\n"))
        self.assertEqual(self.on_a_terminal(*self.small, "-p", PROMPT, "-n", 5), text + b"\n")
        self.assertEqual(self.on_a_terminal(*self.small, "-p", PROMPT, "-n", 0), PROMPT.encode() + b"\n")
        self.assertEqual(self.on_a_terminal(*self.small, "-p", PROMPT + "\n", "-n", 0), PROMPT.encode() + b"\n")


if __name__ == "__main__":
    program.main()
