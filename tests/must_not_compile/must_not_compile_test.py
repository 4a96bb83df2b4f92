"""What must not compile does not, for the reason that its second line says; and what stands beside it under #ifdef RIGHT does.

Also: each set of instructions has a name of its own, with one width of vectors. CXX and EIGEN say which compiler and Eigen (c++, /usr/include/eigen3).
"""
import concurrent.futures
import os
import platform
import re
import subprocess
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))
INCLUDE = os.path.join(FOLDER, "..", "..", "include")
CXX = os.environ.get("CXX", "c++")
EIGEN = os.environ.get("EIGEN", "/usr/include/eigen3")


def compile_text(text, *flags):
    """The compiler's exit code and all that it wrote."""
    command = [CXX, "-std=c++20", "-fsyntax-only", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror=unused-result", "-I", INCLUDE, "-isystem", EIGEN, *flags, "-x", "c++", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=FOLDER, env={**os.environ, "LC_ALL": "C"})
    return done.returncode, done.stdout + done.stderr


class MustNotCompile(unittest.TestCase):
    def test_every_snippet_is_refused_for_its_reason_and_right_beside_it(self):
        names = sorted(name for name in os.listdir(FOLDER) if name.endswith(".cpp"))
        texts = {}
        for name in names:
            with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
                texts[name] = file.read()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            wrong = {name: pool.submit(compile_text, texts[name]) for name in names}
            right = pool.submit(compile_text, "".join(f'#include "{name}"\n' for name in names), "-DRIGHT")
        for name in names:
            expected = re.search(r"^// error: (.*)$", texts[name], re.MULTILINE).group(1)
            code, words = wrong[name].result()
            with self.subTest(name):
                self.assertNotEqual(code, 0, "compiles")
                self.assertRegex(words, expected)
        code, words = right.result()
        self.assertEqual(code, 0, words)


@unittest.skipUnless(platform.machine() == "x86_64", "flags of x86-64")
class InstructionSets(unittest.TestCase):
    FLAGS = {
        (): ("x86_64", 16),
        ("-msse4.2",): ("x86_64", 16),
        ("-march=sandybridge",): ("x86_64_avx", 32),
        ("-mavx",): ("x86_64_avx", 32),
        ("-march=ivybridge",): ("x86_64_avx", 32),
        ("-mavx2",): ("x86_64_v3", 32),
        ("-march=x86-64-v3",): ("x86_64_v3", 32),
        ("-mavx512f", "-mfma"): ("x86_64_v3", 32),
        ("-mavx512f", "-mavx512bw"): ("x86_64_v3", 32),
        ("-march=x86-64-v4",): ("x86_64_v4", 64),
        ("-DGOLDFINCH_SIMD=0",): ("x86_64_plain", 16),
        ("-march=x86-64-v3", "-DGOLDFINCH_SIMD=0"): ("x86_64_v3_plain", 32),
    }

    def test_the_name_and_the_width_of_vectors_come_from_one_ladder(self):
        text = '#include "goldfinch/core/instruction_set.hpp"\n#if GOLDFINCH_SIMD\nsimd\n#else\nloops\n#endif\nGOLDFINCH_ISA GOLDFINCH_VECTOR_BYTES\n'
        widths = {}
        for flags, expected in self.FLAGS.items():
            with self.subTest(flags=flags):
                done = subprocess.run([CXX, "-E", "-P", "-I", INCLUDE, *flags, "-x", "c++", "-"], input=text, capture_output=True, text=True, check=True)
                simd, name, width = done.stdout.split()
                self.assertEqual((name, int(width)), expected)
                self.assertEqual(widths.setdefault(name, (simd, width)), (simd, width))

    def test_kernels_compile_where_the_ladder_has_a_step_of_its_own(self):
        text = ('#include "goldfinch/math/linear.hpp"\nnamespace gf = goldfinch;\n'
                "#if GOLDFINCH_SIMD\nstatic_assert(gf::vector_bytes == GOLDFINCH_VECTOR_BYTES);\n#endif\n"
                "gf::Matrix<float> one(const gf::Matrix<float>& x, const gf::Weight& W) { return gf::linear(x, W); }\n")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for code, words in pool.map(lambda flags: compile_text(text, *flags), [("-mavx",), ("-mavx512f", "-mfma"), ("-DGOLDFINCH_SIMD=0",)]):
                self.assertEqual(code, 0, words)


if __name__ == "__main__":
    unittest.main()
