// Plain arrays, and the ways in which right implementations of the same equations differ: the order of sums, the form of the
// recurrence, the tiles of the softmax, and where a bfloat16 backend rounds. Nothing here or beside it that computes comes from
// include/: this is the second opinion.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "naive/mutants.hpp"

namespace naive {

/// [rows, cols], row by row.
template <class S>
struct Array {
  int rows = 0, cols = 0;
  std::vector<S> x;

  Array() = default;
  Array(int r, int c) : rows(r), cols(c), x(static_cast<std::size_t>(r) * static_cast<std::size_t>(c)) {}

  S& operator()(int t, int j) { return x[static_cast<std::size_t>(t) * static_cast<std::size_t>(cols) + static_cast<std::size_t>(j)]; }
  const S& operator()(int t, int j) const { return x[static_cast<std::size_t>(t) * static_cast<std::size_t>(cols) + static_cast<std::size_t>(j)]; }

  template <class Other>
  Array<Other> as() const {
    Array<Other> y(rows, cols);
    for (std::size_t i = 0; i < x.size(); ++i) y.x[i] = static_cast<Other>(x[i]);
    return y;
  }
  /// Rows first .. first + n - 1.
  Array part(int first, int n) const {
    Array y(n, cols);
    for (int t = 0; t < n; ++t)
      for (int j = 0; j < cols; ++j) y(t, j) = (*this)(first + t, j);
    return y;
  }
  /// Puts the rows of y behind its own.
  void append(const Array& y) {
    cols = y.cols;
    rows += y.rows;
    x.insert(x.end(), y.x.begin(), y.x.end());
  }
};

enum class Sum { sequential, reversed, pairwise, blocks_of_16 };

/// Where bfloat16 comes in; sums, norms' insides, decays, softmax and the state of wkv are float32 in all of them.
enum class Rounding {
  none,
  operators,   // what an operator hands on is bfloat16
  every_step,  // and so is every elementwise operation inside a token shift, a mix and a residual, and the softmax's weights
  autocast     // only what goes into and comes out of matrix products is bfloat16
};

/// One way to compute. All of them are right while `mutant` is none.
struct Way {
  Sum sum = Sum::sequential;
  Rounding rounding = Rounding::none;
  int wkv_chunk = 0;               // 0: the recurrence; else the matrix form, so many tokens at once
  int key_tile = 0;                // 0: softmax over all keys; else a running maximum over tiles of so many
  bool powers = false;             // rotary frequencies by pow instead of exp
  Mutant mutant = Mutant::none;
};

/// To the nearest bfloat16, ties to even.
inline float to_bfloat16(float x) {
  if (x != x) return x;
  std::uint32_t word;
  std::memcpy(&word, &x, sizeof word);
  word = (word + 0x7fff + (word >> 16 & 1)) & 0xffff0000;
  std::memcpy(&x, &word, sizeof x);
  return x;
}
template <class S>
S to_bfloat16(S x) { return static_cast<S>(to_bfloat16(static_cast<float>(x))); }

template <class S, class Term>
S pairwise_sum(int first, int n, Term&& term) {
  if (n == 0) return S(0);
  if (n == 1) return term(first);
  return pairwise_sum<S>(first, n / 2, term) + pairwise_sum<S>(first + n / 2, n - n / 2, term);
}

/// term(0) + … + term(n - 1), in this order or that.
template <class S, class Term>
S sum(Sum order, int n, Term&& term) {
  S s(0);
  switch (order) {
    case Sum::sequential:
      for (int i = 0; i < n; ++i) s += term(i);
      return s;
    case Sum::reversed:
      for (int i = n - 1; i >= 0; --i) s += term(i);
      return s;
    case Sum::pairwise: return pairwise_sum<S>(0, n, term);
    case Sum::blocks_of_16: break;
  }
  for (int first = 0; first < n; first += 16) {
    S block(0);
    for (int i = first; i < n && i < first + 16; ++i) block += term(i);
    s += block;
  }
  return s;
}

}  // namespace naive
