// What this machine can do at best, measured in the same run as whatever is held against it: bytes a second that can be read from
// memory, and multiply-and-add operations a second in registers. Each is the best of several ways.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <vector>

#include "goldfinch/core/parallel.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/core/simd.hpp"

namespace limits {

using goldfinch::Index;

inline double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Sums the words of [from, from + bytes), `streams` parts of it side by side.
template <int streams, bool prefetch>
std::uint64_t read_sum(const std::byte* from, std::size_t bytes) {
  using V = goldfinch::Simd<std::uint64_t, goldfinch::vector_bytes / 8>;
  V sums[streams][2] = {};
  const std::size_t part = bytes / streams / 128 * 128;
  for (std::size_t i = 0; i < part; i += 2 * sizeof(V))
    for (int s = 0; s < streams; ++s) {
      const std::byte* const at = from + s * part + i;
      if constexpr (prefetch) __builtin_prefetch(at + 1024, 0, 3);
      sums[s][0] ^= goldfinch::load_vector<V>(at);
      sums[s][1] ^= goldfinch::load_vector<V>(at + sizeof(V));
    }
  std::uint64_t all = 0;
  for (const auto& s : sums)
    for (const V& v : s)
      for (int i = 0; i < static_cast<int>(sizeof(V) / 8); ++i) all ^= v[i];
  return all;
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// How fast all threads together read a buffer, in eight ways: 1, 2, 4 and 8 streams, with and without prefetch. Each way is timed again
/// and again between the steps of what is held against it; the limit is the way with the best median. (The best of all single
/// times would be the luck of the shortest: on shared machines the bandwidth changes by half from one second to the next.)
class ReadLimit {
 public:
  explicit ReadLimit(std::size_t bytes) : buffer_(bytes) { std::memset(buffer_.data(), 1, buffer_.size()); }

  /// Times every way once.
  void probe() {
    for (std::size_t way = 0; way < ways.size(); ++way) {
      const double start = now();
      constexpr Index portions = 64;
      goldfinch::parallel_for(portions, 1, [&](Index begin, Index end) {
        const std::size_t portion = buffer_.size() / portions;
        [[maybe_unused]] static volatile std::uint64_t sink;
        sink = ways[way](buffer_.data() + static_cast<std::size_t>(begin) * portion, static_cast<std::size_t>(end - begin) * portion);
      });
      seconds_[way].push_back(now() - start);
    }
  }

  /// Bytes a second.
  double limit() const {
    double best = 0;
    for (const auto& times : seconds_) best = std::max(best, static_cast<double>(buffer_.size()) / median(times));
    return best;
  }

 private:
  using Read = std::uint64_t (*)(const std::byte*, std::size_t);
  static constexpr std::array<Read, 8> ways = {read_sum<1, false>, read_sum<2, false>, read_sum<4, false>, read_sum<8, false>,
                                               read_sum<1, true>,  read_sum<2, true>,  read_sum<4, true>,  read_sum<8, true>};
  goldfinch::HugeBuffer buffer_;
  std::array<std::vector<double>, ways.size()> seconds_;
};

/// Operations a second of a loop of multiplications and additions in registers, `chains` of them side by side, on all threads; with
/// `fused`, of fused ones, which this library does not use.
template <class Scalar, int chains, bool fused>
double operations() {
  using V = goldfinch::Simd<Scalar, goldfinch::lanes<Scalar>>;
  constexpr int steps = 1600000 / chains;
  constexpr Index parts = 8;
  const double start = now();
  goldfinch::parallel_for(parts, 1, [&](Index begin, Index end) {
    for (Index p = begin; p < end; ++p) {
      V x = V{} + Scalar(0.999), a[chains];
      for (int c = 0; c < chains; ++c) a[c] = V{} + Scalar(c);
      for (int i = 0; i < steps; ++i)
#pragma GCC unroll 24
        for (int c = 0; c < chains; ++c) {
          V product = a[c] * x;
#if defined(__FMA__)
          if constexpr (fused) {
            if constexpr (sizeof(Scalar) == 4) asm("vfmadd213ps %1, %1, %0" : "+v"(a[c]) : "v"(x));
            else asm("vfmadd213pd %1, %1, %0" : "+v"(a[c]) : "v"(x));
            continue;
          }
#endif
#if defined(__x86_64__)
          asm("" : "+v"(product));  // one rounding an operation
#endif
          a[c] = product + x;
        }
      [[maybe_unused]] static volatile Scalar sink;
      for (int c = 0; c < chains; ++c) sink = a[c][0];
    }
  });
  return 2.0 * chains * steps * goldfinch::lanes<Scalar> * static_cast<double>(parts) / (now() - start);
}

/// How fast all threads together multiply and add in registers: the limit of matrix products that round every product and every sum, as
/// the numerics contract has it. Taken as ReadLimit takes its own, for the same reason: where a core is shared with somebody, every single
/// time is one of two speeds.
template <class Scalar>
class ArithmeticLimit {
 public:
  /// Times every way once.
  void probe() {
    for (std::size_t way = 0; way < ways.size(); ++way) rates_[way].push_back(ways[way]());
  }

  /// Operations a second.
  double limit() const { return std::max(median(rates_[0]), median(rates_[1])); }

  /// The same with fused multiplications and additions, which other libraries use and this one does not: AMD's Zen makes as many a second,
  /// Intel's processors up to twice as many.
  double fused() const { return median(rates_[2]); }

 private:
  static constexpr std::array<double (*)(), 3> ways = {operations<Scalar, 12, false>, operations<Scalar, 20, false>, operations<Scalar, 12, true>};
  std::array<std::vector<double>, ways.size()> rates_;
};

}  // namespace limits
