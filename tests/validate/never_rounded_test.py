"""goldfinch op in a narrow format rounds what a kernel is given in it, and nothing else: decays and states stay as they are, so that
two calls joined by a state are one call."""

import os

import arrays
import program


class NeverRounded(program.ProgramTest):
    def op(self, name, given, precision):
        path = arrays.write_safetensors(self.path("in.safetensors"), given)
        self.works("op", name, "--in", path, "--out", "out.safetensors", "--precision", precision)
        return arrays.read_safetensors(self.path("out.safetensors"))

    def small(self, **more):
        ones = arrays.f32([4, 2], [1] * 8)
        return {"r": ones, "k": ones, "v": ones, "head_size": arrays.f32([], [2])} | more

    def test_a_decay_of_0999_is_not_1(self):
        given = self.small(d=arrays.f32([4, 2], [0.999] * 8))
        for precision in ("bf16", "fp16", "tf32", "e4m3", "e5m2"):
            state = self.op("wkv6", given, precision)["S_after"].numbers
            for x in state:
                self.assertAlmostEqual(x, 1 + 0.999 + 0.999**2 + 0.999**3, delta=1e-6, msg=precision)

    def test_a_state_of_1001_is_not_1(self):
        given = self.small(w=arrays.f32([4, 2], [-30] * 8), k=arrays.f32([4, 2], [0] * 8), S_before=arrays.f32([1, 1, 2, 2], [1.001] * 4))
        for precision in ("bf16", "fp16", "tf32", "e4m3", "e5m2"):
            for x in self.op("wkv6", given, precision)["S_after"].numbers:
                self.assertAlmostEqual(x, 1.001, delta=1e-6, msg=precision)

    def test_inputs_are_rounded(self):
        given = self.small(w=arrays.f32([4, 2], [-30] * 8), v=arrays.f32([4, 2], [1.001] * 8))
        self.assertEqual(self.op("wkv6", given, "bf16")["S_after"].numbers, [4.0] * 4)

    def joined(self, name, given, rows, at, precision, contexts=()):
        """One call, and two with a border before row `at`. `rows`: the tensors with a row a token; `contexts`: those of the whole context."""
        length = given[rows[0]].shape[0]
        one = self.op(name, given, precision)
        first = dict(given)
        for n in rows:
            first[n] = arrays.rows(given[n], 0, at)
        for n in contexts:
            first[n] = arrays.rows(given[n], 0, given[n].shape[0] - (length - at))
        before = self.op(name, first, precision)
        second = {n: arrays.rows(x, at, length) if n in rows else x for n, x in given.items()}
        second |= {n.replace("_after", "_before"): x for n, x in before.items() if n.endswith("_after")}
        after = self.op(name, second, precision)
        for n, x in one.items():
            if n.endswith("_after"):
                self.assertEqual(after[n].numbers, x.numbers, f"{name} {precision}: {n}")
            elif x.shape and x.shape[0] == length and len(x.shape) == 2:
                self.assertEqual(before[n].numbers + after[n].numbers, x.numbers, f"{name} {precision}: {n}")

    def test_two_calls_are_one(self):
        cases = {"operators/wkv6.state": ("r", "k", "v", "w"), "operators/wkv6.extreme_decay": ("r", "k", "v", "d"), "operators/token_shift.carried": ("z",),
                 "operators/ddlerp.carried": ("z",), "layers/finch_c2_time_mix.carried": ("z",), "layers/finch_time_mix.carried": ("z",),
                 "layers/gptalpha_attention.carried": ("z",), "layers/llama_attention.carried": ("z",), "layers/rwkv_channel_mix.carried": ("z",),
                 "layers/gold_attention.chunk": ("z",)}
        for case, rows in cases.items():
            tensors = arrays.read_safetensors(os.path.join(program.REFERENCE, case + ".safetensors"))
            name = case.split("/")[1].split(".")[0]
            computed = self.op(name, {n: x for n, x in tensors.items()}, "f64")
            given = {n: x for n, x in tensors.items() if n not in computed}
            if "d" in given:  # of the numbers that 16 bits have not
                given["d"] = arrays.f32(given["d"].shape, [min(x + 0.0003, 1) for x in given["d"].numbers])
            for n in ("S_before", "last_z_before"):
                if n in given:
                    given[n] = arrays.f32(given[n].shape, [1.001 * x for x in given[n].numbers])
            for precision in ("bf16", "e4m3"):
                self.joined(name, given, rows, 2, precision, contexts=("ids", "c") if "c" in given else ())


if __name__ == "__main__":
    program.main()
