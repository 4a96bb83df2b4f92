"""`generate --batch`: prompts that fail, stop strings and biases of a line, results on standard output, journals that others write into."""

import json
import os
import signal
import struct
import subprocess
import time

import program
import texts


class BatchResultsTest(texts.GenerateTest):
    def batch(self, prompts, *arguments, out="out", **options):
        self.write("prompts", "".join(json.dumps(p) + "\n" for p in prompts))
        return self.run_program("generate", "--batch", "prompts", "--out", out, *arguments, **options)

    def broken_model(self, token):
        """The small model with an embedding of `token` so large that its logits are NaN."""
        with open(program.model("goldfinch"), "rb") as file:
            data = bytearray(file.read())
        size = struct.unpack("<Q", data[:8])[0]
        tensor = json.loads(data[8:8 + size])["emb.weight"]
        width = {"F32": 4, "BF16": 2, "F16": 2, "F64": 8}[tensor["dtype"]]
        row = 8 + size + tensor["data_offsets"][0] + token * tensor["shape"][1] * width
        number = {"F32": struct.pack("<f", 3e38), "BF16": struct.pack("<f", 3e38)[2:], "F16": struct.pack("<e", 6e4), "F64": struct.pack("<d", 1e308)}
        data[row:row + tensor["shape"][1] * width] = number[tensor["dtype"]] * tensor["shape"][1]
        return self.write("broken.safetensors", bytes(data))

    def test_a_prompt_that_fails_leaves_alone(self):
        model = ["--model", self.broken_model(2), "--tokenizer", "tiny.txt", "--ignore-eos", "-n", "12"]
        never = {"logit_bias": {"2": -1000}}
        prompts = [{"prompt": "sea", **never}, {"prompt": "b", "id": "broken"}, {"prompt": "fish", "logit_bias": {"2": 1000}}, {"prompt": "of", **never}]
        for rows in (1, 4):
            done = self.batch(prompts, *model, "--rows", rows)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr.decode(), 'goldfinch: out: 2 of 4 prompts failed; the key "error" in their lines says why\n')
            lines = self.lines("out")
            self.assertEqual([line["finish"] for line in lines], ["count", "error", "error", "count"])
            self.assertEqual(lines[1]["id"], "broken")
            self.assertEqual((lines[1]["text"], lines[2]["text"]), ("", "b"))
            for i in (1, 2):
                self.assertRegex(lines[i]["error"], "logit of token .* is")
            for i in (0, 3):
                alone = self.generate(*model, "--logit-bias", "2-1000", "--prompt", prompts[i]["prompt"])
                self.assertEqual(alone.decode(errors="replace"), prompts[i]["prompt"] + lines[i]["text"])
            self.assertFalse(os.path.exists(self.path("out.partial")))
        streamed = self.batch(prompts, *model, out="-")
        self.assertEqual((streamed.returncode, streamed.stdout), (2, self.read("out")))

    def test_stops_and_biases_of_a_line(self):
        common = [*self.demo, "--ignore-eos", "-n", "40", "--seed", "2"]
        stops = [None, "the", ["xyz", "of the ", ","], []]
        self.assertEqual(self.batch([{"prompt": "In the beginning", **({} if s is None else {"stop": s})} for s in stops], *common, "--stop", "d").returncode, 0)
        for stop, line in zip(stops, self.lines("out")):
            flags = ["d"] if stop is None else [stop] if isinstance(stop, str) else stop
            alone = self.generate(*common, *[x for s in flags for x in ("--stop", s)], "--prompt", "In the beginning")
            self.assertEqual(alone.decode(), "In the beginning" + line["text"])
            self.assertEqual(line["finish"], "stop" if flags else "count")
        settings = {"repeat_penalty": 1.3, "repeat_last_n": -1, "logit_bias": {"300": 2.5, "7": -1}}
        self.assertEqual(self.batch([{"prompt": "In the beginning", **settings}], *common).returncode, 0)
        alone = self.generate(*common, "--repeat-penalty", "1.3", "--repeat-last-n=-1", "--logit-bias", "300+2.5", "--logit-bias", "7-1", "--prompt", "In the beginning")
        self.assertEqual(alone.decode(), "In the beginning" + self.lines("out")[0]["text"])

    def test_lines_that_are_refused(self):
        for line, text in (('"stop": ""', "stop is"), ('"stop": [""]', "stop is"), ('"stop": 3', "stop is"), ('"stop": [["a"]]', "stop is an array, expected a string"),
                           ('"stop": {"a": 1}', "stop is an object"), ('"logit_bias": [1]', "logit_bias is an array, expected an object of numbers"), ('"id": ' + "[" * 20, "is nested deeper than 16 levels"),
                           ('"logit_bias": {"a": 1}', "is not a whole number"), ('"logit_bias": {"1": "x"}', "logit_bias is"),
                           ('"logit_bias": {"1": 1, "1": 2}', "the key '1' stands there twice"), ('"logit_bias": {"1": 1, "01": 2}', "token 1 stands there twice"), ('"logit_bias": {"99999": 1}', "token 99999 is in logit_bias"),
                           ('"logit_bias": {"-1": 1}', "is not a whole number"), ('"repeat_penalty": 0', "repeat_penalty is 0"),
                           ('"id": 12345678901234567890123', "id is '12345678901234567890123', which would come out as 1.2345678901234568e+22"),
                           ('"id": 1e2', "which would come out as 100.0"), ('"id": 0.10000000000000000001', "which would come out as 0.1"),
                           ('"repeat_last_n": -2', "repeat_last_n is"), ('"stops": "a"', "unknown key 'stops'")):
            self.write("prompts", '{"prompt": "a", %s}\n' % line)
            self.refused(text, "generate", *self.small, "--batch", "prompts", "--out", "out")
            self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("out")], [])

    def test_ids_come_out_as_they_went_in(self):
        ids = ["18446744073709551615", "-9223372036854775808", "0", "1.5", "1e+22", '"12345678901234567890123"', '"1e2"']
        self.write("prompts", "".join('{"prompt": "a", "id": %s}\n' % id for id in ids))
        self.generate(*self.small, "-n", 0, "--batch", "prompts", "--out", "out")
        self.assertEqual([line.split('"id":')[1].split(',"text"')[0] for line in self.read("out").decode().splitlines()], ids)

    def test_standard_output(self):
        prompts = [{"prompt": f"prompt {chr(97 + i)}", "count": 40 - 7 * (i % 5), "seed": i} for i in range(9)]
        common = [*self.demo, "--ignore-eos", "--rows", "4"]
        self.assertEqual(self.batch(prompts, *common).returncode, 0)
        for out in ("-", "/dev/stdout"):
            done = self.batch(prompts, *common, out=out)
            self.assertEqual((done.returncode, done.stderr, done.stdout), (0, b"", self.read("out")))
        self.assertEqual([name for name in os.listdir(self.folder) if name.endswith(".partial") or name == "-"], [])
        read, write = os.pipe()
        os.close(read)
        done = self.batch(prompts, *common, out="-", stdout=write)
        os.close(write)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"its reader has gone away after", done.stderr)
        # A pipe that is not standard output.
        read, write = os.pipe()
        os.close(read)
        done = self.batch(prompts, *common, out=f"/dev/fd/{write}", pass_fds=[write])
        os.close(write)
        self.assertEqual((done.returncode, done.stderr.decode()), (2, f"goldfinch: /dev/fd/{write}: its reader has gone away after 0 of 9 lines\n"))

    def run_until(self, lines, *arguments, **options):
        process = self.start("--batch", "prompts", "--out", "out", *arguments, **options)
        while process.poll() is None and (not os.path.exists(self.path("out.partial")) or self.read("out.partial").count(b"\n") < lines):
            time.sleep(0.002)
        return process

    def test_a_journal_that_something_else_writes_into(self):
        prompts = [{"prompt": "and the number of them was " + chr(97 + i), "seed": i, "count": 60} for i in range(20)]
        common = [*self.small, "--ignore-eos", "--rows", "2"]
        self.assertEqual(self.batch(prompts, *common).returncode, 0)
        expected = self.read("out")
        os.unlink(self.path("out"))
        process = self.run_until(4, *common)
        with open(self.path("out.partial"), "ab") as journal:
            journal.write(b"a note that is no result\n")
        _, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 2)
        self.assertIn(b"something else has written into it", error)
        self.assertFalse(os.path.exists(self.path("out")))
        done = self.batch(prompts, *common)
        self.assertEqual((done.returncode, self.read("out")), (0, expected))
        self.assertFalse(os.path.exists(self.path("out.partial")))

    def test_resumed_with_closed_descriptors(self):
        prompts = [{"prompt": "and the number of them was " + chr(97 + i), "seed": i, "count": 60} for i in range(20)]
        common = [*self.small, "--ignore-eos", "--rows", "4"]
        self.assertEqual(self.batch(prompts, *common).returncode, 0)
        expected = self.read("out")
        for closed in ((2,), (1, 2), (0, 1, 2)):
            os.unlink(self.path("out"))
            process = self.run_until(6, *common)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            done = subprocess.run(["bash", "-c", 'exec "$@" ' + " ".join(f"{d}>&-" for d in closed), "-", program.GOLDFINCH, "generate", "--batch", "prompts",
                                   "--out", "out", *common], cwd=self.folder, timeout=60)
            self.assertEqual((done.returncode, self.read("out")), (0, expected))

    def test_a_journal_remembers_errors(self):
        model = ["--model", self.broken_model(2), "--tokenizer", "tiny.txt", "--ignore-eos", "--rows", "1"]
        prompts = [{"prompt": "b", "count": 5}] + [{"prompt": "sea", "count": 60, "logit_bias": {"2": -1000}, "seed": i} for i in range(20)]
        self.write("prompts", "".join(json.dumps(p) + "\n" for p in prompts))
        process = self.run_until(3, *model)
        process.send_signal(signal.SIGTERM)
        process.communicate()
        self.assertEqual(process.returncode, 143)
        done = self.batch(prompts, *model)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"1 of 21 prompts failed", done.stderr)
        self.assertEqual(len(self.lines("out")), 21)


if __name__ == "__main__":
    program.main()
