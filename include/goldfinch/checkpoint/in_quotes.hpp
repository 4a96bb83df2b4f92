// Names that come out of files, made fit for a one-line message whatever bytes they hold.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Bytes of the UTF-8 character at the start of text, or 0 if there is none (overlong forms and surrogates are none).
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
  const unsigned a = byte(0), b = byte(1);
  if (a < 0x80) return text.empty() ? 0 : 1;
  if (a >= 0xc2 && a <= 0xdf) return tail(1) ? 2 : 0;
  if (!tail(1) || !tail(2)) return 0;
  if ((a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) || (a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f)) return 0;
  if (a >= 0xe0 && a <= 0xef) return 3;
  if (a >= 0xf0 && a <= 0xf4) return tail(3) ? 4 : 0;
  return 0;
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// 'emb.weight'; control characters and what is not UTF-8 appear as \xNN, and a long name ends in "..." after some 100 bytes.
inline std::string in_quotes(std::string_view text) {
  std::string result = "'";
  while (!text.empty()) {
    if (result.size() > 100) return result + "...'";
    const std::size_t length = utf8_length(text);
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
