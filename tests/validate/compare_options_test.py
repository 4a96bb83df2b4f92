"""goldfinch compare's ways to name what is compared: cases, single tensors, whole suites, formats, maps; and what it says of what it sees."""

import functools
import json
import os
import subprocess

import arrays
import program


def case(name, folder="operators"):
    return os.path.join(program.REFERENCE, folder, name + ".safetensors")


class CompareOptions(program.ProgramTest):
    def right(self, name, folder="operators"):
        """What a case computes, as a right kernel in float gives it."""
        computed = {t["name"] for c in self.manifest()["cases"] if c["name"] == name for t in c["tensors"] if "made" not in t}
        return {n: arrays.f32(x.shape, x.numbers) for n, x in arrays.read_safetensors(case(name, folder)).items() if n in computed}

    @staticmethod
    @functools.cache
    def manifest():
        with open(os.path.join(program.REFERENCE, "manifest.json"), encoding="utf-8") as file:
            return json.load(file)

    def fails(self, *arguments):
        done = self.run_program("compare", *arguments)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stdout.decode()

    def test_a_case_by_its_name(self):
        mine = arrays.write_npz(self.path("mine.npz"), self.right("wkv6.basic"))
        self.assertIn("3 PASSED", self.works("compare", "wkv6.basic", mine).decode())
        self.assertIn("3 PASSED", self.works("compare", "wkv6.basic", mine, "--reference", program.REFERENCE).decode())
        self.refused("wkv6.bsic: there is no such file, and no such case", "compare", "wkv6.bsic", mine)
        self.refused("goldfinch reference write DIR --case wkv6.long_head64", "compare", "wkv6.long_head64", mine)
        self.refused("manifest.json", "compare", "wkv6.basic", mine, "--reference", "nowhere")

    def test_exchanged_arguments_are_noticed(self):
        mine = arrays.write_npz(self.path("mine.npz"), self.right("wkv6.basic"))
        self.refused("is the reference case wkv6.basic, so it comes first", "compare", mine, case("wkv6.basic"))

    def test_formats(self):
        mine = arrays.write_npz(self.path("mine.npz"), self.right("wkv6.basic"))
        budgets = {}
        for name in ("f32", "tf32", "bf16", "fp16", "f16", "e4m3", "e5m2", "bf16_own", "fp16_own"):
            self.works("compare", "wkv6.basic", mine, "--format", name, "--json", "all.json")
            all = json.loads(self.read("all.json"))
            self.assertEqual(all["format"], "fp16" if name == "f16" else name)
            budgets[name] = all["tensors"][1]["budget"]
        self.assertEqual(budgets["f16"], budgets["fp16"])
        self.assertGreater(budgets["bf16_own"], budgets["bf16"])
        line = self.refused("'f8'", "compare", "wkv6.basic", mine, "--format", "f8")
        self.assertIn("bf16, fp16, e4m3", line)

    def test_only_some_tensors(self):
        name = "gold_attention.first"
        right = self.right(name, "layers")
        arrays.write_npz(self.path("mine.npz"), {"out": right["out"]})
        self.assertIn("1 tensors, f32: 1 PASSED", self.works("compare", name, "mine.npz", "--only", "out").decode())
        self.assertIn("9 UNTESTED", self.fails(name, "mine.npz"))
        wrong = right["out"]._replace(numbers=[2 * x if i >= 24 else x for i, x in enumerate(right["out"].numbers)])
        arrays.write_npz(self.path("mine.npz"), {"out": wrong, "attn": right["attn"]})
        text = self.fails(name, "mine.npz", "--only", "out")
        self.assertIn("(GOLD.8)", text)
        self.assertNotIn("the stream after the block", text)
        self.assertNotIn("not compared", text)
        self.assertIn("2 tensors, f32", self.fails(name, "mine.npz", "--only", "out", "--only", "attn"))
        self.refused("has no tensor 'y' (it has", "compare", name, "mine.npz", "--only", "y")

    def test_a_suite(self):
        folder = self.path("mine")
        os.mkdir(folder)
        names = [c["name"] for c in self.manifest()["cases"] if c["operator"] == "attention"]
        for i, name in enumerate(names):
            write, ending = (arrays.write_npz, ".npz") if i % 2 else (arrays.write_safetensors, ".safetensors")
            write(os.path.join(folder, name + ending), self.right(name))
        lines = self.works("compare", "--suite", "attention", folder).decode().splitlines()
        self.assertEqual(len(lines), len(names) + 1)
        self.assertEqual(lines[-1], f"{len(names)} cases of attention, f32: {len(names)} PASSED")
        os.remove(os.path.join(folder, "attention.square.safetensors"))
        y = self.right("attention.offset")["y"]
        arrays.write_npz(os.path.join(folder, "attention.offset.npz"), {"y": y._replace(numbers=[1.5 * x for x in y.numbers])})
        text = self.fails("--suite", "attention", folder)
        self.assertRegex(text, "(?m)^UNTESTED   attention.square  *no file attention.square.npz or attention.square.safetensors$")
        self.assertRegex(text, "(?m)^FAILED     attention.offset  *y: relative rms 0.5 above the budget")
        self.assertRegex(text, f"{len(names)} cases of attention, f32: {len(names) - 2} PASSED, 1 FAILED, 1 UNTESTED\n$")
        self.assertIn("SKIPPED", self.fails("--suite", "wkv6", folder))  # wkv6.long_head64 is not kept
        self.refused("no cases of 'nonsense'", "compare", "--suite", "nonsense", folder)
        self.refused("is no folder", "compare", "--suite", "attention", case("wkv6.basic"))
        self.refused("expected one folder", "compare", "--suite", "attention", folder, folder)
        self.refused("--suite", "compare", "--suite", "attention", folder, "--local")
        self.refused("GOT", "compare", case("wkv6.basic"))

    def test_check_py_has_the_suite_too(self):
        folder = self.path("mine")
        os.mkdir(folder)
        arrays.write_npz(os.path.join(folder, "swiglu.basic.npz"), self.right("swiglu.basic", "layers"))
        for python in ("python3", "/usr/bin/python3"):
            if subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode == 0:
                break
        else:
            self.skipTest("no Python with NumPy")
        check = [python, os.path.join(program.REFERENCE, "check.py"), "--suite"]
        done = subprocess.run(check + ["swiglu", folder], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.works("compare", "--suite", "swiglu", folder).decode().splitlines()[-1], done.stdout.splitlines()[-1])
        done = subprocess.run(check + ["lora", folder], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.fails("--suite", "lora", folder), done.stdout)
        self.assertEqual(subprocess.run(check + ["nonsense", folder], capture_output=True).returncode, 2)

    def test_maps_know_the_kits_own_cases(self):
        right = self.right("wkv6.state")
        turned = right["S_after"]._replace(numbers=[right["S_after"].numbers[h * 64 + k * 8 + v] for h in range(2) for v in range(8) for k in range(8)])
        y = right["y"]._replace(shape=[1, 5, 2, 8])
        for state in (turned, turned._replace(shape=[2, 8, 8])):
            arrays.write_npz(self.path("cuda.npz"), {"y": y, "S_after": state, "decay": right["decay"]})
            self.assertIn("3 PASSED", self.works("compare", "wkv6.state", "cuda.npz", "--map", "cuda").decode())
        arrays.write_npz(self.path("fla.npz"), {"o": y, "final_state": right["S_after"], "decay": right["decay"]})
        self.assertIn("3 PASSED", self.works("compare", "wkv6.state", "fla.npz", "--map", "fla").decode())
        batch = self.right("wkv6.batch")
        batch["y"] = batch["y"]._replace(shape=[3, 16, 1, 8])
        arrays.write_npz(self.path("b.npz"), batch)
        self.assertIn("3 PASSED", self.works("compare", "wkv6.batch", "b.npz", "--map", "fla").decode())
        self.assertIn("as [48, 8] it is right: only the shape is wrong", self.fails("wkv6.batch", "b.npz"))

    def test_a_map_that_is_wrong_by_itself_is_refused(self):
        mine = arrays.write_npz(self.path("mine.npz"), self.right("wkv6.basic"))
        for pattern, more in (("h h k -> h k h", {}), ("t d -> t e", {}), ("t d -> t", {}), ("(a b) d -> a b d", {}), ("t d -> d t", {"take": {"x": [1]}}),
                              ("t d -> d t", {"sizes": {"x": 2}}), ("t d - d t", {}), ("t (d -> d t", {}), ("t d -> t d", {"take": {"t": [1]}})):
            self.write("map.json", json.dumps([{"ours": "y", "theirs": "y", "rearrange": pattern} | more]))
            self.refused("map.json: rule 1: the pattern", "compare", "wkv6.basic", mine, "--map", "map.json")
        self.write("map.json", json.dumps([{"ours": "y", "theirs": "y", "rearrange": "h t d -> t (h d)"}]))
        self.assertIn("does not fit the pattern", self.fails("wkv6.basic", mine, "--map", "map.json"))

    def test_the_verdict_is_the_exit_code_though_nobody_reads(self):
        right = self.right("wkv6.basic")
        arrays.write_npz(self.path("right.npz"), right)
        arrays.write_npz(self.path("wrong.npz"), right | {"y": right["y"]._replace(numbers=[2 * x for x in right["y"].numbers])})
        for name, code in (("right", 0), ("wrong", 1)):
            read, write = os.pipe()
            os.close(read)
            done = self.run_program("compare", "wkv6.basic", name + ".npz", stdout=write)
            os.close(write)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertEqual(done.stderr, b"")

    def seen(self, name, tensor, change, folder="operators"):
        right = self.right(name, folder)
        changed = change(right[tensor])
        arrays.write_npz(self.path("mine.npz"), right | {tensor: changed})
        return self.fails(name, "mine.npz")

    def test_what_is_seen(self):
        def scaled(factor):
            return lambda x: x._replace(numbers=[factor * number for number in x.numbers])

        text = self.seen("wkv6.basic", "y", scaled(8**-0.5))
        self.assertIn("times 0.354 = 8^-0.5", text)
        self.assertIn("here:\n    wkv-scaled: ", text)  # the first of the known mistakes
        self.assertIn("times 1 + 2.3e-05", self.seen("layer_norm.basic", "y", scaled(1.000023)))

        def groups(x):
            size = len(x.numbers) // 5
            return x._replace(numbers=x.numbers[size : 2 * size] + x.numbers[:size] + x.numbers[2 * size :])

        text = self.seen("ddlerp.groups5", "x", groups)
        self.assertIn("only some slices [i, :, :] are wrong: 0 to 1", text)
        self.assertIn("slices 0 and 1 are each other's", text)

        def late(x):
            return x._replace(numbers=[0] * 16 + x.numbers[:-16])

        self.assertIn("your rows are one late", self.seen("wkv6.basic", "y", late))

        def transposed(x):
            return x._replace(numbers=[x.numbers[h * 64 + k * 8 + v] for h in range(2) for v in range(8) for k in range(8)])

        text = self.seen("wkv6.basic", "S_after", transposed)
        self.assertIn("its transpose (of the last two dimensions) is right", text)
        self.assertNotIn("columns", text)
        self.assertIn("here:\n    state-transposed: ", text)

        text = self.seen("wkv6.basic", "y", lambda x: x._replace(shape=[21, 2, 8]))
        self.assertIn("as [21, 16] it is right: only the shape is wrong", text)
        self.assertNotIn("read-after-update", text)

        def rounded(x):
            return arrays.f32(x.shape, arrays.unpack("BF16", arrays.pack(x._replace(type="BF16"))))

        self.assertIn("every number of yours is one of bfloat16", self.seen("layer_norm.basic", "y", rounded))

        def later(x):  # row 0 is right
            return x._replace(numbers=x.numbers[:24] + [number + 1 for number in x.numbers[24:]])

        text = self.seen("gold_attention.first", "attn", later, "layers")
        self.assertIn("row 0 is right, all from row 1 on are wrong", text)
        self.assertNotIn("here:\n    future-keys", text)

    def test_shapes_that_nobody_expects(self):
        number = arrays.write_npz(self.path("number.npz"), {"logits": arrays.f32([], [1])})
        self.works("compare", number, number)
        empty = self.path("empty")
        os.mkdir(empty)
        for name in ("r", "k", "v", "w"):
            with open(os.path.join(empty, name + ".npy"), "wb") as file:
                file.write(arrays.npy("<f8", [0, 64], b"").replace(b"False", b"True "))
        self.refused("holds no numbers", "op", "wkv6", "--in", empty, "--out", "o.npz")
        case = os.path.join(program.REFERENCE, "operators", "wkv6.basic.safetensors")
        self.assertEqual(self.run_program("compare", case, empty, "--local").returncode, 1)

    def test_local_verdicts_want_what_the_model_takes(self):
        for tensors, reason in (({"logits": arrays.f32([1, 2], [0, 1])}, "tokens"),
                                ({"logits": arrays.f32([1, 2], [0, 1]), "tokens": arrays.f32([], [1])}, "tokens")):
            made = arrays.write_safetensors(self.path("made"), tensors, {"goldfinch.operator": "model"})
            self.refused(reason, "compare", made, made, "--local")

    def test_all_rows_of_a_golden_model_are_welcome(self):
        trace = os.path.join(program.REFERENCE, "models", "finch.trace.safetensors")
        mine = {n: t for n, t in arrays.read_safetensors(trace).items() if n == "blocks.0.att.k"}
        longer = {n: t._replace(shape=[t.shape[0] + 1, *t.shape[1:]], numbers=t.numbers + t.numbers[:t.shape[1]]) for n, t in mine.items()}
        for given in (mine, longer):
            arrays.write_npz(self.path("mine.npz"), given)
            self.works("compare", "model.finch", "mine.npz", "--only", "blocks.0.att.k")


if __name__ == "__main__":
    program.main()
