// Random numbers by index: number i of a stream is a function of (seed, name, i), with no state, so any thread may compute any
// part, in any order (docs/numerics.md, rule 13). Philox4x64-10 (Salmon et al. 2011), the words of NumPy's
// Philox(key=[seed, fnv1a64(name)]).random_raw(n). For models, sampling and tests; not for cryptography.
//
//   RNG.1   word(4b + j)  word j of the block with counter 1 + b
//   RNG.2   uniform(i)    (word(i) >> 11) * 2^-53                                           in [0, 1), exact
//   RNG.3   normal(i)     (sum of the 16-bit fields of words 3i, 3i + 1, 3i + 2, word by word, lowest bits first,
//                         minus 6 * 65535) * 2^-16                                          exact in float; |normal| < 6
//
// The fields are added as integers, so their order cannot matter. A sum of twelve uniforms has mean 0 and variance 1 (to 2^-32)
// and needs no function whose bits depend on a library.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// FNV-1a, 64 bits.
constexpr std::uint64_t fnv1a64(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// The four words that Philox4x64-10 makes of a 64-bit counter (the upper 192 bits are 0) and a key.
constexpr std::array<std::uint64_t, 4> philox(std::uint64_t counter, std::array<std::uint64_t, 2> key) {
  __extension__ typedef unsigned __int128 Product;
  std::array<std::uint64_t, 4> x = {counter, 0, 0, 0};
  for (int round = 0; round < 10; ++round) {
    const Product a = static_cast<Product>(x[0]) * 0xd2e7470ee14c6c93, b = static_cast<Product>(x[2]) * 0xca5a826395121157;
    x = {static_cast<std::uint64_t>(b >> 64) ^ x[1] ^ key[0], static_cast<std::uint64_t>(b),
         static_cast<std::uint64_t>(a >> 64) ^ x[3] ^ key[1], static_cast<std::uint64_t>(a)};
    key[0] += 0x9e3779b97f4a7c15;
    key[1] += 0xbb67ae8584caa73b;
  }
  return x;
}

/// Every index gives a number: words repeat after 2^64 of them, normals use indices modulo 2^64 / 3.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view name) : key_{seed, fnv1a64(name)} {}

  std::uint64_t word(std::uint64_t i) const { return block(i / 4)[i % 4]; }
  double uniform(std::uint64_t i) const { return static_cast<double>(word(i) >> 11) * 0x1p-53; }
  double normal(std::uint64_t i) const { return normal_of<double>(word(3 * i), word(3 * i + 1), word(3 * i + 2)); }

  /// Normals first .. first + count - 1. Four of them take three whole blocks, so this is several times faster than one by one.
  template <class Scalar>
  void normals(std::uint64_t first, Index count, Scalar* out) const {
    const std::uint64_t end = first + static_cast<std::uint64_t>(count);
    std::uint64_t i = first;
    for (; i < end && i % 4 != 0; ++i) *out++ = static_cast<Scalar>(normal(i));
    for (; i + 4 <= end; i += 4, out += 4) {
      const std::uint64_t b = i / 4 * 3;
      const auto x = block(b), y = block(b + 1), z = block(b + 2);
      out[0] = normal_of<Scalar>(x[0], x[1], x[2]);
      out[1] = normal_of<Scalar>(x[3], y[0], y[1]);
      out[2] = normal_of<Scalar>(y[2], y[3], z[0]);
      out[3] = normal_of<Scalar>(z[1], z[2], z[3]);
    }
    for (; i < end; ++i) *out++ = static_cast<Scalar>(normal(i));
  }

 private:
  std::array<std::uint64_t, 4> block(std::uint64_t b) const { return philox(1 + b, key_); }

  template <class Scalar>
  static Scalar normal_of(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
    // Two sums at once, in the halves of a word: six fields fit 19 bits.
    constexpr std::uint64_t even = 0x0000ffff0000ffff;
    const std::uint64_t sums =
        (a & even) + (a >> 16 & even) + (b & even) + (b >> 16 & even) + (c & even) + (c >> 16 & even);
    const std::int32_t sum = static_cast<std::int32_t>(sums & 0xffffffff) + static_cast<std::int32_t>(sums >> 32);
    return static_cast<Scalar>(sum - 6 * 65535) * Scalar(0x1p-16);
  }

  std::array<std::uint64_t, 2> key_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
