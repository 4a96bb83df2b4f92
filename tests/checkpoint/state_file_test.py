"""A file of RWKV-6 states given to the program: what every text begins with."""

import json
import os
import random
import unittest

import arrays
import program


class StateFile(program.ProgramTest):
    layers, heads, head_size = 4, 4, 32  # of the demo model below its GOLD layers

    def setUp(self):
        super().setUp()
        draw = random.Random(1)
        names = [f"blocks.{i}.att.time_state" for i in range(self.layers)]
        self.numbers = {name: [draw.uniform(-1, 1) for _ in range(self.heads * self.head_size**2)] for name in names}
        self.states(self.numbers, "states")
        self.states({name: [0] * len(x) for name, x in self.numbers.items()}, "zeros")

    def states(self, numbers, name):
        shape = [self.heads, self.head_size, self.head_size]
        arrays.write_safetensors(self.path(name), {n: arrays.f32(shape, x) for n, x in numbers.items()})

    def trace(self, *more):
        self.works("logits", "--tokens", "1 2 3", "--out", "l.npy", "--trace", "t", *more)
        return arrays.read_safetensors(self.path("t"))

    def test_the_first_token_reads_it(self):
        without, zeros, given = self.trace(), self.trace("--state", "zeros"), self.trace("--state", "states")
        for name, x in without.items():
            self.assertEqual(zeros[name].numbers, x.numbers, name)
        r = given["blocks.0.att.r"].numbers
        before, after = without["blocks.0.att.wkv"].numbers, given["blocks.0.att.wkv"].numbers
        state, n = self.numbers["blocks.0.att.time_state"], self.head_size
        for head in range(self.heads):
            for j in range(n):  # the file has value channels in rows
                read = sum(r[head * n + i] * state[(head * n + j) * n + i] for i in range(n))
                self.assertAlmostEqual(after[head * n + j] - before[head * n + j], read, delta=1e-6)

    def test_every_command_that_runs_a_model_takes_it(self):
        self.write("text", "abcdef")
        for command in (["perplexity", "text", "--context-token", "1"], ["generate", "--prompt", "ab", "-n", "8"]):
            plain, zeros, given = (self.run_program(*command, *more) for more in ([], ["--state", "zeros"], ["--state", "states"]))
            self.assertEqual((plain.returncode, given.returncode), (0, 0), plain.stderr + given.stderr)
            self.assertEqual(plain.stdout, zeros.stdout)
            self.assertNotEqual(plain.stdout, given.stdout)

    def test_a_session_belongs_to_its_states(self):
        run = ["generate"]
        whole = self.works(*run, "--state", "states", "--prompt", "ab", "-n", "12")
        first = self.works(*run, "--state", "states", "--prompt", "ab", "-n", "5", "--save-session", "s")
        self.refused("is of another model", *run, "-n", "7", "--load-session", "s")
        self.refused("is of another model", *run, "-n", "7", "--load-session", "s", "--state", "zeros")
        self.assertEqual(first + self.works(*run, "-n", "7", "--load-session", "s", "--state", "states"), whole)

    def test_a_session_belongs_to_the_numbers_of_its_states(self):
        """Whatever files hold them: one of two is exchanged."""
        os.mkdir(self.path("folder"))
        place = {name: "ab"[i % 2] + ".safetensors" for i, name in enumerate(self.numbers)}
        shards = [{name: x for name, x in self.numbers.items() if place[name] == file} for file in ["a.safetensors", "b.safetensors"]]
        self.states(shards[0], "folder/a.safetensors")
        self.states(shards[1], "folder/b.safetensors")
        self.write("folder/x.safetensors.index.json", json.dumps({"weight_map": place}))
        whole = self.works("generate", "--state", "states", "--prompt", "ab", "-n", "12")
        first = self.works("generate", "--state", "folder", "--prompt", "ab", "-n", "5", "--save-session", "s")
        going_on = ["generate", "-n", "7", "--load-session", "s", "--state"]
        for same in ["folder", "folder/x.safetensors.index.json", "states"]:
            self.assertEqual(first + self.works(*going_on, same), whole)
        self.states({name: [-x for x in numbers] for name, numbers in shards[1].items()}, "folder/b.safetensors")
        for changed in ["folder", "folder/x.safetensors.index.json"]:
            self.refused("is of another model", *going_on, changed)

    def test_what_is_not_of_the_model_is_refused(self):
        run = ["generate", "--prompt", "ab", "--state"]
        self.refused("no-such-file: ", *run, "no-such-file")
        self.states({"blocks.0.att.time_state": self.numbers["blocks.0.att.time_state"]}, "one")
        self.refused("one: has no tensor blocks.1.att.time_state", *run, "one")
        self.states(self.numbers | {"blocks.4.att.time_state": self.numbers["blocks.0.att.time_state"]}, "five")
        self.refused("five: tensor 'blocks.4.att.time_state' is no state of this model", *run, "five")
        self.refused("has no tensor blocks.0.att.time_state", *run, program.DEMO_MODEL)


if __name__ == "__main__":
    program.main()
