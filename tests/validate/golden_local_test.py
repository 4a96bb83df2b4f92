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


if __name__ == "__main__":
    program.main()
