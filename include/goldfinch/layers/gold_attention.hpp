// GOLD time mix (gold): the attention layer of GoldFinch's upper part. Queries come from the residual stream; keys from the
// compressed cache that all GOLD layers share; values from the token embeddings alone. There is no key or value projection.
//
// For the rows of the call, z = LN(x; ln1), dz[t] = z[t-1] - z[t]:
//   GOLD.1   x_q = z + dz * (time_maa_q + lora(z + dz * time_maa_x; time_maa_q_w1, _w2))                           [D]
//   GOLD.2   q   = LN(query x_q; ln_q)                                                                             [D]
// For every token of the context, with x0 (EMB.1) and K (TC.2), do[t] = o[t-1] - o[t], dK[t] = K[t-1] - K[t]:
//   GOLD.3   o   = rms_norm(x0)                                                                                    [D]
//   GOLD.4   (m_k, m_v) = the two groups of tanh((o + do * time_maa_v_cache) time_maa_kv_w1) through time_maa_kv_w2
//   GOLD.5   k   = K + dK * (time_maa_k + m_k),   then   k = k + lora(k; time_key_w1, _w2),     then   LN(k; ln_k)
//   GOLD.6   v   = o + do * (time_maa_v + m_v),   then   v = v + lora(v; time_value_w1, _w2),   then   LN(v; ln_v)
// Again for the rows of the call:
//   GOLD.7   y   = causal attention of rotary(q) over rotary(k), v
//   GOLD.8   out = output LN(y; ln_x)                                                                              [D]
//
// Carried between calls: the last row of z. The context side carries nothing: before the first token of the context o and K are
// zero, and row t is rebuilt from tokens t-1 and t of the cache, so it never depends on how the context was cut into calls.
// v and m_k depend on the ids of tokens t and t-1 only.
#pragma once

#include <deque>
#include <map>

#include "goldfinch/core/trace.hpp"
#include "goldfinch/layers/embedding.hpp"
#include "goldfinch/layers/lora.hpp"
#include "goldfinch/layers/token_cat.hpp"
#include "goldfinch/math/attention.hpp"
#include "goldfinch/math/rotary.hpp"
#include "goldfinch/math/token_shift.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What the context side of every GOLD layer is rebuilt from; `caches` has one cache for each segment of the call.
template <class Scalar>
struct GoldContext {
  const Embedding<Scalar>& embedding;
  const TokenCat<Scalar>& token_cat;
  std::vector<const KeyCache<Scalar>*> caches;
  std::size_t layer = 0;     // which of the GOLD layers this is, from 0
  Trace<Scalar> trace = {};  // for the keys, which belong to no single layer
};

template <class Scalar>
class GoldAttention {
 public:
  static constexpr const char* kind = "gold";

  struct State {
    Vector<Scalar> last_z;  // [D]
    /// Throws unless it is a state of a layer of width D.
    void require(Index D, Index) const { require_size(last_z, D, "last_z of a state"); }
  };
  State initial_state(const Dimensions& n) const { return {Vector<Scalar>::Constant(n.D, Scalar(0))}; }

  GoldAttention(const Dimensions& n, const RotarySettings& rotary) : N_(n.N), rotary_(rotary, n.N) {}

