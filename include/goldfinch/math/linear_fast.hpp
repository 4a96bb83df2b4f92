// linear for float and double, the bits of plain::linear_onto, from one kernel (linear_tile.hpp): a few rows of x against one panel, or
// against several that lie far apart (a single row, where the memory is the limit: four streams far apart read faster than one). x is
// packed [K][rows] first, so that a step of k reads one line of it. Weights in another type are widened in registers, or once per panel
// where many rows will use it.
#pragma once

#include "goldfinch/math/functions.hpp"
#include "goldfinch/math/linear_tile.hpp"

#if GOLDFINCH_SIMD

namespace goldfinch::inline GOLDFINCH_ISA {
namespace fast {

/// m rows of packed x against panels p, p + stride, …, of which `panels` point to the first of K steps: y is continued, or begun.
template <class Scalar, class Stored, int rows, int streams>
void tile_onto(const Scalar* x, Index m, Index K, Index N, const Stored* const* panels, Index p, Index stride, Scalar* y, Index ldy, bool fresh) {
  constexpr Index width = tile_vectors<Scalar>(rows) * lanes<Scalar>;
  for (Index slice = 0; slice < Weight::panel; slice += width) {
    Scalar* to[streams];
    Index columns[streams];
    bool whole = m == rows;
    for (int q = 0; q < streams; ++q) {
      const Index column = (p + q * stride) * Weight::panel + slice;
      to[q] = y + column;
      columns[q] = std::clamp<Index>(N - column, 0, width);
      whole = whole && columns[q] == width;
    }
    if (whole) {
      tile<Scalar, Stored, rows, streams>(x, K, panels, slice, to, ldy, fresh);
      continue;
    }
    alignas(64) Scalar buffer[streams * rows * width] = {};  // a ragged edge: y has no room for all that a tile computes
    Scalar* s[streams];
    for (int q = 0; q < streams; ++q) {
      s[q] = buffer + q * rows * width;
      for (Index r = 0; r < m && !fresh; ++r) std::copy_n(to[q] + r * ldy, columns[q], s[q] + r * width);
    }
    tile<Scalar, Stored, rows, streams>(x, K, panels, slice, s, width, fresh);
    for (int q = 0; q < streams; ++q)
      for (Index r = 0; r < m; ++r) std::copy_n(s[q] + r * width, columns[q], to[q] + r * ldy);
  }
}

/// Up to tile_rows rows: the weights stream through once, widened in registers.
template <class Scalar, class Stored>
void few_rows_onto(Index T, const Scalar* x, Index ldx, const Weight& W, Scalar* y, Index ldy, bool fresh, ArrayFunction<Scalar> f) {
  with_tile_rows(T, [&](auto constant) {
    constexpr int rows = constant, streams = rows > 2 ? 1 : vector_bytes == 64 ? 4 / rows : 2 / rows;
    const Index K = W.K();
    Vector<Scalar> packed(rows > 1 ? K * rows : 0);  // one row is packed as it is
    if (rows > 1) {
      turn_rows<4>(x, ldx, T, K, rows, packed.data());
      x = packed.data();
    }
    const Index grain = std::max<Index>(1, 32768 / (K * Weight::panel));
    parallel_for(W.panels(), grain, [&](Index begin, Index end) {
      const Index stride = (end - begin) / streams;
      Index p = begin;
      for (; p < begin + stride; ++p) {
        const Stored* panels[streams];
        for (int q = 0; q < streams; ++q) panels[q] = W.panel_data<Stored>(p + q * stride);
        tile_onto<Scalar, Stored, rows, streams>(x, T, K, W.N(), panels, p, stride, y, ldy, fresh);
      }
      for (p = begin + stride * streams; p < end; ++p) {
        const Stored* const panel = W.panel_data<Stored>(p);
        tile_onto<Scalar, Stored, rows, 1>(x, T, K, W.N(), &panel, p, 0, y, ldy, fresh);
      }
      const Index column = begin * Weight::panel, columns = std::min(end * Weight::panel, W.N()) - column;
      for (Index t = 0; f && t < T; ++t) f(y + t * ldy + column, y + t * ldy + column, columns);
    });
  });
}

/// Many rows, as in GotoBLAS: some blocks of k of a panel, widened, stay in the first-level cache while the tiles of a chunk of rows
/// meet it; the same blocks of the rows stay in the second-level cache while several panels pass, and so do the sums, side by side: in y
/// they lie a row apart, often a power of two, and would push each other out.
template <class Scalar, class Stored>
void many_rows_onto(Index T, const Scalar* x, Index ldx, const Weight& W, Scalar* y, Index ldy, bool fresh, ArrayFunction<Scalar> f) {
  constexpr Index steps = 16384 / (Weight::panel * sizeof(Scalar));  // of k: 16 kB of weights
  static_assert(steps % block == 0);
  constexpr Index tile_size = tile_rows * Weight::panel;
  constexpr Index most_tiles = 65536 / (tile_rows * steps), most_sums = 65536 / tile_size;  // 512 or 256 kB of x, and of sums
  constexpr Index items_wanted = 16, fewest_tiles = 4;  // for the threads to share, and for a widened panel to serve
  const Index K = W.K(), tiles = (T + tile_rows - 1) / tile_rows;
  const auto rows_of = [&](Index t) { return std::min<Index>(tile_rows, T - t * tile_rows); };
  Vector<Scalar> buffer(tiles * tile_rows * K);
  const auto packed = [&](Index t, Index k) { return buffer.data() + k * tiles * tile_rows + t * tile_rows * std::min(steps, K - k); };
  parallel_for(tiles, 1, [&](Index begin, Index end) {
    for (Index t = begin; t < end; ++t)
      for (Index k = 0; k < K; k += steps)
        with_tile_rows(rows_of(t), [&](auto rows) { turn_rows<4>(x + t * tile_rows * ldx + k, ldx, rows_of(t), std::min(steps, K - k), rows, packed(t, k)); });
  });
  const Index chunks = std::max({Index{1}, (tiles + most_tiles - 1) / most_tiles, std::min(tiles / fewest_tiles, items_wanted / W.panels())});
  const auto first_tile = [&](Index chunk) { return tiles * chunk / chunks; };
  parallel_for(chunks * W.panels(), 1, [&](Index begin, Index end) {
    using Wide = std::conditional_t<(scale_room<Stored> > 0), Scaled<Scalar>, Scalar>;
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
              f(sums_of(item, t) + r * Weight::panel, y + (t * tile_rows + r) * ldy + column, std::min(Weight::panel, W.N() - column));
            }
      };
      if (!fresh) each_row([](Scalar* s, const Scalar* from, Index n) { std::copy_n(from, n, s); });
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
                tile<Scalar, Wide, rows, 1>(packed(t, k), n, &panel, slice, &s, Weight::panel, fresh && k == 0);
              }
            });
          }
        }
      each_row([&](Scalar* s, Scalar* to, Index n) {
        if (f) f(s, s, n);
        if (n == Weight::panel) std::memcpy(to, s, sizeof(Scalar) * Weight::panel);  // of a fixed size: in registers
        else std::copy_n(s, n, to);
      });
      begin = last;
    }
  });
}

/// x [T, K] with rows ldx apart, y [T, N] with rows ldy apart, K > 0; y is continued from, or begun at +0 if it is `fresh`: to fill it with
/// zeros and read them again would cost a small product half of its time. f, if it is not null, is applied to finished sums in place.
template <class Scalar>
void linear_onto(Index T, const Scalar* x, Index ldx, const Weight& W, Scalar* y, Index ldy, bool fresh, ArrayFunction<Scalar> f) {
  dispatch_weight(W.dtype(), [&]<class Stored>(Stored*) {
    if (T == 0 || W.N() == 0) return;
    if (T <= tile_rows) return few_rows_onto<Scalar, Stored>(T, x, ldx, W, y, ldy, fresh, f);
    many_rows_onto<Scalar, Stored>(T, x, ldx, W, y, ldy, fresh, f);
  });
}

}  // namespace fast
}  // namespace goldfinch::inline GOLDFINCH_ISA

#endif  // GOLDFINCH_SIMD
