#include "goldfinch/core/utf8.hpp"

#include <catch2/catch.hpp>

#include "tokenizer/random_text.hpp"

using namespace goldfinch;
using namespace std::string_literals;

namespace {

std::string character(std::uint32_t code) {
  std::string text;
  append_utf8(text, code);
  return text;
}

}  // namespace

TEST_CASE("UTF-8: every code point is one whole character, and every proper start of it an incomplete tail") {
  bool whole = true, starts = true, tails = true;
  for (std::uint32_t code = 0; code <= 0x10ffff; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const std::string text = character(code);
    whole &= utf8_character(text) == static_cast<int>(text.size());
    whole &= utf8_prefix(text) == text.size() && utf8_incomplete_tail(text) == 0;
    for (std::size_t n = 1; n < text.size(); ++n) {
      starts &= utf8_character(text.substr(0, n)) == -static_cast<int>(n) && utf8_prefix(text.substr(0, n)) == 0;
      tails &= utf8_incomplete_tail("x" + text.substr(0, n)) == n;
    }
  }
  CHECK(whole);
  CHECK(starts);
  CHECK(tails);
}

TEST_CASE("UTF-8: of all strings of three bytes, those are characters that encode a code point") {
  int characters[4] = {};
  std::string text(3, ' ');
  for (int i = 0; i < 1 << 24; ++i) {
    for (std::size_t k = 0; k < 3; ++k) text[k] = static_cast<char>(i >> (8 * (2 - k)) & 0xff);
    if (const int n = utf8_character(text); n >= 0) ++characters[n];
  }
  CHECK(characters[1] == 0x80 * 65536);
  CHECK(characters[2] == (0x800 - 0x80) * 256);
  CHECK(characters[3] == 0x10000 - 0x800 - 0x800);
}

TEST_CASE("UTF-8: overlong forms, surrogates, numbers beyond Unicode and stray bytes are neither whole nor incomplete") {
  for (const char* text : {"\xc0", "\xc1\xbf", "\xe0\x80", "\xe0\x9f\xbf", "\xf0\x8f", "\xed\xa0", "\xed\xbf\xbf", "\xf4\x90",
                           "\xf5", "\xff", "\x80", "\xe2\x28", "\xe2\x82\x28", "\xf0\x9f\x98\x28"}) {
    CHECK(utf8_character(text) == 0);
    CHECK(utf8_prefix("ab"s + text + "c") == 2);
  }
  CHECK(utf8_character("") == 0);
  CHECK(utf8_incomplete_tail("") == 0);
  CHECK(utf8_incomplete_tail("\xe2\x82 ") == 0);
  CHECK(utf8_incomplete_tail("\x82\x82\x82") == 0);
  CHECK(utf8_incomplete_tail("\xe2\xe2\x82") == 2);
}
