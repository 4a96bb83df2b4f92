// The sum that every result of this library is made of (docs/numerics.md, rule 2): blocks of 64 consecutive terms, one accumulator
// a block, block sums added in order. Its error grows with the root of K/64 blocks instead of K terms, and because blocks do
// not touch each other, vectors may run across outputs or across blocks: the definition knows no lane count.
#pragma once

#include <algorithm>

#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Terms in a block of a sum; also the tokens of a page of the key cache and of a tile of attention.
inline constexpr Index block = 64;

namespace plain {

/// The definition: sum of term(0) .. term(n - 1).
template <class Scalar, class Term>
Scalar blocked_sum(Index n, Term&& term) {
  Scalar s(0);
  for (Index first = 0; first < n; first += block) {
    Scalar c(0);
    for (Index k = first; k < std::min(first + block, n); ++k) c = c + term(k);
    s = s + c;
  }
  return s;
}

}  // namespace plain

/// The same bits, with eight blocks side by side so that eight additions are under way at once.
template <class Scalar, class Term>
Scalar blocked_sum(Index n, Term&& term) {
  constexpr int side = 8;
  Scalar s(0);
  Index first = 0;
  for (; first + side * block <= n; first += side * block) {
    Scalar c[side];
    for (int b = 0; b < side; ++b) c[b] = Scalar(0);
    for (Index k = 0; k < block; ++k)
      for (int b = 0; b < side; ++b) c[b] = c[b] + term(first + b * block + k);
    for (int b = 0; b < side; ++b) s = s + c[b];
  }
  for (; first < n; first += block) {
    Scalar c(0);
    for (Index k = first; k < std::min(first + block, n); ++k) c = c + term(k);
    s = s + c;
  }
  return s;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
