// Causal softmax attention by tiles of 64 keys, with the running maximum of "online softmax": nothing of size T x T ever exists,
// and a row's result depends on that row and its keys alone.
//
//   ATT.1   score = (q · k) * (1 / sqrt(N))                            the dot product is a sum of sum.hpp
//   ATT.2   per tile:  m' = max(m, scores),  a = exp(m - m'),  p = exp(score - m')            from m = -inf, l = 0, acc = 0
//   ATT.3              l = l * a + sum p,   acc[j] = acc[j] * a + sum p * v[j]                 both sums sequential from +0
//   ATT.4   y[j] = acc[j] / l                                                                  after the last tile
//
// Tiles start at absolute positions 0, 64, 128, …; the query at position t sees keys 0 .. t and skips the others. So query i of
// a chunk of n over a context of T tokens sees keys 0 .. T - n + i (not a mask aligned to the first key).
//
// Keys and values come from a source:   end = source.tiles(first, out)   appends to out[i] the tiles of sequence i that lie between
// the positions `first` and `end`, both multiples of 64, as far as its context goes (others are refused). They are stored rows (GPTAlpha,
// Llama), or rows rebuilt from the compressed cache (GOLD), and stay valid until the next call.
#pragma once

#include <limits>
#include <type_traits>

#include "goldfinch/core/segments.hpp"
#include "goldfinch/core/simd.hpp"
#include "goldfinch/math/elementwise.hpp"
#include "goldfinch/math/sum.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Keys and values of up to 64 positions, for all heads.
template <class Scalar>
struct KeyTile {
  const Scalar* k = nullptr;  // [n, H N], rows ld apart
  const Scalar* v = nullptr;  // [n, H N], rows ld apart
  Index ld = 0;
  // Instead, for what is kept to be read again and again, head by head: keys [H][N][64] and values [H][64][N]. ld is then 0.
  bool by_head = false;
};

/// One sequence's queries in a call: rows first .. first + rows - 1 of q are the last `rows` tokens of its context.
struct Queries {
  Index first, rows, context;
};

/// What one query of one head knows so far: the running maximum m and the weight l; acc lies in the result's row.
template <class Scalar>
struct SoftmaxState {
  Scalar m = Scalar(-std::numeric_limits<double>::infinity());
  Scalar l = Scalar(0);
};

namespace plain {

/// ATT.1 to ATT.3: one query q [N] against n <= 64 keys and values, rows ld apart.
template <class Scalar>
void attention_tile(Index N, Index n, const Scalar* q, const Scalar* k, const Scalar* v, Index ld, Scalar scale, SoftmaxState<Scalar>& s, Scalar* acc) {
  Scalar p[block];
  Scalar m = s.m;
  for (Index i = 0; i < n; ++i) {
    p[i] = blocked_sum<Scalar>(N, [&](Index j) { return q[j] * k[i * ld + j]; }) * scale;     // ATT.1
    m = m < p[i] ? p[i] : m;
  }
  const Scalar a = goldfinch::exp(s.m - m);                                                   // ATT.2
  for (Index i = 0; i < n; ++i) p[i] = goldfinch::exp(p[i] - m);
  Scalar sum(0);
  for (Index i = 0; i < n; ++i) sum = sum + p[i];
  s = {m, s.l * a + sum};                                                                     // ATT.3
  for (Index j = 0; j < N; ++j) {
    Scalar c(0);
    for (Index i = 0; i < n; ++i) c = c + p[i] * v[i * ld + j];
    acc[j] = acc[j] * a + c;
  }
}

}  // namespace plain

#if GOLDFINCH_SIMD
namespace fast {

/// Keys and values of a head's next tile, which come from memory while this tile is computed. The memory can bring so many lines at a time and
/// no more, so a quarter of them is asked for in each part of the work, a line of keys and one of values together; the last comes by itself.
class NextTile {
 public:
  NextTile() = default;
  /// k and v: N * 64 numbers each.
  template <class Scalar>
  NextTile(const Scalar* k, const Scalar* v, Index N)
      : k_(reinterpret_cast<const char*>(k)), v_(reinterpret_cast<const char*>(v)), quarter_(N * block / 4 * static_cast<Index>(sizeof(Scalar))) {}

  /// Whether there is one.
  explicit operator bool() const { return k_; }

  /// The part of work that asks for the first quarter, the second or the third has come to byte `at` of as many as this tile's keys take.
  template <int part>
  GOLDFINCH_INLINE void fetch(Index at) const {
    if (!k_ || at % 256 != 0) return;  // four bytes of work, one to fetch; a line at a time
    __builtin_prefetch(k_ + part * quarter_ + at / 4, 0, 2), __builtin_prefetch(v_ + part * quarter_ + at / 4, 0, 2);
  }

