// Names that come out of files, made fit for a one-line message whatever bytes they hold.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "goldfinch/core/utf8.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// 'emb.weight'; control characters and what is not UTF-8 appear as \xNN, and a long name ends in "..." after some 100 bytes.
inline std::string in_quotes(std::string_view text) {
  std::string result = "'";
  while (!text.empty()) {
    if (result.size() > 100) return result + "...'";
    const auto length = static_cast<std::size_t>(std::max(0, utf8_character(text)));
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 0 || first < 0x20 || first == 0x7f) {
      constexpr char hex[] = "0123456789abcdef";
      result += {'\\', 'x', hex[first >> 4], hex[first & 15]};
      text.remove_prefix(1);
    } else {
      result += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return result + "'";
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
