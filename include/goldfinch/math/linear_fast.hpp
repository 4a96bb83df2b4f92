// linear for float and double, the bits of plain::linear_onto, from one kernel (linear_tile.hpp): a few rows of x against one panel, or
// against several parts of the weights that lie far apart (a row or two, where the memory is the limit: four streams far apart read faster
// than one). x is packed [K][rows] first, so that a step of k reads one line of it. Weights in another type are widened in registers, or once
// per panel where many rows will use it.
#pragma once

#include <span>
#include <vector>

#include "goldfinch/math/functions.hpp"
#include "goldfinch/math/linear_tile.hpp"

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
  });
}

/// Steps of k that the weights of one row or two are fetched ahead. Eight bits take long to widen and are fetched from further; wide numbers the
/// processor fetches by itself in time, and with AVX2 it is faster not to be asked for them (docs/speed.md).
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

/// One row against panel p alone, read as streams along k: every block of k has a sum of its own, kept in `sums` [ceil(K/64)][32] until they
/// are added in order.
template <class Scalar, class Stored, int streams>
void panel_onto(const Product<Scalar>& product, const Scalar* x, Index p, Scalar* sums) {
  using V = Simd<Scalar, lanes<Scalar>>;
  constexpr Index n = lanes<Scalar>;
  const Weight& W = *product.W;
  const Index blocks = (W.K() + block - 1) / block, apart = W.K() / block / streams, column = p * Weight::panel;
  const auto part = [&]<int side>(std::integral_constant<int, side>, Index first, Index steps) {
    for (Index slice = 0; slice < Weight::panel; slice += tile_vectors<Scalar>(1) * n) {
      const Scalar* from[side];
      const Stored* panels[side];
      Scalar* s[side];
      for (int q = 0; q < side; ++q) {
        const Index b = first + q * apart;
        from[q] = x + b * block, panels[q] = W.panel_data<Stored>(p, b * block), s[q] = sums + b * Weight::panel + slice;
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
    for (Index b = 0; b < blocks; ++b) s = s + load_vector<V>(sums + b * Weight::panel + j);
    store_vector(total + j, s);
  }
  std::copy_n(total, columns, y);
}

/// Panels begin .. end - 1 for one row or two: streams far apart while there are as many panels as streams, then panel by panel, which for one
/// row is read along k.
template <class Scalar, class Stored, int rows>
void streamed_onto(const Product<Scalar>& product, const Scalar* x, Index begin, Index end) {
  constexpr int streams = vector_bytes == 16 ? 2 / rows : 4 / rows;
  const Weight& W = *product.W;
  const Index stride = (end - begin) / streams, rest = begin + stride * streams;
  for (Index p = begin; p < begin + stride; ++p) panels_onto<Scalar, Stored, rows, streams>(product, x, p, stride);
  if constexpr (rows == 1) {
    Vector<Scalar> sums(rest < end ? (W.K() + block - 1) / block * Weight::panel : 0);
    for (Index p = rest; p < end; ++p) panel_onto<Scalar, Stored, streams>(product, x, p, sums.data());
  } else {
    for (Index p = rest; p < end; ++p) panels_onto<Scalar, Stored, rows, 1>(product, x, p, 1);
  }
  const Index column = begin * Weight::panel, columns = std::min(end * Weight::panel, W.N()) - column;
  for (Index t = 0; product.f && t < rows; ++t) {
    Scalar* const y = product.y + t * product.ldy + column;
    product.f(y, y, columns);
  }
}

/// Tiles of rows that weights meet as they come from memory. For more, the order of many_rows_onto is faster.
inline constexpr Index few_tiles = 6;

/// Rows of tile t of T rows.
inline Index rows_of_tile(Index T, Index t) { return std::min<Index>(tile_rows, T - t * tile_rows); }

/// What weights are widened to.
template <class Scalar, class Stored>
using Widened = std::conditional_t<(scale_room<Stored> > 0), Scaled<Scalar>, Scalar>;

/// Panels begin .. end - 1 for 3 rows up to few_tiles tiles of packed x, [K][rows] each, tile_rows K apart. A block of a panel at a time: for one
/// tile widened in registers, for more of them once, into the first-level cache; the next block comes from memory meanwhile.
template <class Scalar, class Stored>
void tiled_onto(const Product<Scalar>& product, const Scalar* x, Index T, Index begin, Index end) {
  using Wide = Widened<Scalar, Stored>;
  constexpr bool wide_already = std::is_same_v<Wide, Stored>;
  constexpr Index block_bytes = (block * Weight::panel + scale_room<Stored>) * static_cast<Index>(sizeof(Stored));
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
      // f(rows, x, sums of the first of its vectors, its outputs: from, to) for every tile and its slices of the panel.
      const auto each_slice = [&](auto&& f) {
        for (Index t = 0; t < tiles; ++t)
          with_tile_rows(rows_of_tile(T, t), [&](auto rows) {
            constexpr Index width = tile_vectors<Scalar>(rows) * lanes<Scalar>;
            const Scalar* const from = x + t * tile_rows * W.K() + k * rows;
            for (Index slice = 0; slice < Weight::panel; slice += width) f(rows, from, t, slice, slice + width);
          });
      };
      const auto sums_of = [&](Index t, Index slice) { return sums + t * tile_rows * Weight::panel + slice; };
      if (tiles == 1 && !wide_already) {
        each_slice([&](auto rows, const Scalar* from, Index t, Index slice, Index) {
          Scalar* const s = sums_of(t, slice);
          if constexpr (rows > 2 && !wide_already) tile<Scalar, Stored, rows, 1, block>(&from, steps, &stored, slice, &s, Weight::panel, fresh);
        });
        continue;
      }
      const Wide* panel = widened;
      if constexpr (wide_already) panel = stored;
      else widen_panel<Scalar>(stored, steps, widened);
      const auto* const next = reinterpret_cast<const char*>(stored + steps * Weight::panel + scale_room<Stored>);
      each_slice([&](auto rows, const Scalar* from, Index t, Index slice, Index slice_end) {
        const auto share = [&](Index outputs) { return block_bytes * (t * Weight::panel + outputs) / (tiles * Weight::panel) / 64 * 64; };
        for (Index i = share(slice); i < share(slice_end); i += 64) __builtin_prefetch(next + i, 0, 3);
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

/// Many rows, as in GotoBLAS: some blocks of k of a panel, widened, stay in the first-level cache while the tiles of a chunk of rows
/// meet it; the same blocks of the rows stay in the second-level cache while several panels pass, and so do the sums, side by side: in y
/// they lie a row apart, often a power of two, and would push each other out.
template <class Scalar, class Stored>
void many_rows_onto(Index T, const Product<Scalar>& product) {
  const Weight& W = *product.W;
  constexpr Index steps = 2 * block;  // of k: 16 kB of floats, 32 of doubles, of weights
  constexpr Index tile_size = tile_rows * Weight::panel;
  constexpr Index numbers = 262144 / sizeof(Scalar);  // 256 kB of x, and of sums
  constexpr Index most_tiles = numbers / (tile_rows * steps), most_sums = numbers / tile_size;
  constexpr Index items_wanted = 16, fewest_tiles = 4;  // for the threads to share, and for a widened panel to serve
  const Index K = W.K(), tiles = (T + tile_rows - 1) / tile_rows;
  const auto rows_of = [&](Index t) { return rows_of_tile(T, t); };
  Vector<Scalar> buffer(tiles * tile_rows * K);
  const auto packed = [&](Index t, Index k) { return buffer.data() + k * tiles * tile_rows + t * tile_rows * std::min(steps, K - k); };
  parallel_for(tiles, 1, [&](Index begin, Index end) {
    for (Index t = begin; t < end; ++t)
      for (Index k = 0; k < K; k += steps)
        with_tile_rows(rows_of(t), [&](auto rows) { turn_rows(product.x + t * tile_rows * product.ldx + k, product.ldx, rows_of(t), std::min(steps, K - k), rows, packed(t, k)); });
  });
  const Index chunks = std::max({Index{1}, (tiles + most_tiles - 1) / most_tiles, std::min(tiles / fewest_tiles, items_wanted / W.panels())});
  const auto first_tile = [&](Index chunk) { return tiles * chunk / chunks; };
  parallel_for(chunks * W.panels(), 1, [&](Index begin, Index end) {
    using Wide = Widened<Scalar, Stored>;
    alignas(64) Wide wide[steps * Weight::panel + steps / block * scale_room<Wide>];
    Vector<Scalar> sums(most_sums * tile_size);
    while (begin < end) {  // some panels of one chunk of rows at a time
      const Index chunk = begin / W.panels(), t_begin = first_tile(chunk), t_end = first_tile(chunk + 1);
      const Index last = std::min({end, (chunk + 1) * W.panels(), begin + std::max<Index>(1, most_sums / (t_end - t_begin))});
      const auto weights = [&](Index item, Index k) { return W.panel_data<Stored>(item % W.panels(), k); };
      const auto sums_of = [&](Index item, Index t) { return sums.data() + ((item - begin) * (t_end - t_begin) + t - t_begin) * tile_size; };
      const auto each_row = [&](auto&& f) {  // f(sums of a row, where they belong in y, how many); rows of y are visited once, in order
        for (Index t = t_begin; t < t_end; ++t)
          for (Index r = 0; r < rows_of(t); ++r)
            for (Index item = begin; item < last; ++item) {
              const Index column = item % W.panels() * Weight::panel;
              f(sums_of(item, t) + r * Weight::panel, product.y + (t * tile_rows + r) * product.ldy + column, std::min(Weight::panel, W.N() - column));
            }
      };
      if (!product.fresh) each_row([](Scalar* s, const Scalar* from, Index n) { std::copy_n(from, n, s); });
      for (Index k = 0; k < K; k += steps)
        for (Index item = begin; item < last; ++item) {
          const Index n = std::min(steps, K - k);
          const Stored* const from = weights(item, k);
          const Wide* panel = wide;
          if constexpr (std::is_same_v<Wide, Stored>) panel = from;
          else widen_panel<Scalar>(from, n, wide);
          // What is multiplied next comes from memory meanwhile, a share with every tile.
          const bool next_k = item + 1 == last;
          const Index at = next_k ? std::min(k + steps, K) : k;
          const auto* const next = reinterpret_cast<const char*>(weights(next_k ? begin : item + 1, at));
          const Index bytes = std::min(steps, K - at) * Weight::panel * static_cast<Index>(sizeof(Stored));
          for (Index t = t_begin; t < t_end; ++t) {
            const auto share = [&](Index i) { return bytes * i / (t_end - t_begin) / 64 * 64; };
            for (Index i = share(t - t_begin); i < share(t - t_begin + 1); i += 64) __builtin_prefetch(next + i, 0, 3);
            with_tile_rows(rows_of(t), [&](auto constant) {
              constexpr int rows = constant;
              for (Index slice = 0; slice < Weight::panel; slice += tile_vectors<Scalar>(rows) * lanes<Scalar>) {
                Scalar* const s = sums_of(item, t) + slice;
                const Scalar* const from = packed(t, k);
                tile<Scalar, Wide, rows, 1>(&from, n, &panel, slice, &s, Weight::panel, product.fresh && k == 0);
              }
            });
          }
        }
      each_row([&](Scalar* s, Scalar* to, Index n) {
        if (product.f) product.f(s, s, n);
        if (n == Weight::panel) std::memcpy(to, s, sizeof(Scalar) * Weight::panel);  // of a fixed size: in registers
        else std::copy_n(s, n, to);
      });
      begin = last;
    }
  });
}

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