 private:
  const char *k_ = nullptr, *v_ = nullptr;
  Index quarter_ = 0;
};

/// sum p * v over the keys for `vectors` registers of channels from j on, scaled onto acc.
template <class Scalar, int vectors>
void weighted_values(Index n, const Scalar* p, const Scalar* v, Index ld, Index j, Scalar a, Scalar* acc, const NextTile& next) {
  using V = Simd<Scalar, lanes<Scalar>>;
  constexpr Index size = sizeof(Scalar);
  V c[vectors] = {};
  for (Index i = 0; i < n; ++i) {
    next.fetch<2>((j * block + i * vectors * lanes<Scalar>) * size);
    for (int q = 0; q < vectors; ++q) c[q] = c[q] + p[i] * load_vector<V>(v + i * ld + j + q * lanes<Scalar>);
  }
  for (int q = 0; q < vectors; ++q) {
    Scalar* const to = acc + j + q * lanes<Scalar>;
    store_vector(to, load_vector<V>(to) * a + c[q]);
  }
}

/// plain::attention_tile with the keys transposed; the same bits.
template <class Scalar>
void attention_tile(Index N, Index n, const Scalar* q, const Scalar* k, const Scalar* v, Index ld, Scalar scale, SoftmaxState<Scalar>& s, Scalar* acc,
                    const NextTile& next = {}) {
  using V = Simd<Scalar, lanes<Scalar>>;
  constexpr int width = lanes<Scalar>, vectors = static_cast<int>(block) / width, side = vectors < 4 ? vectors : 4;
  constexpr Index size = sizeof(Scalar);
  alignas(64) Scalar p[block];
  for (Index i = 0; i < block; i += side * width) {
    V total[side] = {};
    for (Index first = 0; first < N; first += block) {
      V c[side] = {};
      for (Index j = first; j < std::min(first + block, N); ++j) {
        next.fetch<0>((i * N + j * side * width) * size);
        for (int w = 0; w < side; ++w) c[w] = c[w] + q[j] * load_vector<V>(k + j * block + i + w * width);
      }
      for (int w = 0; w < side; ++w) total[w] = total[w] + c[w];
    }
    for (int w = 0; w < side; ++w) store_vector(p + i + w * width, total[w] * scale);
  }
  Scalar m = s.m;
  for (Index i = 0; i < n; ++i) m = m < p[i] ? p[i] : m;
  const Scalar a = goldfinch::exp(s.m - m);
  for (Index i = 0; i < n; ++i) p[i] = p[i] - m;
  for (Index i = 0, some = next ? block / 4 : block; i < n; i += some) {
    for (Index at = i * N * size; next && at < (i + some) * N * size; at += 256) next.fetch<1>(at);
    goldfinch::exp(p + i, p + i, std::min(some, n - i));
  }
  Scalar sum(0);
  for (Index i = 0; i < n; ++i) sum = sum + p[i];
  s = {m, s.l * a + sum};
  Index j = 0;
  for (; j + 4 * width <= N; j += 4 * width) weighted_values<Scalar, 4>(n, p, v, ld, j, a, acc, next);
  for (; j + width <= N; j += width) weighted_values<Scalar, 1>(n, p, v, ld, j, a, acc, next);
  for (; j < N; ++j) {
    Scalar c(0);
    for (Index i = 0; i < n; ++i) c = c + p[i] * v[i * ld + j];
    acc[j] = acc[j] * a + c;
  }
}

}  // namespace fast
#endif

/// Throws unless the sequences' queries are rows of q one behind the other, none beyond its context.
inline void require_queries(const std::vector<Queries>& sequences, Index rows) {
  Index next = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const auto [first, n, context] = sequences[i];
    if (first < next || first > rows || n < 0 || n > rows - first || n > context)
      fail("attention: sequence ", i, " has ", n, " queries from row ", first, " on and a context of ", context, ", expected rows from ", next, " on of ", rows, ", none beyond the context");
    next = first + n;
  }
}

/// Throws unless a source gave what it was asked for: every tile between start and end that sequence i has.
template <class Scalar>
void require_tiles(const std::vector<Queries>& sequences, Index start, Index end, const std::vector<std::vector<KeyTile<Scalar>>>& tiles) {
  if (end <= start || end % block != 0) fail("attention: the source of keys came from position ", start, " to ", end, ", expected a later multiple of ", block);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const Index there = std::max<Index>(0, (std::min(end, sequences[i].context) - start + block - 1) / block);
    if (sequences[i].rows > 0 && static_cast<Index>(tiles[i].size()) != there) fail("attention: the source of keys has ", tiles[i].size(), " tiles of sequence ", i, " from position ", start, " to ", end, ", expected ", there);
    for (const auto& tile : tiles[i])
      if (!has_fast_kernels<Scalar> && tile.by_head) fail("attention: a tile is laid out head by head, which the plain loops do not read");
  }
}

