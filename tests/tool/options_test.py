"""One rule for the options of all commands: numbers are decimal and in range, no value is empty or another option
unless that is meant, and what is not known is named."""

import json
import unittest

import commands
import program

EMPTY_MEANS_SOMETHING = {"--prompt", "--text"}


class OptionsTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        commands.files_for(self)

    def for_each_option(self, check):
        """Calls check(run, option) for every option with a value, in a subtest."""
        for name, run in commands.RUNS.items():
            for option in commands.options_of(name):
                if option.kind and not option.positional:
                    with self.subTest(command=name, option=option.long):
                        check(run, option)

    def test_every_command_is_tested(self):
        self.assertEqual(set(commands.commands()), {name.split()[0] for name in commands.RUNS})

    @unittest.skipUnless(program.MAY_LIMIT_ADDRESS_SPACE, "AddressSanitizer")
    def test_a_shape_that_needs_more_memory_than_there_is(self):
        limit = lambda: program.limit_address_space(500 << 20)
        self.refused("the shape: measuring its cache takes 537 MB", "cache", "--embd", "65536", preexec_fn=limit)
        self.refused("the shape: making its weights takes", "bench", "--embd", "4096", "--layers", "12", preexec_fn=limit)

    def test_an_empty_value_is_refused(self):
        def check(run, option):
            for arguments in [[option.long + "=", "--help"], [option.long, ""]]:
                if option.long not in EMPTY_MEANS_SOMETHING:
                    self.refused(option.long + ": is empty", *run, *arguments)

        self.for_each_option(check)
        self.refused("is empty", "info", "")
        nothing = self.works("generate", "--model", "tiny.safetensors", "-n", "0", "--prompt=", "--ignore-eos")
        self.assertEqual(nothing, b"")
        self.assertEqual(self.works("tokenize", "--text", ""), b"\n")

    def test_no_option_is_the_value_of_another(self):
        def check(run, option):
            self.refused(option.long + ": expected a value", *run, option.long, "--help")
            self.refused(option.long + ": expected a value", *run, option.long)

        self.for_each_option(check)
        self.assertEqual(self.works("tokenize", "--tokenizer", "bytes", "--text=--help"), b"45 45 104 101 108 112\n")
        self.assertEqual(self.works("tokenize", "--tokenizer", "bytes", "--text", "-x"), b"45 120\n")
        self.refused("takes no value", "cost", "--json=")
        self.refused("takes no value", "cost", "--json=false")

    def test_numbers_are_decimal_and_in_range(self):
        tested = []

        def check(run, option):
            if option.kind == "TEXT":
                return
            tested.append(option.kind)
            for bad in ["0x10", "1_0", " 1", "+1", "1e999", "nan", "9" * 30 if option.kind == "INT" else "-inf"]:
                line = self.refused(option.long + ": ", *commands.with_value(run, option, bad))
                self.assertIn("is not a", line)

        self.for_each_option(check)
        self.assertGreater(tested.count("INT"), 5)
        self.assertGreater(tested.count("NUMBER"), 2)

    def test_leading_zeros_are_decimal(self):
        for seed, name in [("8", "a"), ("08", "b"), ("0000000000000000000000000008", "c")]:
            self.works("init", "--config", "config.json", "--seed", seed, name)
        self.assertEqual(self.read("a"), self.read("b"))
        self.assertEqual(self.read("a"), self.read("c"))
        self.works("init", "--config", "config.json", "--seed", "010", "d")
        self.works("init", "--config", "config.json", "--seed", "10", "e")
        self.assertEqual(self.read("d"), self.read("e"))
        self.assertNotEqual(self.read("a"), self.read("d"))
        too_large = ["init", "--config", "config.json", "--seed", "18446744073709551616", "f"]
        self.refused("from 0 to 18446744073709551615", *too_large)

    def test_what_is_not_known_is_named(self):
        for name, run in commands.RUNS.items():
            for unknown in ["--frobnicate", "--frobnicate=3", "-Q", "-Q=3"]:
                with self.subTest(command=name, unknown=unknown):
                    self.refused("there is no option '" + unknown.split("=")[0], *run, unknown)
        self.refused("--context?", "info", "--contxt", "100", program.model("finch"))
        self.refused("did you mean compare?", "compar")
        self.refused("did you mean --tokens?", "logits", "-tokens", "1", "--out", "o")
        self.refused("--seed", "init", "--config", "config.json", "--seed", "1", "--seed", "2", "o")

    def test_short_names_mean_the_same(self):
        model = program.model("finch")
        self.works("logits", "--model", model, "--tokens", "1 2", "--threads", "2", "--out", "long")
        same = [["-m", model, "-t", "2"], ["-m" + model, "-t2"], ["-m=" + model, "-t=2"],
                ["--model=" + model, "--threads=2"]]
        for number, arguments in enumerate(same):
            self.works("logits", *arguments, "--tokens", "1 2", "--out", str(number))
            self.assertEqual(self.read("long"), self.read(str(number)))
        for name in ["f16", "fp16"]:
            self.works("convert", model, name, "--dtype", name)
        self.assertEqual(self.read("f16"), self.read("fp16"))
        self.works("init", "--config", "config.json", "-s", "7", "short")
        self.works("init", "--config", "config.json", "--seed", "7", "--", "seed")
        self.assertEqual(self.read("short"), self.read("seed"))

    def test_the_demo_model_is_the_default(self):
        self.works("logits", "--tokens", "1 2", "--out", "a")
        self.works("logits", "--tokens", "1 2", "--model", program.DEMO_MODEL, "--out", "b")
        self.assertEqual(self.read("a"), self.read("b"))
        told = self.works("perplexity", "--model", program.DEMO_MODEL, "text")
        self.assertEqual(self.works("perplexity", "text"), told)

    def test_init_tells_the_keys_of_its_configuration(self):
        text = commands.help_of("init")
        self.works("init", "--config", "config.json", "--seed", "1", "m")
        for key in json.loads(self.works("info", "--json", "m"))["config"]:
            self.assertIn(key, text)


if __name__ == "__main__":
    program.main()
