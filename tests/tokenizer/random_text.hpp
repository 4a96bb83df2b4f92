// Random bytes and random Unicode, the same in every run.
#pragma once

#include <random>
#include <string>

#include "goldfinch/core/utf8.hpp"

inline int below(std::mt19937& random, int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }

inline std::string random_bytes(std::mt19937& random, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(below(random, 256));
  return bytes;
}

/// Half of it ASCII; the rest from all of Unicode, surrogates excepted.
inline std::string random_unicode(std::mt19937& random, int characters) {
  std::string text;
  for (int i = 0; i < characters; ++i) {
    const int ranges[] = {0x80, 0x80, 0x80, 0x800, 0x3000, 0x110000};
    int code = below(random, ranges[below(random, 6)]);
    if (code >= 0xd800 && code < 0xe000) code = 0x2581;
    goldfinch::append_utf8(text, static_cast<std::uint32_t>(code));
  }
  return text;
}
