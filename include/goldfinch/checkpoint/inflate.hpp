// Inflating: the bytes of a DEFLATE stream (RFC 1951), as np.savez_compressed and zip write them. The size must be known before,
// from somewhere else, and is checked against what so many compressed bytes can give at most before anything is allocated.
//
//   a stream is blocks, the last one marked: stored bytes, or symbols of Huffman codes, fixed or told in front of them
//   a symbol is a byte, the end of the block, or a length and a distance: bytes that stood so far back once more
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace inflate_detail {

/// A canonical Huffman code of at most 15 bits: how many codes have each length, and their symbols in order.
struct HuffmanCode {
  std::array<std::uint16_t, 16> counts{};
  std::vector<std::uint16_t> symbols;

  /// From the length of every symbol's code, 0 where it has none. False if there are more codes than the lengths leave room for.
  bool make(std::span<const std::uint8_t> lengths) {
    counts.fill(0);
    for (const auto length : lengths) ++counts[length];
    counts[0] = 0;
    std::array<std::uint16_t, 16> offsets{};
    int left = 1;
    for (std::size_t length = 1; length < 16; ++length) {
      left = 2 * left - counts[length];
      if (left < 0) return false;
      if (length < 15) offsets[length + 1] = static_cast<std::uint16_t>(offsets[length] + counts[length]);
    }
    symbols.assign(lengths.size(), 0);
    for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol)
      if (lengths[symbol] != 0) symbols[offsets[lengths[symbol]]++] = static_cast<std::uint16_t>(symbol);
    return true;
  }
};

class Inflater {
 public:
  Inflater(const std::string& what, std::span<const std::byte> in, std::uint64_t size) : what_(what), in_(in), size_(size) {
    if (size / 1032 > in.size()) damaged();  // 258 bytes out of two bits is the most
    out_.reserve(static_cast<std::size_t>(size));
  }

  std::vector<std::byte> all() {
    for (bool last = false; !last;) {
      last = bits(1) != 0;
      switch (bits(2)) {
        case 0: stored(); break;
        case 1: fixed(); break;
        case 2: dynamic(); break;
        default: damaged();
      }
    }
    if (out_.size() != size_) fail(what_, ": gives ", out_.size(), " bytes when it is inflated, expected ", size_);
    return std::move(out_);
  }

 private:
  [[noreturn]] void damaged() const { fail(what_, ": is compressed, and damaged"); }

  unsigned bits(int n) {
    while (held_ < n) {
      if (at_ == in_.size()) damaged();
      hold_ |= std::to_integer<std::uint32_t>(in_[at_++]) << held_;
      held_ += 8;
    }
    const std::uint32_t value = hold_ & ((std::uint32_t{1} << n) - 1);
    hold_ >>= n, held_ -= n;
    return value;
  }

  unsigned symbol(const HuffmanCode& code) {
    int value = 0, first = 0, index = 0;
    for (std::size_t length = 1; length < 16; ++length) {
      value |= static_cast<int>(bits(1));
      const int count = code.counts[length];
      if (value - count < first) return code.symbols[static_cast<std::size_t>(index + value - first)];
      index += count, first = (first + count) << 1, value <<= 1;
    }
    damaged();
  }

  void put(std::byte byte) {
    if (out_.size() == size_) fail(what_, ": gives more than the ", size_, " bytes that are expected when it is inflated");
    out_.push_back(byte);
  }

  void stored() {
    hold_ = 0, held_ = 0;  // on to a whole byte
    const unsigned length = bits(16), inverse = bits(16);
    if ((length ^ 0xffff) != inverse || length > in_.size() - at_) damaged();
    for (unsigned i = 0; i < length; ++i) put(in_[at_++]);
  }

  void fixed() {
    std::array<std::uint8_t, 288> lengths{};
    for (std::size_t s = 0; s < lengths.size(); ++s) lengths[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
    std::array<std::uint8_t, 30> distances{};
    distances.fill(5);
    HuffmanCode literal, distance;
    (void)literal.make(lengths), (void)distance.make(distances);
    symbols(literal, distance);
  }

  void dynamic() {
    constexpr std::uint8_t order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    const std::size_t literals = bits(5) + 257, distances = bits(5) + 1, known = bits(4) + 4;
    std::array<std::uint8_t, 19> code_lengths{};
    for (std::size_t i = 0; i < known; ++i) code_lengths[order[i]] = static_cast<std::uint8_t>(bits(3));
    HuffmanCode of_lengths, literal, distance;
    if (literals > 286 || distances > 30 || !of_lengths.make(code_lengths)) damaged();
    std::array<std::uint8_t, 286 + 30> lengths{};
    for (std::size_t i = 0; i < literals + distances;) {
      const unsigned s = symbol(of_lengths);
      if (s == 16 && i == 0) damaged();
      const std::uint8_t repeated = s < 16 ? static_cast<std::uint8_t>(s) : s == 16 ? lengths[i - 1] : 0;
      const std::size_t times = s < 16 ? 1 : s == 16 ? 3 + bits(2) : s == 17 ? 3 + bits(3) : 11 + bits(7);
      if (times > literals + distances - i) damaged();
      for (std::size_t n = 0; n < times; ++n) lengths[i++] = repeated;
    }
    const std::span<const std::uint8_t> all(lengths);
    if (!literal.make(all.first(literals)) || !distance.make(all.subspan(literals, distances))) damaged();
    symbols(literal, distance);
  }

  /// Up to the end of the block.
  void symbols(const HuffmanCode& literal, const HuffmanCode& distance) {
    for (unsigned s = symbol(literal); s != 256; s = symbol(literal)) {
      if (s < 256) {
        put(static_cast<std::byte>(s));
        continue;
      }
      if (s > 285) damaged();
      // Eight lengths of one byte each, then four with one more bit each time: 3 … 10, 11, 13, 15, 17, 19, 23, …; the last is 258.
      const int step = static_cast<int>(s) - 257, more = step < 8 || step == 28 ? 0 : step / 4 - 1;
      const std::size_t length = step == 28 ? 258 : step < 8 ? static_cast<std::size_t>(step) + 3 : ((std::size_t{4} + step % 4) << more) + 3 + bits(more);
      const unsigned d = symbol(distance);
      if (d > 29) damaged();
      const int wider = d < 4 ? 0 : static_cast<int>(d) / 2 - 1;  // 1, 2, 3, 4, 5, 7, 9, 13, …
      const std::size_t back = d < 4 ? d + 1 : ((std::size_t{2} + d % 2) << wider) + 1 + bits(wider);
      if (back > out_.size()) damaged();
      for (std::size_t n = 0; n < length; ++n) put(out_[out_.size() - back]);
    }
  }

  const std::string& what_;
  std::span<const std::byte> in_;
  std::uint64_t size_;
  std::vector<std::byte> out_;
  std::size_t at_ = 0;
  std::uint32_t hold_ = 0;
  int held_ = 0;  // bits of hold_
};

}  // namespace inflate_detail

/// The `size` bytes that a DEFLATE stream gives. Throws Error, beginning with `what`, if it is damaged or gives another number of bytes;
/// never allocates more than 1032 times the stream's own size.
inline std::vector<std::byte> inflate(const std::string& what, std::span<const std::byte> stream, std::uint64_t size) {
  return inflate_detail::Inflater(what, stream, size).all();
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
