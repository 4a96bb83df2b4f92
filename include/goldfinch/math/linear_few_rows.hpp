// Products of few rows: the weights come from memory, once, and that is the limit. One row or two meet several parts of the weights that lie far
// apart (four streams far apart read faster than one), widened in registers. More rows meet a panel block by block.
#pragma once

#include <span>
#include <vector>

#include "goldfinch/math/linear_tile.hpp"

#if GOLDFINCH_SIMD

namespace goldfinch::inline GOLDFINCH_ISA {
namespace fast {

/// Steps of k that the weights of one row or two are fetched ahead. Eight bits take long to widen and are fetched from further; wide numbers the
/// processor fetches by itself in time, and without AVX-512 it is faster not to be asked for them (docs/speed.md).
template <class Stored>
inline constexpr int steps_ahead = (sizeof(Stored) == 1 ? 1024 : sizeof(Stored) >= 4 && vector_bytes < 64 ? 0 : 256) / static_cast<int>(Weight::panel * sizeof(Stored));

/// `rows` rows of packed x against panels p, p + stride, …, one a stream.
template <class Scalar, class Stored, int rows, int streams>
void panels_onto(const Product<Scalar>& product, const Scalar* x, Index p, Index stride) {
  const Weight& W = *product.W;
  constexpr Index width = tile_vectors<Scalar>(rows) * lanes<Scalar>;
  const Scalar* from[streams];
  const Stored* panels[streams];
  for (int q = 0; q < streams; ++q) from[q] = x, panels[q] = W.panel_data<Stored>(p + q * stride);
  for (Index slice = 0; slice < Weight::panel; slice += width) {
    Scalar* to[streams];
    Index columns[streams];
    bool whole = true;
    for (int q = 0; q < streams; ++q) {
      const Index column = (p + q * stride) * Weight::panel + slice;
      to[q] = product.y + column;
      columns[q] = std::clamp<Index>(W.N() - column, 0, width);
      whole = whole && columns[q] == width;
    }
    if (whole) {
      tile<Scalar, Stored, rows, streams, steps_ahead<Stored>>(from, W.K(), panels, slice, to, product.ldy, product.fresh);
      continue;
    }
    alignas(64) Scalar buffer[streams * rows * width] = {};  // a ragged edge: y has no room for all that a tile computes
    Scalar* s[streams];
    for (int q = 0; q < streams; ++q) {
      s[q] = buffer + q * rows * width;
      for (Index r = 0; r < rows && !product.fresh; ++r) std::copy_n(to[q] + r * product.ldy, columns[q], s[q] + r * width);
    }
    tile<Scalar, Stored, rows, streams, steps_ahead<Stored>>(from, W.K(), panels, slice, s, width, product.fresh);
    for (int q = 0; q < streams; ++q)
      for (Index r = 0; r < rows; ++r) std::copy_n(s[q] + r * width, columns[q], to[q] + r * product.ldy);
  }
}

/// One row against panel p alone, read as streams along k: every block of k has a sum of its own until they are added in order.
template <class Scalar, class Stored, int streams>
void panel_onto(const Product<Scalar>& product, const Scalar* x, Index p) {
  using V = Simd<Scalar, lanes<Scalar>>;
  constexpr Index n = lanes<Scalar>;
  const Weight& W = *product.W;
  const Index blocks = (W.K() + block - 1) / block, apart = W.K() / block / streams, column = p * Weight::panel;
  Vector<Scalar> sums(blocks * Weight::panel);
  const auto part = [&]<int side>(std::integral_constant<int, side>, Index first, Index steps) {
    for (Index slice = 0; slice < Weight::panel; slice += tile_vectors<Scalar>(1) * n) {
      const Scalar* from[side];
      const Stored* panels[side];
      Scalar* s[side];
      for (int q = 0; q < side; ++q) {
        const Index b = first + q * apart;
        from[q] = x + b * block, panels[q] = W.panel_data<Stored>(p, b * block), s[q] = sums.data() + b * Weight::panel + slice;
      }
      tile<Scalar, Stored, 1, side, steps_ahead<Stored>>(from, steps, panels, slice, s, 0, true, Weight::panel);
    }
  };
  if (apart > 0) part(std::integral_constant<int, streams>(), 0, apart * block);
  if (const Index rest = streams * apart; rest < blocks) part(std::integral_constant<int, 1>(), rest, W.K() - rest * block);
  alignas(64) Scalar total[Weight::panel] = {};
  Scalar* const y = product.y + column;
  const Index columns = std::min(Weight::panel, W.N() - column);
  if (!product.fresh) std::copy_n(y, columns, total);
  for (Index j = 0; j < Weight::panel; j += n) {
    V s = load_vector<V>(total + j);
    for (Index b = 0; b < blocks; ++b) s = s + load_vector<V>(sums.data() + b * Weight::panel + j);
    store_vector(total + j, s);
  }
  std::copy_n(total, columns, y);
}

/// Panels begin .. end - 1 for one row or two: four streams far apart while there are as many panels, two for two that are left, and one panel for
/// one row as streams along k. (Half as many streams for two rows, and where registers are few.)
template <class Scalar, class Stored, int rows>
void streamed_onto(const Product<Scalar>& product, const Scalar* x, Index begin, Index end) {
  constexpr int streams = vector_bytes == 16 ? 2 / rows : 4 / rows;
  const Weight& W = *product.W;
  const Index stride = (end - begin) / streams;
  Index p = begin;
  for (; p < begin + stride; ++p) panels_onto<Scalar, Stored, rows, streams>(product, x, p, stride);
  p = begin + stride * streams;
  if (streams > 2 && end - p >= 2) panels_onto<Scalar, Stored, rows, std::min(streams, 2)>(product, x, p, 1), p += 2;
  if (p < end) {
    if constexpr (rows == 1) panel_onto<Scalar, Stored, streams>(product, x, p);
    else panels_onto<Scalar, Stored, rows, 1>(product, x, p, 1);
  }
  const Index column = begin * Weight::panel, columns = std::min(end * Weight::panel, W.N()) - column;
  for (Index t = 0; product.f && t < rows; ++t) {
    Scalar* const y = product.y + t * product.ldy + column;
    product.f(y, y, columns);
  }
}

/// Tiles of rows that weights meet as they come from memory. For more, the order of many_rows_onto is faster.
inline constexpr Index few_tiles = 6;

/// Panels begin .. end - 1 for 3 rows up to few_tiles tiles of packed x, [K][rows] each, tile_rows K apart. A block of a panel at a time: for one
/// tile widened in registers, for more of them once, into the first-level cache; the next block comes from memory meanwhile.
template <class Scalar, class Stored>
void tiled_onto(const Product<Scalar>& product, const Scalar* x, Index T, Index begin, Index end) {
  using Wide = Widened<Scalar, Stored>;
  constexpr bool wide_already = std::is_same_v<Wide, Stored>;
  const Weight& W = *product.W;
  const Index tiles = (T + tile_rows - 1) / tile_rows;
  alignas(64) Scalar sums[few_tiles * tile_rows * Weight::panel];
  alignas(64) Wide widened[wide_already ? 1 : block * Weight::panel + scale_room<Wide>];
  for (Index p = begin; p < end; ++p) {
    const Index column = p * Weight::panel, columns = std::min(Weight::panel, W.N() - column);
    Scalar* const y = product.y + column;
    for (Index t = 0; t < T && !product.fresh; ++t) std::copy_n(y + t * product.ldy, columns, sums + t * Weight::panel);
    for (Index k = 0; k < W.K(); k += block) {
      const Index steps = std::min(block, W.K() - k);
      const Stored* const stored = W.panel_data<Stored>(p, k);
      const bool fresh = product.fresh && k == 0;
      // f(rows, their x, number of the tile, outputs from, to) for every tile and slice of the panel.
      const auto each_slice = [&](auto&& f) {
        for (Index t = 0; t < tiles; ++t)
          with_tile_rows(rows_of_tile(T, t), [&](auto rows) {
            constexpr Index width = tile_vectors<Scalar>(rows) * lanes<Scalar>;
            const Scalar* const from = x + t * tile_rows * W.K() + k * rows;
            for (Index slice = 0; slice < Weight::panel; slice += width) f(rows, from, t, slice, slice + width);
          });
      };
      const auto sums_of = [&](Index t, Index slice) { return sums + t * tile_rows * Weight::panel + slice; };
      if constexpr (!wide_already)
        if (tiles == 1) {
          each_slice([&](auto rows, const Scalar* from, Index t, Index slice, Index) {
            Scalar* const s = sums_of(t, slice);
            // Every slice fetches the next block, the second in vain: that costs nothing that could be measured.
            if constexpr (rows > 2) tile<Scalar, Stored, rows, 1, block>(&from, steps, &stored, slice, &s, Weight::panel, fresh);
          });
          continue;
        }
      const Wide* panel = widened;
      if constexpr (wide_already) panel = stored;
      else widen_panel<Scalar>(stored, steps, widened);
      const Stored* const next = stored + Weight::panel_numbers<Stored>(steps);
      each_slice([&](auto rows, const Scalar* from, Index t, Index slice, Index slice_end) {
        fetch_share(next, block, t * Weight::panel + slice, t * Weight::panel + slice_end, tiles * Weight::panel);
        Scalar* const s = sums_of(t, slice);
        tile<Scalar, Wide, rows, 1>(&from, steps, &panel, slice, &s, Weight::panel, fresh);
      });
    }
    for (Index t = 0; t < T; ++t) {
      Scalar* const s = sums + t * Weight::panel;
      if (product.f) product.f(s, s, columns);
      std::copy_n(s, columns, y + t * product.ldy);
    }
  }
}

/// Up to few_tiles tiles of rows of each of several products: their weights stream through once.
template <class Scalar>
void few_rows_onto(Index T, std::span<const Product<Scalar>> products) {
  const Index tiles = (T + tile_rows - 1) / tile_rows;
  std::vector<Vector<Scalar>> packed(products.size());  // one row is packed as it is
  std::vector<Index> first;
  Index panels = 0, numbers = 0;
  for (std::size_t i = 0; i < products.size(); ++i) {
    const Weight& W = *products[i].W;
    first.push_back(panels);
    panels += W.panels(), numbers += W.panels() * W.K() * Weight::panel;
    if (T > 1) packed[i].resize(tiles * tile_rows * W.K());
  }
  if (T > 1)
    parallel_for(static_cast<Index>(products.size()) * tiles, std::max<Index>(1, 32768 / (tile_rows * products[0].W->K())), [&](Index begin, Index end) {
      for (Index item = begin; item < end; ++item) {
        const auto i = static_cast<std::size_t>(item / tiles);
        const Index first_row = item % tiles * tile_rows, K = products[i].W->K();
        with_tile_rows(rows_of_tile(T, item % tiles), [&](auto rows) {
          turn_rows(products[i].x + first_row * products[i].ldx, products[i].ldx, rows_of_tile(T, item % tiles), K, rows, packed[i].data() + first_row * K);
        });
      }
    });
  first.push_back(panels);
  parallel_for(panels, std::max<Index>(1, 32768 * panels / std::max<Index>(1, numbers)), [&](Index begin, Index end) {
    for (std::size_t i = 0; i < products.size(); ++i) {
      const Product<Scalar>& product = products[i];
      const Index from = std::max(begin, first[i]) - first[i], to = std::min(end, first[i + 1]) - first[i];
      if (from >= to) continue;
      dispatch_kernel<Scalar>(*product.W, [&]<class Stored>(Stored*) {
        if (T == 1) streamed_onto<Scalar, Stored, 1>(product, product.x, from, to);
        else if (T == 2) streamed_onto<Scalar, Stored, 2>(product, packed[i].data(), from, to);
        else tiled_onto<Scalar, Stored>(product, packed[i].data(), T, from, to);
      });
    }
  });
}

}  // namespace fast
}  // namespace goldfinch::inline GOLDFINCH_ISA

#endif  // GOLDFINCH_SIMD
