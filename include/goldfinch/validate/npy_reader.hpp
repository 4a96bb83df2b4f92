// Reading .npy: a magic number, a version, the length of a header, the header (a Python dict of three entries), the numbers.
//
//   \x93NUMPY 1 0  118 0  {'descr': '<f4', 'fortran_order': False, 'shape': (40, 64), }     then 40 * 64 floats
//
// Versions 1 and 2; f2 f4 f8, i1 to i8, u1 to u8, bool, both orders of bytes, C and Fortran order, all viewed in place. bfloat16, which NumPy does not
// know, is written by ml_dtypes and JAX as bytes of two ('<V2' or '|V2') and is read as bfloat16; files that hold bfloat16 as
// uint16 or int16 cannot be told from integers, so the caller says so (`half_words_are_bf16`). Everything else is refused with a reason.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/validate/array.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// An array that is whole, and not of numbers: a fault only where it is wanted.
struct NoNumbers : Error {
  using Error::Error;
};

namespace npy {

/// The header's dict. Strict: exactly the three keys, each once, as numpy.lib.format demands of a file.
class HeaderReader {
 public:
  std::string descr;
  bool fortran = false;
  Shape shape;

  HeaderReader(const std::string& what, std::string_view text) : what_(what), text_(text) {
    expect('{');
    bool seen[3] = {};
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      const int i = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (i < 0 || seen[i]) malformed();
      seen[i] = true;
      if (i == 0) descr = type();
      else if (i == 1) fortran = boolean();
      else dimensions();
      if (!accept(',') && peek() != '}') malformed();
    }
    peek();
    if (!seen[0] || !seen[1] || !seen[2] || at_ < text_.size()) malformed();
  }

 private:
  [[noreturn]] void malformed() const {
    fail(what_, ": has a header that is not the dict of 'descr', 'fortran_order' and 'shape' that NumPy writes: ", in_quotes(text_));
  }
  /// The next character that is no blank, or 0 at the end.
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) malformed();
  }
  bool accept(std::string_view word) {
    peek();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') malformed();
    const std::size_t end = text_.find(quote, ++at_);
    if (end == std::string_view::npos) malformed();
    const std::string result(text_.substr(at_, end - at_));
    at_ = end + 1;
    return result;
  }
  std::string type() {
    if (peek() == '[') throw NoNumbers(what_ + ": holds records (a structured type), expected plain numbers");
    return string();
  }
  bool boolean() {
    if (accept("True")) return true;
    if (!accept("False")) malformed();
    return false;
  }
  void dimensions() {
    expect('(');
    while (!accept(')')) {
      if (peek() < '0' || peek() > '9') malformed();
      Index n = 0;
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
        if (n > std::numeric_limits<Index>::max() / 16) malformed();
        n = 10 * n + (text_[at_] - '0');
      }
      if (shape.size() == most_dimensions) fail(what_, ": has more than ", most_dimensions, " dimensions");
      shape.push_back(n);
      if (!accept(',') && peek() != ')') malformed();
    }
  }

  const std::string& what_;
  std::string_view text_;
  std::size_t at_ = 0;
};

/// '<f4', '|u1', '<V2': byte order, kind, size.
inline NumberType number_type(const std::string& what, const std::string& descr, bool half_words_are_bf16) {
  std::string_view kind = descr;
  if (!kind.empty() && (kind[0] == '<' || kind[0] == '>' || kind[0] == '|' || kind[0] == '=')) kind.remove_prefix(1);
  constexpr std::pair<const char*, NumberType> kinds[] = {
      {"f8", NumberType::f64}, {"f4", NumberType::f32}, {"f2", NumberType::f16}, {"V2", NumberType::bf16}, {"i8", NumberType::i64},
      {"i4", NumberType::i32}, {"i2", NumberType::i16}, {"i1", NumberType::i8},  {"u8", NumberType::u64},  {"u4", NumberType::u32},
      {"u2", NumberType::u16}, {"u1", NumberType::u8},  {"b1", NumberType::boolean}};
  if (half_words_are_bf16 && (kind == "u2" || kind == "i2")) return NumberType::bf16;
  for (const auto& [name, type] : kinds)
    if (kind == name) return type;
  if (kind == "O") throw NoNumbers(what + ": holds Python objects (pickled), expected numbers");
  throw NoNumbers(what + ": holds numbers of type " + in_quotes(descr) + ", expected f2, f4, f8, i1 to i8, u1 to u8, b1, or V2 for bfloat16");
}

}  // namespace npy

/// The array in the bytes of a .npy file; `what` names it in messages, `storage` keeps the bytes. Throws Error.
inline Array read_npy(const std::string& what, std::span<const std::byte> bytes, std::shared_ptr<const void> storage,
                      bool half_words_are_bf16 = false) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() < 10 || !text.starts_with("\x93NUMPY")) fail(what, ": is not a .npy file");
  const int major = text[6], minor = text[7];
  if ((major != 1 && major != 2) || minor != 0) fail(what, ": is a .npy file of version ", major, ".", minor, ", expected 1.0 or 2.0");
  const std::size_t start = major == 1 ? 10 : 12;
  if (text.size() < start) fail(what, ": is cut short");
  const std::size_t length = major == 1 ? load<std::uint16_t>(bytes.data() + 8, 0) : load<std::uint32_t>(bytes.data() + 8, 0);
  if (length > text.size() - start) fail(what, ": has a header of ", length, " bytes by its own account, with ", text.size() - start, " bytes left");
  npy::HeaderReader header(what, text.substr(start, length));
  const NumberType type = npy::number_type(what, header.descr, half_words_are_bf16);
  const Index count = element_count(header.shape), size = info_of(type).size;
  const auto left = static_cast<Index>(text.size() - start - length);
  if (count < 0 || count > left / size || count * size != left)
    fail(what, ": holds ", left, " bytes of numbers, which is not what shape ", to_string(header.shape), " of type ",
         in_quotes(header.descr), " takes");
  Array array(type, header.shape, bytes.data() + start + length, std::move(storage), header.fortran);
  array.big_endian = header.descr.starts_with('>');
  return array;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
