// Products of many rows: the arithmetic is the limit, and what is multiplied has to stay in caches.
#pragma once

#include "goldfinch/math/linear_tile.hpp"

#if GOLDFINCH_SIMD

namespace goldfinch::inline GOLDFINCH_ISA {
namespace fast {

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
          const bool next_k = item + 1 == last;
          const Index at = next_k ? std::min(k + steps, K) : k;
          const Stored* const next = weights(next_k ? begin : item + 1, at);
          for (Index t = t_begin; t < t_end; ++t) {
            fetch_share(next, std::min(steps, K - at), t - t_begin, t - t_begin + 1, t_end - t_begin);
            with_tile_rows(rows_of(t), [&](auto constant) {
              constexpr int rows = constant;
              for (Index slice = 0; slice < Weight::panel; slice += tile_vectors<Scalar>(rows) * lanes<Scalar>) {
                Scalar* const s = sums_of(item, t) + slice;
                const Scalar* const rows_from = packed(t, k);
                tile<Scalar, Wide, rows, 1>(&rows_from, n, &panel, slice, &s, Weight::panel, product.fresh && k == 0);
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

}  // namespace fast
}  // namespace goldfinch::inline GOLDFINCH_ISA

#endif  // GOLDFINCH_SIMD
