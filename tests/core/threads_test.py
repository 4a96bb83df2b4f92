"""Threads that cannot be made are done without: the result is the same, and so is the exit code."""

import os
import unittest

import program


class Threads(program.ProgramTest):
    def with_threads(self, *arguments, number=None, address_space=None):
        environment = {**os.environ, **({"OMP_NUM_THREADS": number} if number else {})}

        def limit():
            if address_space:
                program.limit_address_space(address_space)

        return self.works(*arguments, env=environment, preexec_fn=limit)

    def test_any_number_of_threads_is_accepted(self):
        tokens = ["logits", "--model", program.model("goldfinch"), "--tokens", "1 2 3 4 5 6 7 8"]
        self.with_threads(*tokens, "--out", "one.npy", number="1")
        for number in ("2", "64", "99999", "2147483647"):
            with self.subTest(number=number):
                self.with_threads(*tokens, "--out", "many.npy", number=number)
                self.assertEqual(self.read("one.npy"), self.read("many.npy"))

    @unittest.skipUnless(program.MAY_LIMIT_ADDRESS_SPACE, "AddressSanitizer")
    def test_without_room_for_threads_there_are_fewer(self):
        finch = program.model("finch")
        for megabytes in (100, 128, 160, 200, 300):
            with self.subTest(megabytes=megabytes):
                self.with_threads("compare", finch, finch, "--threads", "64", address_space=megabytes * 1000 * 1024)


if __name__ == "__main__":
    program.main()
