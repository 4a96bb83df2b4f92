// What "equal" means in the tests: the same bits, or both NaN. And numbers to test with.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "goldfinch/core/matrix.hpp"

namespace bits {

using goldfinch::Index;

template <std::floating_point Scalar>
bool same(Scalar a, Scalar b) {
  using Word = std::conditional_t<sizeof(Scalar) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Word>(a) == std::bit_cast<Word>(b) || (a != a && b != b);
}

template <class Scalar>
bool same(const Scalar* a, const Scalar* b, Index n) {
  for (Index i = 0; i < n; ++i)
    if (!same(a[i], b[i])) return false;
  return true;
}

/// Matrices or vectors, or rows of them, of any sizes.
template <class A, class B>
bool same(const Eigen::DenseBase<A>& a, const Eigen::DenseBase<B>& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (Index i = 0; i < a.rows(); ++i)
    for (Index j = 0; j < a.cols(); ++j)
      if (!same<typename A::Scalar>(a.derived()(i, j), b.derived()(i, j))) return false;
  return true;
}

/// A small generator: any does.
class Random {
 public:
  explicit Random(std::uint64_t seed = 1) : state_(seed * 0x9e3779b97f4a7c15u) { word(); }

  std::uint32_t word() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 32);
  }
  /// Uniform in (-1, 1).
  double number() { return (static_cast<double>(word()) + 0.5) * 0x1p-31 - 1; }
  Index below(Index n) { return static_cast<Index>(word() % static_cast<std::uint32_t>(n)); }

  /// Mostly ordinary numbers, with zeros of both signs, denormals, huge ones, infinities and NaN among them.
  template <class Scalar>
  Scalar hostile() {
    using limits = std::numeric_limits<Scalar>;
    const Scalar sign(word() % 2 ? 1 : -1);
    switch (word() % 40) {
      case 0: return sign * Scalar(0);
      case 1: return sign * limits::denorm_min();
      case 2: return sign * limits::min() * Scalar(0.37);
      case 3: return sign * limits::max();
      case 4: return sign * limits::max() * Scalar(1e-3);
      case 5: return sign * Scalar(1e-30);
      case 6: return word() % 8 ? sign * Scalar(1e30) : sign * limits::infinity();
      case 7: return word() % 8 ? sign * limits::epsilon() : limits::quiet_NaN();
      default: return static_cast<Scalar>(number());
    }
  }

  template <class Scalar>
  goldfinch::Matrix<Scalar> matrix(Index rows, Index cols, double scale = 1) {
    return goldfinch::Matrix<Scalar>::NullaryExpr(rows, cols, [&] { return static_cast<Scalar>(scale * number()); });
  }
  template <class Scalar>
  goldfinch::Matrix<Scalar> hostile_matrix(Index rows, Index cols) {
    return goldfinch::Matrix<Scalar>::NullaryExpr(rows, cols, [&] { return hostile<Scalar>(); });
  }
  template <class Scalar>
  goldfinch::Vector<Scalar> vector(Index n, double scale = 1) {
    return goldfinch::Vector<Scalar>::NullaryExpr(n, [&] { return static_cast<Scalar>(scale * number()); });
  }

 private:
  std::uint64_t state_;
};

}  // namespace bits
