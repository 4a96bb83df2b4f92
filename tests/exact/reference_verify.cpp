// `goldfinch reference verify` by itself, without the tool that takes minutes to compile:   reference_verify FOLDER
// Says what the tool says, and in the last line which instruction set's kernels ran (reference_verify.sh).

#include <cstdio>

#include "goldfinch/validate/operators.hpp"
#include "goldfinch/validate/verify.hpp"
#include "kernels.hpp"

namespace gf = goldfinch;

int main(int, char** arguments) try {
  const auto result = gf::verify(arguments[1], "", gf::operator_list(), gf::run_operator<double>);
  std::fputs(result.text().c_str(), stdout);
  std::puts(kernels().c_str());
  return result.passed() ? 0 : 1;
} catch (const gf::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
