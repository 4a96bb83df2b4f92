// What this machine can do at best, measured in the same run as whatever is held against it: bytes a second that can be read from
// memory, and multiply-and-add operations a second in registers. Each is the best of several ways.
#pragma once

#include <algorithm>
#include <chrono>

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

/// Bytes a second at which all threads together read the buffer, by the best of 1, 2, 4 and 8 streams with and without prefetch.
inline double read_bandwidth(const goldfinch::HugeBuffer& buffer) {
  using Read = std::uint64_t (*)(const std::byte*, std::size_t);
  static constexpr Read ways[] = {read_sum<1, false>, read_sum<2, false>, read_sum<4, false>, read_sum<8, false>,
                                  read_sum<1, true>,  read_sum<2, true>,  read_sum<4, true>,  read_sum<8, true>};
  double best = 0;
  for (const Read read : ways) {
    const double start = now();
    constexpr Index portions = 64;
    goldfinch::parallel_for(portions, 1, [&](Index begin, Index end) {
      const std::size_t portion = buffer.size() / portions;
      [[maybe_unused]] static volatile std::uint64_t sink;
      sink = read(buffer.data() + static_cast<std::size_t>(begin) * portion, static_cast<std::size_t>(end - begin) * portion);
    });
    best = std::max(best, static_cast<double>(buffer.size()) / (now() - start));
  }
  return best;
}

/// Operations a second of multiplications and additions in registers, on all threads.
template <class Scalar>
double peak_operations() {
  using V = goldfinch::Simd<Scalar, goldfinch::lanes<Scalar>>;
  constexpr int chains = 12, steps = 400000;
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const Index parts = 8;
    const double start = now();
    goldfinch::parallel_for(parts, 1, [&](Index begin, Index end) {
      for (Index p = begin; p < end; ++p) {
        V x = V{} + Scalar(0.999), a[chains];
        for (int c = 0; c < chains; ++c) a[c] = V{} + Scalar(c);
        for (int i = 0; i < steps; ++i)
          for (int c = 0; c < chains; ++c) {
            V product = a[c] * x;
            asm volatile("" : "+v"(product));
            a[c] = product + x;
          }
        [[maybe_unused]] static volatile Scalar sink;
        for (int c = 0; c < chains; ++c) sink = a[c][0];
      }
    });
    best = std::max(best, 2.0 * chains * steps * goldfinch::lanes<Scalar> * static_cast<double>(parts) / (now() - start));
  }
  return best;
}

}  // namespace limits
