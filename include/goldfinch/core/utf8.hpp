// UTF-8 as Unicode 15 defines it (table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF. Three questions: what
// starts here, where does a text stop being UTF-8, and how much of its end may be the start of a character still to come.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What the first bytes of a text are: n > 0, a character of n bytes; -n, all that is left, n bytes that more bytes could make
/// a character; 0, neither (or an empty text).
inline int utf8_character(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](int i) { return static_cast<unsigned char>(text[static_cast<std::size_t>(i)]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const int length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  const int present = std::min(length, static_cast<int>(std::min<std::size_t>(text.size(), 4)));
  for (int i = 1; i < present; ++i) {
    // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
    const unsigned low = i > 1 ? 0x80 : lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = i > 1 ? 0xbf : lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte(i) < low || byte(i) > high) return 0;
  }
  return present < length ? -present : length;
}

/// The number of bytes before the first that is not part of a whole character: text.size() if all of it is UTF-8.
inline std::size_t utf8_prefix(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const int n = utf8_character(text.substr(i));
    if (n <= 0) break;
    i += static_cast<std::size_t>(n);
  }
  return i;
}

inline bool is_utf8(std::string_view text) { return utf8_prefix(text) == text.size(); }

/// The number of bytes, at most 3, at the end of a text that are the start of a character and not yet the whole of it.
inline std::size_t utf8_incomplete_tail(std::string_view text) {
  for (std::size_t n = std::min<std::size_t>(text.size(), 3); n > 0; --n)
    if (utf8_character(text.substr(text.size() - n)) == -static_cast<int>(n)) return n;
  return 0;
}

/// Appends a code point, which must be one that UTF-8 has (at most 0x10ffff, no surrogate).
inline void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) put(0xe0 | code >> 12);
    else put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
