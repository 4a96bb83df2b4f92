"""Checkpoints as people have them, given to the program: in folders and several files, without a head, wrapped, of other kinds."""

import json
import os
import shutil
import struct
import unittest

import program


def parts(data):
    """The header and the data of a safetensors file."""
    n = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + n]), data[8 + n:]


def joined(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def selected(data, wanted, rename=lambda name: name):
    """A file with those of another's tensors that are wanted."""
    header, numbers = parts(data)
    out, kept = {"__metadata__": header["__metadata__"]}, b""
    for name, entry in header.items():
        if name == "__metadata__" or not wanted(name):
            continue
        begin, end = entry["data_offsets"]
        out[rename(name)] = dict(entry, data_offsets=[len(kept), len(kept) + end - begin])
        kept += numbers[begin:end]
    return joined(out, kept)


class Readers(program.ProgramTest):
    def setUp(self):
        super().setUp()
        with open(program.model("finch"), "rb") as file:
            self.finch = file.read()

    def logits(self, model):
        self.works("logits", "--model", model, "--tokens", "1 2 3", "--out", "l.npy")
        return self.read("l.npy")

    def shards(self, change=lambda index: index):
        names = [name for name in parts(self.finch)[0] if name != "__metadata__"]
        first = set(names[:len(names) // 2])
        os.makedirs(self.path("model"), exist_ok=True)
        self.write("model/m-00001-of-00002.safetensors", selected(self.finch, lambda name: name in first))
        self.write("model/m-00002-of-00002.safetensors", selected(self.finch, lambda name: name not in first))
        place = {name: f"m-0000{1 if name in first else 2}-of-00002.safetensors" for name in names}
        self.write("model/m.safetensors.index.json", json.dumps(change({"metadata": {}, "weight_map": place})))

    def test_shards_and_folders(self):
        self.shards()
        expected = self.logits(program.model("finch"))
        self.assertEqual(self.logits("model"), expected)
        self.assertEqual(self.logits("model/m.safetensors.index.json"), expected)
        self.refused("is one of 2 files of a model", "info", "model/m-00001-of-00002.safetensors")
        self.works("convert", "model", "one.safetensors")
        self.assertEqual(self.logits("one.safetensors"), expected)
        self.works("info", "model")

    def test_hostile_indices(self):
        def elsewhere(index):
            index["weight_map"]["emb.weight"] = "../finch.safetensors"
            return index
        self.shards(elsewhere)
        self.refused("expected a .safetensors file of the same folder", "info", "model")
        self.shards()
        os.remove(self.path("model/m-00002-of-00002.safetensors"))
        self.refused("m-00002-of-00002.safetensors: cannot open", "info", "model")

    def test_tied_embeddings(self):
        self.write("tied.safetensors", selected(self.finch, lambda name: name != "head.weight"))
        self.assertIn(b"tied", self.works("info", "tied.safetensors"))
        self.assertTrue(json.loads(self.works("info", "tied.safetensors", "--json"))["tied_embeddings"])
        self.write("config.json", '{"tie_word_embeddings": false}')
        self.refused("there is no tensor head.weight", "info", "tied.safetensors")

    def test_wrapped_names(self):
        expected = self.logits(program.model("finch"))
        for prefix in ("model.", "module.", "_orig_mod.", "_orig_mod.module."):
            self.write("wrapped.safetensors", selected(self.finch, lambda name: True, lambda name: prefix + name))
            self.assertEqual(self.logits("wrapped.safetensors"), expected)

    def test_configurations_that_would_change_numbers(self):
        self.write("m.safetensors", self.finch)
        self.write("config.json", '{"layer_norm_epsilon": 0.001}')
        self.refused("config.json: layer_norm_epsilon is '0.001'", "info", "m.safetensors")
        self.write("config.json", '{"layer_norm_epsilon": 1e-05, "model_type": "rwkv6", "use_cache": true}')
        self.works("info", "m.safetensors")
        header, numbers = parts(self.finch)
        del header["__metadata__"]  # a configuration of its own is what counts
        self.write("m.safetensors", joined(header, numbers))
        self.write("config.json", '{"model_type": "llama", "vocab_size": 32000}')
        self.refused("config.json: the configuration says that vocab_size is 32000", "info", "m.safetensors")

    def test_unused_tensors_may_hold_anything(self):
        header, data = parts(self.finch)
        n = len(data)
        header["steps"] = {"dtype": "I64", "shape": [1], "data_offsets": [n, n + 8]}
        header["noise"] = {"dtype": "F32", "shape": [1], "data_offsets": [n + 8, n + 12]}
        self.write("extra.safetensors", joined(header, data + bytes(8) + struct.pack("<f", float("nan"))))
        self.refused("does not expect tensor 'noise'; does not expect tensor 'steps'", "info", "extra.safetensors")
        arguments = ("--model", "extra.safetensors", "--ignore-unexpected", "--tokens", "1 2 3", "--out", "l.npy")
        done = self.run_program("logits", *arguments)
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (0, 1), done.stderr)
        written = self.read("l.npy")
        self.assertEqual(written, self.logits(program.model("finch")))
        self.works("convert", "extra.safetensors", "whole.safetensors", "--ignore-unexpected")
        header["emb.weight"]["dtype"] = "I16"
        self.write("extra.safetensors", joined(header, data + bytes(12)))
        self.refused("emb.weight is 'I16'", "info", "extra.safetensors", "--ignore-unexpected")

    def test_what_is_no_model_is_named(self):
        self.works("generate", "--model", program.model("goldfinch"), "--tokenizer", self.vocabulary(), "--prompt", "aa", "-n", "1", "--save-session", "s.session")
        self.refused("is a session", "info", "s.session")
        self.write("five.safetensors", selected(self.finch, lambda name: True, lambda name: name.replace("time_maa_k", "time_mix_k")))
        self.refused("is an RWKV-5 model", "info", "five.safetensors")
        self.write("x.npz", b"PK\3\4" + bytes(100))
        self.refused("x.npz", "info", "x.npz")
        self.write("text.safetensors", "This is no model, it is a text.")
        self.refused("is text", "info", "text.safetensors")
        os.makedirs(self.path("empty"))
        self.refused("without a model", "info", "empty")

    def vocabulary(self):
        return self.write("rwkv_vocab.txt", "".join(f"{i + 1} {chr(97 + i)!r} 1\n" for i in range(26)))

    def test_convert_names_the_tokenizer(self):
        os.makedirs(self.path("a"))
        os.makedirs(self.path("b"))
        shutil.copy(program.model("finch"), self.path("a/m.safetensors"))
        self.write("a/rwkv_vocab.txt", "1 'a' 1\n")
        done = self.run_program("convert", "a/m.safetensors", "b/m.safetensors")
        self.assertIn(b"its tokenizer is a/rwkv_vocab.txt", done.stderr)
        self.assertNotIn(b"tokenizer", self.run_program("convert", "a/m.safetensors", "a/n.safetensors").stderr)


class Tokens(program.ProgramTest):
    def test_ids_that_do_not_exist(self):
        self.refused("there is no token 70000", "tokenize", "--tokenizer", program.DEMO_TOKENIZER, "--decode", "5 70000 6")
        self.refused("there is no token -1", "tokenize", "--tokenizer", "bytes", "--decode=-1")
        vocabulary = self.write("v.txt", "1 'a' 1\r\n3 'b' 1")
        self.refused("there is no token 2", "tokenize", "--tokenizer", vocabulary, "--decode", "1 2 3")
        self.assertEqual(self.works("tokenize", "--tokenizer", vocabulary, "--decode", "1 3 0"), b"ab")
        self.assertEqual(self.works("tokenize", "--tokenizer", vocabulary, "--text", "ab"), b"1 3\n")


if __name__ == "__main__":
    program.main()
