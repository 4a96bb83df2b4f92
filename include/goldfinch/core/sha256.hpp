// SHA-256 (FIPS 180-4): what outputs and files are compared by. Bytes in, in pieces of any length; 64 hexadecimal digits out.
// For telling whether bits are equal; a plain loop, about 300 MB/s.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class Sha256 {
 public:
  void update(const void* data, std::size_t size) {
    const auto* from = static_cast<const unsigned char*>(data);
    if (size == 0) return;
    const std::size_t held = length_ % 64;
    length_ += size;
    if (held > 0) {
      const std::size_t n = std::min(64 - held, size);
      std::memcpy(buffer_ + held, from, n);
      if (held + n < 64) return;
      compress(buffer_, 1);
      from += n;
      size -= n;
    }
    compress(from, size / 64);
    if (size % 64 > 0) std::memcpy(buffer_, from + size / 64 * 64, size % 64);
  }

  /// The digest of everything given so far, in lower case. Ends this object's use.
  std::string finish() {
    const std::uint64_t bits = length_ * 8;
    unsigned char padding[72] = {0x80};
    const std::size_t zeros = (119 - length_ % 64) % 64;  // after the first padding byte, up to 8 bytes before a block's end
    for (std::size_t i = 0; i < 8; ++i) padding[1 + zeros + i] = static_cast<unsigned char>(bits >> (56 - 8 * i));
    update(padding, 1 + zeros + 8);
    std::string text;
    for (const std::uint32_t x : state_)
      for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[x >> shift & 15];
    return text;
  }

 private:
  /// Takes `blocks` blocks of 64 bytes into state_.
  void compress(const unsigned char* data, std::size_t blocks) {
    const auto rotate = [](std::uint32_t x, int n) { return x >> n | x << (32 - n); };
    for (; blocks > 0; --blocks, data += 64) {
      std::uint32_t w[64];
      for (int t = 0; t < 16; ++t)
        w[t] = std::uint32_t{data[4 * t]} << 24 | std::uint32_t{data[4 * t + 1]} << 16 | std::uint32_t{data[4 * t + 2]} << 8 |
               data[4 * t + 3];
      for (int t = 16; t < 64; ++t)
        w[t] = w[t - 16] + (rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3) + w[t - 7] +
               (rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10);
      auto [a, b, c, d, e, f, g, h] = state_;
      for (int t = 0; t < 64; ++t) {
        const std::uint32_t sigma1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        const std::uint32_t sigma0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        const std::uint32_t t1 = h + sigma1 + ((e & f) ^ (~e & g)) + round_constants[t] + w[t];
        const std::uint32_t t2 = sigma0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
      }
      const std::uint32_t added[] = {a, b, c, d, e, f, g, h};
      for (std::size_t i = 0; i < 8; ++i) state_[i] += added[i];
    }
  }

  static constexpr std::uint32_t round_constants[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
      0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
      0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
      0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  unsigned char buffer_[64];
  std::uint64_t length_ = 0;
};

/// The digest of one string of bytes.
inline std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  return hash.finish();
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
