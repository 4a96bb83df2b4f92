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

/// Throws unless x is [any, cols]; `what` names it in the message.
template <class X>
void require_cols(const X& x, Index cols, const char* what) {
  if (x.cols() != cols) fail(what, " has ", x.cols(), " columns, expected ", cols);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
