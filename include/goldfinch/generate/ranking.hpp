// Tokens by probability descending, then id ascending, sorted only as far as somebody reads: the top of 65536 tokens costs two
// passes over them, and all of them a fraction of std::sort. Nothing approximate: what comes out is the full sort's prefix.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "goldfinch/core/arithmetic.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct Ranked {
  double p;
  int token;
};

class Ranking {
 public:
  /// Starts on p, whose elements are 0 or more; fewer than 2^31. Tokens with p = 0 are left out.
  void reset(const std::vector<double>& p) {
    // The bits of a double that is not negative, as an integer, have its order. Dealt by their leading bits into about as many
    // piles as there are tokens, they are nearly sorted: a pile holds a few tokens, and all piles are dealt in two passes.
    std::uint64_t low = ~std::uint64_t{0}, high = 0;
    for (const double x : p) {
      const std::uint64_t key = std::bit_cast<std::uint64_t>(x);
      high = std::max(high, key);
      low = std::min(low, key - 1);  // 0 becomes the largest
    }
    low = std::min(low + 1, high);
    const int shift = std::max(0, static_cast<int>(std::bit_width(high - low)) - static_cast<int>(std::bit_width(p.size())));
    const auto pile = [&](double x) { return static_cast<std::size_t>((high - std::bit_cast<std::uint64_t>(x)) >> shift); };

    ends_.assign(static_cast<std::size_t>((high - low) >> shift) + 1, 0);
    for (const double x : p)
      if (x > 0) ++ends_[pile(x)];
    std::uint32_t before = 0;
    for (std::uint32_t& end : ends_) before += std::exchange(end, before);  // where each pile starts
    tokens_.resize(before);
    for (std::size_t i = 0; i < p.size(); ++i)
      if (p[i] > 0) tokens_[ends_[pile(p[i])]++] = {p[i], static_cast<int>(i)};  // ...and ends, once it is dealt
    pile_ = 0;
    begin_ = 0;
  }

  /// The next tokens of the order, at least one; empty at its end. Valid until the next reset.
  std::span<const Ranked> next() {
    while (pile_ < ends_.size() && ends_[pile_] == begin_) ++pile_;
    if (pile_ == ends_.size()) return {};
    const std::span<Ranked> group(tokens_.data() + begin_, tokens_.data() + ends_[pile_]);
    const auto before = [](const Ranked& a, const Ranked& b) { return a.p > b.p || (a.p == b.p && a.token < b.token); };
    std::sort(group.begin(), group.end(), before);
    begin_ = ends_[pile_];
    return group;
  }

 private:
  std::vector<Ranked> tokens_;        // pile after pile
  std::vector<std::uint32_t> ends_;   // of each pile in tokens_
  std::size_t pile_ = 0;
  std::uint32_t begin_ = 0;           // of what has not been returned
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
