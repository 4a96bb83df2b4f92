"""No output takes the place of what the run reads, though no option names it: what a folder, an index or the name of a
case leads to, and what is read because it lies beside a file."""

import json
import os
import shutil
import unittest

import arrays
import program


class LostInputsTest(program.ProgramTest):
    def keeps(self, output, *arguments):
        """The run is refused, because of this output, which stays as it is."""
        before = self.read(output)
        self.assertIn(output, self.refused("which is read and would be lost", *arguments, output))
        self.assertEqual(self.read(output), before)

    def logits(self, model, output):
        self.keeps(output, "logits", "--model", model, "--tokens", "1", "--out")

    def folder_of(self, name, *files):
        os.makedirs(self.path(name))
        for file in files:
            shutil.copy(file, self.path(name))

    def test_what_a_folder_leads_to(self):
        self.folder_of("m")
        shutil.copy(program.model("finch"), self.path("m/model.safetensors"))
        self.logits("m", "m/model.safetensors")
        os.symlink("m/model.safetensors", self.path("link"))
        self.logits("m", "link")
        self.keeps("m/model.safetensors", "convert", "m")
        self.keeps("m/model.safetensors", "cache", "--model", "m", "--svg")
        self.keeps("m/model.safetensors", "generate", "--model", program.model("goldfinch"), "--state", "m", "--save-session")
        self.works("logits", "--model", "m", "--tokens", "1", "--out", "m/logits.npy")

    def test_what_an_index_leads_to(self):
        self.folder_of("m")
        tensors = arrays.read_safetensors(program.model("finch"))
        place = {name: "ab"[i % 2] + ".safetensors" for i, name in enumerate(tensors)}
        for file in set(place.values()):
            arrays.write_safetensors(self.path("m/" + file), {name: x for name, x in tensors.items() if place[name] == file})
        self.write("m/x.safetensors.index.json", json.dumps({"weight_map": place}))
        for model in ["m", "m/x.safetensors.index.json"]:
            self.logits(model, "m/b.safetensors")
            self.keeps("m/a.safetensors", "convert", model)
        self.logits("m", "m/x.safetensors.index.json")
        self.works("convert", "m", "m/new.safetensors")

    def test_what_lies_beside_a_file(self):
        self.folder_of("m", program.model("finch"), program.DEMO_MODEL, program.DEMO_TOKENIZER)
        self.write("m/config.json", "{}")
        self.logits("m/finch.safetensors", "m/config.json")
        os.unlink(self.path("m/config.json"))
        demo = "m/" + os.path.basename(program.DEMO_MODEL)
        self.keeps("m/" + os.path.basename(program.DEMO_TOKENIZER), "generate", "-m", demo, "-p", "hi", "-n", "1", "--stats-json")
        # The demo model and its tokenizer, where none is named.
        os.environ["GOLDFINCH_DATA"] = self.folder
        self.addCleanup(os.environ.pop, "GOLDFINCH_DATA")
        os.rename(self.path("m"), self.path("demo"))
        for file in [program.DEMO_MODEL, program.DEMO_TOKENIZER]:
            self.keeps("demo/" + os.path.basename(file), "generate", "-p", "hi", "-n", "1", "--stats-json")

    def test_what_comparing_reads(self):
        operators, models = (os.path.join(program.REFERENCE, name) for name in ["operators", "models"])
        case, trace = "kit/operators/wkv6.basic.safetensors", "kit/models/llama_rope.trace.safetensors"
        self.folder_of("kit", os.path.join(program.REFERENCE, "manifest.json"))
        self.folder_of("kit/operators", os.path.join(operators, "wkv6.basic.safetensors"))
        self.folder_of("kit/models", *(os.path.join(models, "llama_rope" + end) for end in [".safetensors", ".json", ".trace.safetensors"]))
        shutil.copy(self.path(case), self.path("mine"))
        for output in ["--json", "--html"]:
            self.keeps(case, "compare", "wkv6.basic", "mine", "--reference", "kit", output)
            self.keeps("kit/manifest.json", "compare", "wkv6.basic", "mine", "--reference", "kit", output)
            self.keeps("kit/manifest.json", "compare", case, "mine", output)
        shutil.copy(self.path(trace), self.path("mine"))
        for end in [".safetensors", ".json"]:
            self.keeps("kit/models/llama_rope" + end, "compare", "model.llama_rope", "mine", "--reference", "kit", "--local", "--json")
        for folder in ["a", "b"]:
            self.folder_of(folder)
            for name in ["x", "y"]:
                self.write(f"{folder}/{name}.npy", arrays.npy("<f4", [1], b"\0" * 4))
        for output in ["a/y.npy", "b/y.npy"]:
            self.keeps(output, "compare", "a", "b", "--json")
            self.keeps(output, "op", "tanh", "--in", output[0], "--out")
        self.works("compare", "a", "b", "--json", "b/report.json")

    def test_what_may_be_replaced(self):
        shutil.copy(program.model("finch"), self.path("m.safetensors"))
        self.works("convert", "m.safetensors", "m.safetensors", "--dtype", "f32")
        session = ["generate", "--ignore-eos", "-n", "3"]
        first = self.works(*session, "-p", "In the", "--save-session", "s")
        second = self.works(*session, "--load-session", "s", "--save-session", "s")
        third = self.works(*session, "--load-session", "s")
        self.assertEqual(first + second + third, self.works("generate", "--ignore-eos", "-n", "9", "-p", "In the"))


if __name__ == "__main__":
    program.main()