  /// Names, shapes and roles under "blocks.i.att.".
  template <class Visitor>
  void parameters(const Dimensions& n, Visitor&& visit) {
    visit("time_maa_x",       time_maa_x,       Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_q",       time_maa_q,       Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_v_cache", time_maa_v_cache, Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_k",       time_maa_k,       Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_v",       time_maa_v,       Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_q_w1",    time_maa_q_w1,    Shape{n.D, n.query_mix_rank},  Role::lora_in);
    visit("time_maa_q_w2",    time_maa_q_w2,    Shape{n.query_mix_rank, n.D},  Role::lora_out);
    visit("time_maa_kv_w1",   time_maa_kv_w1,   Shape{n.D, 2 * n.kv_mix_rank}, Role::lora_in);
    visit("time_maa_kv_w2",   time_maa_kv_w2,   Shape{2, n.kv_mix_rank, n.D},  Role::lora_out);
    visit("time_key_w1",      time_key_w1,      Shape{n.D, n.key_rank},        Role::lora_in);
    visit("time_key_w2",      time_key_w2,      Shape{n.key_rank, n.D},        Role::lora_out);
    visit("time_value_w1",    time_value_w1,    Shape{n.D, n.value_rank},      Role::lora_in);
    visit("time_value_w2",    time_value_w2,    Shape{n.value_rank, n.D},      Role::lora_out);
    visit("query.weight",     query,            Shape{n.D, n.D},               Role::matrix);
    visit("output.weight",    output,           Shape{n.D, n.D},               Role::matrix);
    visit_norm("ln_q", ln_q, n.D, visit);
    visit_norm("ln_k", ln_k, n.D, visit);
    visit_norm("ln_v", ln_v, n.D, visit);
    visit_norm("ln_x", ln_x, n.D, visit);
  }

  /// z [rows, D] -> [rows, D]. The caches already hold this call's tokens: a segment's rows are the last of its context.
  Matrix<Scalar> forward(const Matrix<Scalar>& z, const Segments<State>& segments, const GoldContext<Scalar>& context,
                         const Trace<Scalar>& trace = {}) const {
    require_layer_input(kind, z, segments, time_maa_x.size(), N_);
    require_caches(context.caches, segments, context.embedding.vocabulary_size(), context.token_cat.key_size(), z.cols(),
                   context.layer);
    const auto before = token_shift(z, segments, &State::last_z);
    auto rate = lora(lerp(z, before, time_maa_x), time_maa_q_w1, time_maa_q_w2);
    const auto xq = trace("xq", lerp(z, before, time_maa_q, std::move(rate)));                          // GOLD.1
    auto q = trace("q", layer_norm(linear(xq, query), ln_q));                                           // GOLD.2

    std::vector<Queries> queries;
    Source source{*this, context, {}, trace};
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const auto& s = segments[i];
      if (s.rows == 0) continue;
      const KeyCache<Scalar>& cache = *context.caches[i];
      rotary_.turn(q, s.first, s.rows, cache.size() - s.rows);
      queries.push_back({s.first, s.rows, cache.size()});
      source.caches.push_back(&cache);
    }
    Matrix<Scalar> y(z.rows(), z.cols());
    causal_attention(q, queries, N_, source, y);                                                        // GOLD.7
    y = trace("attn", std::move(y));
    return trace("out", linear(layer_norm(y, ln_x), output));                                           // GOLD.8
  }

 private:
  /// Pages whose keys and values are rebuilt at a time, each by one thread; they bound the scratch of a call.
  static constexpr Index pages_at_once = 16;

  /// The attention source (math/attention.hpp) over compressed caches. Sequences that share a page share what is rebuilt of it; what
  /// a page's memo has room for is rebuilt once. A traced call rebuilds everything, in order, so that the trace sees it.
  struct Source {
    struct Page {
      const KeyCache<Scalar>& cache;
      Index first, n;  // its positions
      KeyTile<Scalar> tile = {};
      Matrix<Scalar> k = {}, v = {};  // what no memo holds
    };

    const GoldAttention& layer;
    const GoldContext<Scalar>& context;
    std::vector<const KeyCache<Scalar>*> caches;  // of every sequence
    const Trace<Scalar>& trace;
    std::deque<Page> pages = {};

    Index tiles(Index start, std::vector<std::vector<KeyTile<Scalar>>>& out) {
      const Index reaching = std::count_if(caches.begin(), caches.end(), [&](const auto* cache) { return cache->size() > start; });
      const Index end = start + std::max<Index>(1, pages_at_once / reaching) * block;
      pages.clear();
      std::map<const void*, Page*> distinct;
      std::vector<Page*> to_rebuild;
      const auto each = [&](auto&& use) {
        for (std::size_t i = 0; i < caches.size(); ++i)
          for (Index t = start; t < std::min(end, caches[i]->size()); t += block) use(i, t);
      };
      each([&](std::size_t i, Index t) {
        Page*& page = distinct[caches[i]->page(t)];
        if (page) return;
        page = &pages.emplace_back(Page{*caches[i], t, std::min(block, caches[i]->size() - t)});
        if (!is_remembered(*page)) to_rebuild.push_back(page);
      });
      const auto count = static_cast<Index>(to_rebuild.size());
      parallel_for(count, trace ? count : 1, [&](Index begin, Index last) {
        for (Index i = begin; i < last; ++i) rebuild_page(*to_rebuild[static_cast<std::size_t>(i)]);
      });
      each([&](std::size_t i, Index t) { out[i].push_back(distinct[caches[i]->page(t)]->tile); });
      return end;
    }

    PageMemo<Scalar>* memo(const Page& page) const { return trace ? nullptr : page.cache.memo(page.first); }

    /// Whether all of the page is remembered; its tile is then set.
    bool is_remembered(Page& page) const {
      PageMemo<Scalar>* const known = memo(page);
      if (!known) return false;
      const std::lock_guard lock(known->mutex);
      if (!known->has_room()) return false;
      const auto rows = known->layer(context.layer);
      page.tile = tile_of(rows);
      return rows.rows >= page.n;
    }

