// Errors: one exception type, one sentence that says what was wrong and where.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "goldfinch/core/instruction_set.hpp"

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
