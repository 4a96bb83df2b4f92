// Python string and bytes literals as World vocabularies hold them, read and never evaluated. What Python's repr writes is
// accepted: '…' or "…" of UTF-8 text, b'…' or b"…" of ASCII, and the escapes \\ \' \" \t \n \r \xHH and, in strings, \uHHHH
// and \UHHHHHHHH. In a string \xHH is a code point (two bytes of UTF-8 from 80 up), in a bytes literal it is a byte. Anything
// else that Python would take (prefixes, octal, names, concatenation) is refused.
#pragma once

#include "goldfinch/core/error.hpp"
#include "goldfinch/core/utf8.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace literal {

/// The value of `digits` hexadecimal digits at the start of the text.
inline std::uint32_t hexadecimal(std::string_view text, std::size_t digits) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    const char lower = static_cast<char>(c | 0x20);
    const bool digit = (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f');
    if (!digit) fail("an escape has fewer than its ", digits, " hexadecimal digits");
    value = value << 4 | static_cast<std::uint32_t>(c <= '9' ? c - '0' : lower - 'a' + 10);
  }
  return value;
}

/// Appends what the escape after a backslash stands for; the bytes of it that were read.
inline std::size_t escape(std::string_view text, bool bytes, std::string& value) {
  const char kind = text.empty() ? '\0' : text[0];
  switch (kind) {
    case '\\': case '\'': case '"': value += kind; return 1;
    case 't': value += '\t'; return 1;
    case 'n': value += '\n'; return 1;
    case 'r': value += '\r'; return 1;
    case 'x': case 'u': case 'U': {
      if (bytes && kind != 'x') break;
      const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
      const std::uint32_t code = hexadecimal(text.substr(1), digits);
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) fail("an escape gives a number that is not a character");
      if (bytes) value += static_cast<char>(code);
      else append_utf8(value, code);
      return 1 + digits;
    }
    default: break;
  }
  fail("the literal has an escape other than ", bytes ? R"(\\ \' \" \t \n \r \x)" : R"(\\ \' \" \t \n \r \x \u \U)");
}

}  // namespace literal

/// The bytes of a literal, which must be the whole of the text. Throws Error that says what is wrong, not where.
inline std::string parse_python_literal(std::string_view text) {
  const bool bytes = text.starts_with('b');
  if (bytes) text.remove_prefix(1);
  if (text.empty() || (text[0] != '\'' && text[0] != '"')) fail("the literal does not start with a quote or b and a quote");
  const char quote = text[0];
  if (!bytes && utf8_prefix(text) != text.size()) fail("the literal is not valid UTF-8");

  std::string value;
  std::size_t i = 1;
  while (i < text.size() && text[i] != quote) {
    const char c = text[i++];
    if (c == '\\') i += literal::escape(text.substr(i), bytes, value);
    else if (bytes && static_cast<unsigned char>(c) >= 0x80) fail("the bytes literal has a byte that is not ASCII");
    else value += c;
  }
  if (i >= text.size()) fail("the literal has no closing quote");
  if (i + 1 < text.size()) fail("the literal goes on after its closing quote");
  return value;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
