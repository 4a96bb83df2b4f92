// Low-rank maps: how a layer lets the data bend a fixed rate or a projection a little.
//
//   LORA.1   lora(z; A, B) = tanh(z A) B                         A [in, rank], B [rank, out] multiply from the right, as stored
//   LORA.2   ddlerp: h = tanh((z + dz * mu_x) A),  x_g = z + dz * (mu_g + h_g B_g)         dz = before - z
//
// In ddlerp one A serves several groups: h is cut into groups of `rank` columns, and each group has its own B.
#pragma once

#include <array>
#include <utility>

#include "goldfinch/math/elementwise.hpp"
#include "goldfinch/math/linear.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// LORA.1: z [rows, in] -> [rows, out].
template <class Scalar>
[[nodiscard]] Matrix<Scalar> lora(const Matrix<Scalar>& z, const Weight& A, const Weight& B) {
  return linear(linear(z, A, tanh<Scalar>), B);
}

/// The part of LORA.2 that the groups share: h [rows, groups * rank].
template <class Scalar>
Matrix<Scalar> ddlerp_hidden(const Matrix<Scalar>& z, const Matrix<Scalar>& before, const Vector<Scalar>& mu_x, const Weight& A) {
  return linear(lerp(z, before, mu_x), A, tanh<Scalar>);
}

/// The columns of h that are group g's, of as many groups as B has.
template <class Scalar>
auto ddlerp_group(const Matrix<Scalar>& h, const std::vector<Weight>& B, Index group) {
  require_range(group, 1, static_cast<Index>(B.size()), "groups of a ddlerp");
  const Index rank = B[0].K();
  for (const Weight& other : B)
    if (other.K() != rank) fail("the groups of a ddlerp have ranks of ", rank, " and ", other.K(), ", expected equal ones");
  require_cols(h, static_cast<Index>(B.size()) * rank, "the hidden layer of a ddlerp");
  return h.middleCols(group * rank, rank);
}

/// h_g B_g of group g: [rows, D].
template <class Scalar>
Matrix<Scalar> ddlerp_offset(const Matrix<Scalar>& h, const std::vector<Weight>& B, Index group) {
  const auto h_g = ddlerp_group(h, B, group);
  return linear(h_g, B[static_cast<std::size_t>(group)]);
}

/// The same of the first n groups.
template <std::size_t n, class Scalar>
std::array<Matrix<Scalar>, n> ddlerp_offsets(const Matrix<Scalar>& h, const std::vector<Weight>& B) {
  require_range(0, static_cast<Index>(n), static_cast<Index>(B.size()), "groups of a ddlerp");
  return [&]<std::size_t... g>(std::index_sequence<g...>) {
    return linear_each<Scalar>({{ddlerp_group(h, B, static_cast<Index>(g)), B[g]}...});
  }(std::make_index_sequence<n>());
}

/// x_g of the first n groups, from their rates mu_g.
template <class Scalar, std::size_t n>
std::array<Matrix<Scalar>, n> ddlerp(const Matrix<Scalar>& z, const Matrix<Scalar>& before, const Matrix<Scalar>& h, const std::vector<Weight>& B,
                                     const Vector<Scalar>* const (&mu)[n]) {
  auto x = ddlerp_offsets<n>(h, B);
  for (std::size_t g = 0; g < n; ++g) x[g] = lerp(z, before, *mu[g], std::move(x[g]));
  return x;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
