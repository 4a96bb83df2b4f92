// Matrices, vectors and the letters that stand for their sizes everywhere in this library.
//
//   T  tokens (rows)                      D  n_embd, the width of the residual stream       V  vocabulary
//   H  heads                              N  head_size, channels of a head; D = H N         F  dim_ffn, width of the channel mix
//   R  width of a compressed key          G  number of GOLD layers
//
// Sequences are rows. A linear weight is [out, in] and y = x W^T. Eigen stores, maps and slices; sums and products are ours
// (math/), because Eigen's change their bits with chunk, alignment, threads and instruction set.
#pragma once

#include <Eigen/Core>

#include <limits>
#include <string>
#include <vector>

#include "goldfinch/core/arithmetic.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

using Index = Eigen::Index;

/// [rows, cols], one token a row, rows contiguous.
template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class Scalar>
using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;

/// Tensor shapes, outermost dimension first.
using Shape = std::vector<Index>;

/// "[2, 3]", for messages.
inline std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// No dimension of anything is larger, so that sums, small multiples and bytes of dimensions do not overflow.
inline constexpr Index largest_dimension = Index{1} << 40;

/// No tensor in a file has more dimensions: NumPy has 64 at most. Shapes are copied, and walked for every element.
inline constexpr std::size_t most_dimensions = 64;

/// The number of elements, or -1 where a dimension is negative or above largest_dimension, or the product of those above 0 does not fit: where
/// there are no elements, too, strides are products of dimensions.
inline Index element_count(const Shape& shape) {
  Index count = 1;
  bool empty = false;
  for (const Index n : shape) {
    if (n < 0 || n > largest_dimension) return -1;
    empty = empty || n == 0;
    if (n == 0) continue;
    if (count > std::numeric_limits<Index>::max() / 16 / n) return -1;
    count *= n;
  }
  return empty ? 0 : count;
}

// The checks at the entrances of public functions: a comparison each, next to nothing beside any work on a row. `what` names in the
// message what was given.

/// Throws unless x is [any, cols].
template <class X>
void require_cols(const X& x, Index cols, const char* what) {
  if (x.cols() != cols) fail(what, " has ", x.cols(), " columns, expected ", cols);
}

/// Throws unless x is [rows, cols].
template <class X>
void require_shape(const X& x, Index rows, Index cols, const char* what) {
  if (x.rows() != rows || x.cols() != cols) fail(what, " is [", x.rows(), ", ", x.cols(), "], expected [", rows, ", ", cols, "]");
}

/// Throws unless v holds n numbers.
template <class V>
void require_size(const V& v, Index n, const char* what) {
  if (static_cast<Index>(v.size()) != n) fail(what, " has ", v.size(), " numbers, expected ", n);
}

/// Throws unless D channels are whole heads of N.
inline void require_heads(Index D, Index N, const char* what) {
  if (N < 1 || D % N != 0) fail(what, " has ", D, " channels, which are no whole heads of ", N);
}

/// Throws unless first .. first + n - 1 are among 0 .. count - 1.
inline void require_range(Index first, Index n, Index count, const char* what) {
  if (n < 0 || first < 0 || first > count || n > count - first) fail(n, " ", what, " from ", first, " on, but there are ", count);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
