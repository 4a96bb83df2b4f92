// Errors: one exception type, one sentence that says what was wrong and where. Also the name of the instruction set, which
// every header needs for its inline namespace (arithmetic.hpp says why).
#pragma once

#if __cplusplus < 202002L
#error "goldfinch is C++20: compile with -std=c++20, or link the CMake target goldfinch::goldfinch"
#include "goldfinch stops here, before hundreds of errors that would follow"
#endif

#include <sstream>
#include <stdexcept>
#include <string>

#if defined(__x86_64__)
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define GOLDFINCH_ISA x86_64_v4
#elif defined(__AVX2__)
#define GOLDFINCH_ISA x86_64_v3
#else
#define GOLDFINCH_ISA x86_64
#endif
#elif defined(__aarch64__)
#define GOLDFINCH_ISA aarch64
#else
#define GOLDFINCH_ISA generic
#endif

namespace goldfinch::inline GOLDFINCH_ISA {

/// Bad input of any kind: a file, a tensor, a token, a setting. what() is one sentence without a newline.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// fail("tensor '", name, "' has ", n, " rows") throws Error with the parts joined.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(text.str());
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
