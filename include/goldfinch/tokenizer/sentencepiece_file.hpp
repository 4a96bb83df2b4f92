// A SentencePiece model file, looked at before libsentencepiece gets it: the two settings that its interface does not tell, and
// the one thing in a file that the library trusts (0.1.97 reads out of bounds on a hostile one), its character map.
//
// The file is a protocol buffer: a list of (field number and wire type, content). Of it we read
//
//   ModelProto       3 normalizer_spec, 5 denormalizer_spec       both a NormalizerSpec
//   NormalizerSpec   2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces
//   the map          u32 size, a double-array trie of that many bytes, then strings that each end in a zero byte
//
// A trie unit is a u32: bits 0-7 label, 8 "has a value", 9 "offset is in units of 256", 10-30 offset, 31 "is a value". From unit
// i the byte c leads to unit i ^ offset ^ c, and the value of unit i, an offset into the strings, is in unit i ^ offset.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "goldfinch/core/error.hpp"
#include "goldfinch/core/utf8.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What a model does to a text, as far as its interface does not tell. The defaults are those of the format.
struct SentencePieceSettings {
  bool add_dummy_prefix = true;           // a space before every text
  bool remove_extra_whitespaces = true;   // none at the ends, one where there are several
  std::string denormalizer;               // a character map for decoded text; empty: none
};

namespace sentencepiece_file {

/// Base-128, least significant digits first, at most ten of them.
inline std::uint64_t varint(std::string_view& text) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70 && !text.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(text[0]);
    text.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fail("a number has no end");
}

enum class Type : std::uint32_t { number = 0, content = 2 };  // and others, of which we read none

/// Calls visit(field number, type, number, content) for every field; content is empty for numbers, number 0 for contents.
template <class Visit>
void fields(std::string_view message, Visit&& visit) {
  while (!message.empty()) {
    const auto tag = static_cast<std::uint32_t>(varint(message)), type = tag & 7;  // 32 bits, as the library reads it
    std::uint64_t number = 0, size = 0;
    if (type == 0) number = varint(message);
    else if (type == 1) size = 8;
    else if (type == 2) size = varint(message);
    else if (type == 5) size = 4;
    else fail("a field has an unknown type");
    if (size > message.size()) fail("a field goes on after the end of the file");
    visit(tag >> 3, static_cast<Type>(type), number, message.substr(0, size));
    message.remove_prefix(size);
  }
}

inline std::uint32_t u32_at(std::string_view text, std::size_t i) {
  std::uint32_t value = 0;
  for (std::size_t k = 0; k < 4; ++k) value |= static_cast<std::uint32_t>(static_cast<unsigned char>(text[i + k])) << (8 * k);
  return value;
}

/// Whether no text whatever makes the library leave the trie or the strings.
inline bool is_safe_character_map(std::string_view map) {
  if (map.empty()) return true;
  if (map.size() < 4) return false;
  const std::size_t trie_size = u32_at(map, 0), units = trie_size / 4;
  if (trie_size % 4 != 0 || units == 0 || trie_size > map.size() - 4) return false;
  const std::string_view trie = map.substr(4, trie_size), strings = map.substr(4 + trie_size);
  if (strings.empty() || strings.back() != '\0') return false;
  for (std::size_t i = 0; i < units; ++i) {
    const std::uint32_t unit = u32_at(trie, 4 * i);
    if (i > 0 && unit >> 31 != 0) continue;  // a value: no byte leads on from it
    const std::size_t next = i ^ (static_cast<std::size_t>(unit >> 10) << ((unit & 0x200) >> 6));
    if ((next | 0xff) >= units) return false;
    if ((unit & 0x100) != 0 && (u32_at(trie, 4 * next) & 0x7fffffff) >= strings.size()) return false;
  }
  return true;
}

/// A text with a safe, non-empty character map applied: at every place the longest string that the map knows becomes what it says.
inline std::string apply_character_map(std::string_view map, std::string_view text) {
  const std::size_t trie_size = u32_at(map, 0);
  const std::string_view trie = map.substr(4, trie_size), strings = map.substr(4 + trie_size);
  const auto unit_at = [&](std::size_t i) { return u32_at(trie, 4 * i); };
  const auto offset = [](std::uint32_t unit) { return static_cast<std::size_t>(unit >> 10) << ((unit & 0x200) >> 6); };
  std::string result;
  while (!text.empty()) {
    std::size_t node = offset(unit_at(0)), length = 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      const std::uint32_t unit = unit_at(node ^ byte);
      if ((unit & 0x800000ff) != byte) break;
      node = node ^ byte ^ offset(unit);
      if ((unit & 0x100) != 0) length = i + 1, value = unit_at(node) & 0x7fffffff;
    }
    if (length == 0) {
      const int n = utf8_character(text);
      length = n > 0 ? static_cast<std::size_t>(n) : 1;
      result += text.substr(0, length);
    } else {
      result += strings.data() + value;
    }
    text.remove_prefix(length);
  }
  return result;
}

}  // namespace sentencepiece_file

/// Throws Error, without the file's name, if it is not a protocol buffer or has a character map that is not safe to use.
inline SentencePieceSettings check_sentencepiece_file(std::string_view file) {
  SentencePieceSettings settings;
  using sentencepiece_file::Type;  // a field of another type than the format's is passed over, as protocol buffers are read
  sentencepiece_file::fields(file, [&](std::uint32_t part, Type type_of_part, std::uint64_t, std::string_view spec) {
    if ((part != 3 && part != 5) || type_of_part != Type::content) return;
    sentencepiece_file::fields(spec, [&](std::uint32_t field, Type type, std::uint64_t number, std::string_view content) {
      if (field == 2 && type == Type::content && !sentencepiece_file::is_safe_character_map(content)) fail("the character map points outside itself");
      if (part == 5 && field == 2 && type == Type::content) settings.denormalizer = content;
      if (part == 3 && field == 3 && type == Type::number) settings.add_dummy_prefix = number != 0;
      if (part == 3 && field == 4 && type == Type::number) settings.remove_extra_whitespaces = number != 0;
    });
  });
  return settings;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
