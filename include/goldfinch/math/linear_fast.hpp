// linear for float and double, the bits of plain::linear_onto, from one kernel (linear_tile.hpp) that few rows and many meet in orders of their
// own.
#pragma once

#include "goldfinch/math/linear_few_rows.hpp"
#include "goldfinch/math/linear_many_rows.hpp"

#if GOLDFINCH_SIMD

namespace goldfinch::inline GOLDFINCH_ISA {
namespace fast {

/// Products of T rows each that do not depend on each other.
template <class Scalar>
void linear_onto(Index T, std::span<const Product<Scalar>> products) {
  if (T == 0) return;
  if (T <= few_tiles * tile_rows) return few_rows_onto<Scalar>(T, products);
  for (const Product<Scalar>& product : products)
    if (product.W->N() > 0) dispatch_kernel<Scalar>(*product.W, [&]<class Stored>(Stored*) { many_rows_onto<Scalar, Stored>(T, product); });
}

}  // namespace fast
}  // namespace goldfinch::inline GOLDFINCH_ISA

#endif  // GOLDFINCH_SIMD
