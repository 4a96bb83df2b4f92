// The kernel of every matrix product: a few rows of x, packed [K][rows] so that a step of k reads one line of them, against one panel of weights
// or several (weight.hpp). Vectors run across the outputs of a panel, so that every output has its own sum, block by block (sum.hpp). What goes
// where, and in which order, is linear_few_rows.hpp's and linear_many_rows.hpp's.
#pragma once

#include "goldfinch/core/simd.hpp"
#include "goldfinch/math/functions.hpp"
#include "goldfinch/math/sum.hpp"
#include "goldfinch/math/weight.hpp"
#include "goldfinch/math/widen_vector.hpp"

#if GOLDFINCH_SIMD

namespace goldfinch::inline GOLDFINCH_ISA {
namespace fast {

/// y = f(x W^T): x [T, K] with rows ldx apart, y [T, N] with rows ldy apart, has_kernel(W); y is continued from, or begun at +0 if it is `fresh`: to
/// fill it with zeros and read them again would cost a small product half of its time. f, if it is not null, is applied to finished sums.
template <class Scalar>
struct Product {
  const Scalar* x;
  Index ldx;
  const Weight* W;
  Scalar* y;
  Index ldy;
  bool fresh;
  ArrayFunction<Scalar> f;
};

/// Whether there are kernels for these weights: for sums of something, over numbers no wider than a Scalar. (float64 weights are rounded when an
/// engine of floats is filled, fill.hpp.)
template <class Scalar>
bool has_kernel(const Weight& W) {
  return W.K() > 0 && size_of(W.dtype()) <= static_cast<int>(sizeof(Scalar));
}

/// dispatch_weight over the types that have kernels.
template <class Scalar, class F>
void dispatch_kernel(const Weight& W, F&& f) {
  dispatch_weight(W.dtype(), [&]<class Stored>(Stored* type) {
    if constexpr (sizeof(Stored) <= sizeof(Scalar)) f(type);
    else fail("no kernel for weights of type ", name_of(W.dtype()));
  });
}

/// Rows of x that the accumulators of one full tile hold: two vectors a row, and registers left for weights and products.
inline constexpr int tile_rows = vector_bytes == 64 ? 12 : vector_bytes == 32 ? 6 : 4;

/// Vectors of a panel that a tile of `rows` rows takes side by side.
template <class Scalar>
constexpr int tile_vectors(int rows) {
  constexpr int all = static_cast<int>(Weight::panel) / lanes<Scalar>;
  return std::min(all, rows > 4 || (rows == 4 && vector_bytes < 64) ? 2 : 4);
}

/// *x * b. With AVX-512 as one instruction that broadcasts on its way from memory: on some processors a broadcast of its own takes a place
/// from the arithmetic, and the kernel a third more time.
template <class Scalar>
GOLDFINCH_INLINE Simd<Scalar, lanes<Scalar>> times(const Scalar* x, Simd<Scalar, lanes<Scalar>> b) {
#if GOLDFINCH_VECTOR_BYTES == 64
  Simd<Scalar, lanes<Scalar>> product;
  if constexpr (std::is_same_v<Scalar, float>) asm("vmulps %2%{1to16%}, %1, %0" : "=v"(product) : "v"(b), "m"(*x));
  else asm("vmulpd %2%{1to8%}, %1, %0" : "=v"(product) : "v"(b), "m"(*x));
  return product;
#else
  return *x * b;
#endif
}

/// `streams` parts of a product side by side: x[q] [K][rows], and K steps of a panel, 32 numbers each. The sums s[q] [rows, width], rows lds
/// apart, are continued, or begin at +0 if they are `fresh`, where width = tile_vectors(rows) vectors; the slices begin at output `slice` of
/// a panel. Where block_sums > 0, the sum of every block is stored by itself instead, one block's block_sums behind the other's. Weights that
/// come `ahead` steps of k later are fetched meanwhile, all 32 outputs of them.
template <class Scalar, class Stored, int rows, int streams, int ahead = 0>
void tile(const Scalar* const* x, Index K, const Stored* const* panels, Index slice, Scalar* const* s, Index lds, bool fresh, Index block_sums = 0) {
  using V = Simd<Scalar, lanes<Scalar>>;
  constexpr int vectors = tile_vectors<Scalar>(rows), n = lanes<Scalar>;
  constexpr int line_steps = std::max(1, 64 / static_cast<int>(Weight::panel * sizeof(Stored)));  // of k in a line of weights
  const Scalar* from[streams];
  const Stored* w[streams];
  Scalar* to[streams];
  for (int q = 0; q < streams; ++q) from[q] = x[q], w[q] = panels[q] + slice, to[q] = s[q];

  for (Index first = 0; first < K; first += block) {
    const Index last = std::min(first + block, K);
    for (int q = 0; q < streams; ++q) w[q] += scale_room<Stored>;
    V c[streams][rows][vectors] = {};
    // A stream at a time, for a few steps: the accumulators of all would not fit in the registers.
    for (Index strip = first, end; strip < last; strip = end) {
      end = streams == 1 ? last : std::min(strip + 8, last);
#pragma GCC unroll 4
      for (int q = 0; q < streams; ++q) {
        V sums[rows][vectors];
#pragma GCC unroll 12
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
          for (int v = 0; v < vectors; ++v) sums[r][v] = c[q][r][v];
#pragma GCC unroll 4
        for (Index k = strip; k < end; ++k) {
          if (ahead > 0 && k % line_steps == 0)
            for (int line = 0; line < static_cast<int>(line_steps * Weight::panel * sizeof(Stored)); line += 64)
              __builtin_prefetch(reinterpret_cast<const char*>(w[q] + (k + ahead) * Weight::panel - slice) + line, 0, 3);
          V b[vectors];
#pragma GCC unroll 4
          for (int v = 0; v < vectors; ++v) b[v] = widen_vector<Scalar>(w[q] + k * Weight::panel + v * n);
#pragma GCC unroll 12
          for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; ++v) {
              // Few rows, and the broadcasts stay in registers while the streams of weights go by.
              if constexpr (rows > 4) sums[r][v] = sums[r][v] + times(from[q] + k * rows + r, b[v]);
              else sums[r][v] = sums[r][v] + from[q][k * rows + r] * b[v];
            }
        }
#pragma GCC unroll 12
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
          for (int v = 0; v < vectors; ++v) c[q][r][v] = sums[r][v];
      }
    }
#pragma GCC unroll 4
    for (int q = 0; q < streams; ++q)
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
          if constexpr (scale_room<Stored> > 0)
            c[q][r][v] = load_scales<Scalar>(w[q] - slice + first * Weight::panel - scale_room<Stored>, slice + v * n) * c[q][r][v];
          Scalar* const total = to[q] + r * lds + v * n + first / block * block_sums;
          if (block_sums > 0) store_vector(total, c[q][r][v]);
          else store_vector(total, (fresh ? V{} : load_vector<V>(total)) + c[q][r][v]);
        }
    fresh = false;
  }
}

