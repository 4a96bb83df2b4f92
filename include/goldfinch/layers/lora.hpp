// Low-rank maps: how a layer lets the data bend a fixed rate or a projection a little.
//
//   LORA.1   lora(z; A, B) = tanh(z A) B                         A [in, rank], B [rank, out] multiply from the right, as stored
//   LORA.2   ddlerp: h = tanh((z + dz * mu_x) A),  x_g = z + dz * (mu_g + h_g B_g)         dz = before - z
//
// In ddlerp one A serves several groups: h is cut into groups of `rank` columns, and each group has its own B.
#pragma once

#include "goldfinch/math/elementwise.hpp"
#include "goldfinch/math/linear.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// LORA.1: z [rows, in] -> [rows, out].
template <class Scalar>
Matrix<Scalar> lora(const Matrix<Scalar>& z, const Weight& A, const Weight& B) {
  return linear(linear(z, A, tanh<Scalar>), B);
}

/// The part of LORA.2 that the groups share: h [rows, groups * rank].
template <class Scalar>
Matrix<Scalar> ddlerp_hidden(const Matrix<Scalar>& z, const Matrix<Scalar>& before, const Vector<Scalar>& mu_x, const Weight& A) {
  return linear(lerp(z, before, mu_x), A, tanh<Scalar>);
}

/// h_g B_g of group g: [rows, D].
template <class Scalar>
Matrix<Scalar> ddlerp_offset(const Matrix<Scalar>& h, const std::vector<Weight>& B, Index group) {
  const Weight& B_g = B[static_cast<std::size_t>(group)];
  return linear(h.middleCols(group * B_g.K(), B_g.K()), B_g);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
