"""compare --local does not accuse the golden traces of reference_outputs, which keep the first rows of most tensors, and still tells a
cause from its consequences in such a trace."""

import glob
import os

import arrays
import program

TRACES = sorted(glob.glob(os.path.join(program.REFERENCE, "models", "*.trace.safetensors")))


class GoldenLocal(program.ProgramTest):
    def test_every_golden_trace_is_right_for_itself(self):
        self.assertGreater(len(TRACES), 10)
        for trace in TRACES:
            text = self.works("compare", trace, trace, "--local").decode()
            self.assertRegex(text, r"locally: \d+ PASSED", trace)
            self.assertNotIn("FAILED", text, trace)
            self.assertNotIn("cause", text, trace)

    def test_a_step_that_is_wrong_in_the_first_rows_is_the_cause(self):
        trace = os.path.join(program.REFERENCE, "models", "goldfinch.trace.safetensors")
        tensors = arrays.read_safetensors(trace)
        for name in ("blocks.1.att.k", "blocks.4.att.mk", "logits"):
            wrong = dict(tensors)
            wrong[name] = tensors[name]._replace(numbers=[1.25 * x for x in tensors[name].numbers])
            mine = arrays.write_safetensors(self.path("mine.safetensors"), wrong)
            done = self.run_program("compare", trace, mine, "--local")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"The cause, the first that is wrong for what it was given: {name} ", done.stdout.decode())

    def test_only_some_verdicts_are_local_ones_all_the_same(self):
        trace = os.path.join(program.REFERENCE, "models", "goldfinch.trace.safetensors")
        tensors = arrays.read_safetensors(trace)
        name = "blocks.4.att.mk"
        tensors[name] = tensors[name]._replace(numbers=[1.25 * x for x in tensors[name].numbers])
        mine = arrays.write_safetensors(self.path("mine.safetensors"), tensors)
        done = self.run_program("compare", trace, mine, "--local", "--only", name, "--only", "blocks.4.att.k")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"The cause, the first that is wrong for what it was given: {name} ", done.stdout.decode())
        # Right for what precedes it here, k is wrong for the mk of theirs, though --only could have hidden that one.
        self.assertIn("2 tensors, f32: 1 PASSED, 1 FAILED", done.stdout.decode())
        self.assertIn("wrong by themselves too: blocks.4.att.k", done.stdout.decode())
        self.refused("has no tensor 'y'", "compare", trace, mine, "--local", "--only", "y")


if __name__ == "__main__":
    program.main()