/// Calls f with the number of rows of the smallest tile that holds `rows` rows, as a compile-time constant.
template <class F>
void with_tile_rows(Index rows, F&& f) {
  if (rows <= 1) return f(std::integral_constant<int, 1>());
  if (rows <= 2) return f(std::integral_constant<int, 2>());
  if (rows <= 4) return f(std::integral_constant<int, 4>());
  if constexpr (tile_rows > 6)
    if (rows <= 8) return f(std::integral_constant<int, 8>());
  f(std::integral_constant<int, tile_rows>());
}

/// Rows of tile t of T rows.
inline Index rows_of_tile(Index T, Index t) { return std::min<Index>(tile_rows, T - t * tile_rows); }

/// What weights are widened to.
template <class Scalar, class Stored>
using Widened = std::conditional_t<(scale_room<Stored> > 0), Scaled<Scalar>, Scalar>;

/// n steps of k of a panel from the first of a block on, widened, and so are the scales.
template <class Scalar, class Stored, class Wide>
void widen_panel(const Stored* from, Index n, Wide* to) {
  for (; n > 0; n -= block) {
    if constexpr (scale_room<Stored> > 0) {
      for (Index j = 0; j < Weight::panel; j += lanes<Scalar>) store_vector(to + j, load_scales<Scalar>(from, j));
      from += scale_room<Stored>, to += scale_room<Wide>;
    }
    const Index numbers = std::min(n, block) * Weight::panel;
    for (Index i = 0; i < numbers; i += lanes<Scalar>) store_vector(to + i, widen_vector<Scalar>(from + i));
    from += numbers, to += numbers;
  }
}

/// Fetches parts begin .. end - 1, of `parts` equal ones, of K steps of a panel: what is multiplied next comes from memory evenly, a share with
/// every tile.
template <class Stored>
void fetch_share(const Stored* next, Index K, Index begin, Index end, Index parts) {
  const Index bytes = Weight::panel_numbers<Stored>(K) * static_cast<Index>(sizeof(Stored));
  const auto line_of = [&](Index part) { return bytes * part / parts / 64 * 64; };
  for (Index i = line_of(begin); i < line_of(end); i += 64) __builtin_prefetch(reinterpret_cast<const char*>(next) + i, 0, 3);
}

}  // namespace fast
}  // namespace goldfinch::inline GOLDFINCH_ISA

#endif  // GOLDFINCH_SIMD