    void rebuild_page(Page& page) const {
      const Index D = layer.query.N();
      if (PageMemo<Scalar>* const known = memo(page)) {
        const std::lock_guard lock(known->mutex);
        if (known->has_room()) {
          const auto rows = known->layer(context.layer);
          page.tile = tile_of(rows);
          if (rows.rows >= page.n) return;  // another thread was faster
          layer.rebuild(context, page.cache, page.first + rows.rows, page.n - rows.rows, trace, page.k, page.v);
          remember(layer.N_, page.k, page.v, rows);
          return;
        }
      }
      layer.rebuild(context, page.cache, page.first, page.n, trace, page.k, page.v);
      page.tile = {page.k.data(), page.v.data(), D};
    }

    KeyTile<Scalar> tile_of(const RememberedRows<Scalar>& rows) const { return {rows.keys, rows.values, 0, true}; }
  };

  /// Puts k and v [n, D] behind the rows that are remembered already.
  static void remember(Index N, const Matrix<Scalar>& k, const Matrix<Scalar>& v, const RememberedRows<Scalar>& rows) {
    const Index D = k.cols(), n = k.rows();
    for (Index j = 0; j < D; ++j)
      for (Index i = 0; i < n; ++i) rows.keys[j * block + rows.rows + i] = k.data()[i * D + j];
    for (Index c = 0; c < D; c += N)
      for (Index i = 0; i < n; ++i) std::copy_n(v.data() + i * D + c, N, rows.values + c * block + (rows.rows + i) * N);
    rows.rows += n;
  }

  /// GOLD.3 to GOLD.6 for positions first .. first + n - 1 of the cache: k, after rotary, and v, [n, D] each.
  void rebuild(const GoldContext<Scalar>& context, const KeyCache<Scalar>& cache, Index first, Index n, const Trace<Scalar>& trace,
               Matrix<Scalar>& k, Matrix<Scalar>& v) const {
    const Index lead = first > 0 ? 1 : 0;  // the row before the first is needed for its token shift
    const auto x0 = context.embedding.rows(cache.ids(first - lead, n + lead).data(), n + lead);
    const auto all_K = context.token_cat.decompress(x0, cache, first - lead);                             // TC.2
    const auto all_o = rms_norm(x0);                                                                    // GOLD.3
    const Matrix<Scalar> K = context.trace.context("keys", first, all_K.bottomRows(n)), o = all_o.bottomRows(n);
    const auto before_K = shifted(all_K, n), before_o = shifted(all_o, n);

    const auto h = ddlerp_hidden(o, before_o, time_maa_v_cache, time_maa_kv_w1);                        // GOLD.4
    auto [mk, mv] = ddlerp_offsets<2>(h, time_maa_kv_w2);
    mk = trace.context("mk", first, std::move(mk));
    mv = trace.context("mv", first, std::move(mv));

    k = lerp(K, before_K, time_maa_k, std::move(mk));                                                   // GOLD.5
    v = lerp(o, before_o, time_maa_v, std::move(mv));                                                   // GOLD.6
    const auto [hk, hv] = linear_each<Scalar>({{k, time_key_w1, tanh<Scalar>}, {v, time_value_w1, tanh<Scalar>}});
    const auto [dk, dv] = linear_each<Scalar>({{hk, time_key_w2}, {hv, time_value_w2}});
    k = trace.context("k", first, layer_norm(add(std::move(k), dk), ln_k));
    v = trace.context("v", first, layer_norm(add(std::move(v), dv), ln_v));
    rotary_.turn(k, 0, n, first);
  }

  /// The rows before the last n rows of x, zeros before its first.
  static Matrix<Scalar> shifted(const Matrix<Scalar>& x, Index n) {
    Matrix<Scalar> before(n, x.cols());
    if (x.rows() > n) return x.topRows(n);
    before.row(0).setConstant(Scalar(0));
    before.bottomRows(n - 1) = x.topRows(n - 1);
    return before;
  }

  Index N_;
  Rotary<Scalar> rotary_;
  Vector<Scalar> time_maa_x, time_maa_q, time_maa_v_cache, time_maa_k, time_maa_v;  // [D]
  Weight time_maa_q_w1, time_maa_q_w2;                                              // [D, rank], [rank, D]
  Weight time_maa_kv_w1;                                                            // [D, 2 rank]
  std::vector<Weight> time_maa_kv_w2;                                               // 2 of [rank, D]
  Weight time_key_w1, time_key_w2, time_value_w1, time_value_w2;                    // [D, rank], [rank, D]
  Weight query, output;                                                             // [D, D]
  Affine<Scalar> ln_q, ln_k, ln_v, ln_x;                                            // [D]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