/// q [rows, H N] holds the queries of any number of sequences, one behind the other; their results go to the same rows of y, of q's shape.
template <class Scalar, class Source>
void causal_attention(const Matrix<Scalar>& q, const std::vector<Queries>& sequences, Index N, Source&& source, Matrix<Scalar>& y) {
  using std::sqrt;
  require_heads(q.cols(), N, "attention: a row of q");
  require_shape(y, q.rows(), q.cols(), "attention: the result");
  if (&q == &y) fail("attention: the result is the queries' matrix, expected another");
  require_queries(sequences, q.rows());
  const Index D = q.cols(), H = D / N, count = static_cast<Index>(sequences.size());
  const Scalar scale = Scalar(1) / sqrt(Scalar(static_cast<double>(N)));
  std::vector<SoftmaxState<Scalar>> states(static_cast<std::size_t>(q.rows() * H));
  Index longest = 0;
  for (const Queries& s : sequences) {
    y.middleRows(s.first, s.rows).setConstant(Scalar(0));
    if (s.rows > 0) longest = std::max(longest, s.context);
  }
  std::vector<std::vector<KeyTile<Scalar>>> tiles(sequences.size());
  for (Index start = 0, end = 0; start < longest; start = end) {
    for (auto& list : tiles) list.clear();
    end = source.tiles(start, tiles);
    require_tiles(sequences, start, end, tiles);
    Index work = 0;  // multiplications of a head
    for (const Queries& s : sequences) work += s.rows * std::max<Index>(0, std::min(end, s.context) - start) * 2 * N;
    parallel_for(count * H, std::max<Index>(1, elementwise_grain * count / std::max<Index>(1, work)), [&](Index begin, Index last) {
      std::vector<Scalar> scratch(static_cast<std::size_t>(has_fast_kernels<Scalar> ? N * block : 0));
      for (Index item = begin; item < last; ++item) {
        const Index i = item / H, h = item % H;
        const Queries& s = sequences[static_cast<std::size_t>(i)];
        const Index first_position = s.context - s.rows;
        const auto& list = tiles[static_cast<std::size_t>(i)];
        for (std::size_t j = 0; s.rows > 0 && j < list.size(); ++j) {
          const KeyTile<Scalar>& keys = list[j];
          const Index tile = start + static_cast<Index>(j) * block, in_tile = std::min(block, s.context - tile);
          const Index head = (keys.by_head ? block : 1) * h * N, ld = keys.by_head ? N : keys.ld;
#if GOLDFINCH_SIMD
          const Scalar* const turned = keys.by_head ? keys.k + head : scratch.data();
          if constexpr (has_fast_kernels<Scalar>)
            if (!keys.by_head) turn_rows(keys.k + head, ld, in_tile, N, block, scratch.data());  // so that vectors run across keys
          const KeyTile<Scalar>* const next = keys.by_head && j + 1 < list.size() && list[j + 1].by_head ? &list[j + 1] : nullptr;
#endif
          for (Index t = std::max<Index>(0, tile - first_position); t < s.rows; ++t) {
            const Index seen = std::min(in_tile, first_position + t + 1 - tile);
            const Scalar* const query = q.data() + (s.first + t) * D + h * N;
            Scalar* const acc = y.data() + (s.first + t) * D + h * N;
            SoftmaxState<Scalar>& known = states[static_cast<std::size_t>((s.first + t) * H + h)];
#if GOLDFINCH_SIMD
            if constexpr (has_fast_kernels<Scalar>) {
              const KeyTile<Scalar>* const coming = t + 1 == s.rows ? next : nullptr;  // once, however many queries there are
              fast::attention_tile(N, seen, query, turned, keys.v + head, ld, scale, known, acc,
                                   coming ? fast::NextTile(coming->k + head, coming->v + head, N) : fast::NextTile());
              continue;
            }
#endif
            plain::attention_tile(N, seen, query, keys.k + head, keys.v + head, ld, scale, known, acc);
          }
        }
      }
    });
  }
  for (const Queries& s : sequences)
    for_rows(s.rows, D, [&](Index t) {
      Scalar* const row = y.data() + (s.first + t) * D;
      for (Index j = 0; j < D; ++j) row[j] = row[j] / states[static_cast<std::size_t>((s.first + t) * H + j / N)].l;  // ATT.4
    });
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
