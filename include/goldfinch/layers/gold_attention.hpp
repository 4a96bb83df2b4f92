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
    const auto before = token_shift(z, segments, &State::last_z);
    auto rate = lora(lerp(z, before, time_maa_x), time_maa_q_w1, time_maa_q_w2);
    const auto xq = trace("xq", lerp(z, before, time_maa_q, std::move(rate)));                          // GOLD.1
    auto q = trace("q", layer_norm(linear(xq, query), ln_q));                                           // GOLD.2

    Matrix<Scalar> y(z.rows(), z.cols());
    for (std::size_t i = 0; i < segments.size(); ++i) {
      Source source{*this, context, *context.caches[i], trace};
      const auto& s = segments[i];
      rotary_.turn(q, s.first, s.rows, source.size() - s.rows);
      causal_attention(q, s.first, s.rows, N_, source, y);                                              // GOLD.7
    }
    y = trace("attn", std::move(y));
    return trace("out", linear(layer_norm(std::move(y), ln_x), output));                                // GOLD.8
  }

 private:
  /// The attention source (math/attention.hpp) over the compressed cache. What a page's memo has room for is rebuilt once; a traced
  /// call rebuilds everything, so that the trace sees it.
  struct Source {
    const GoldAttention& layer;
    const GoldContext<Scalar>& context;
    const KeyCache<Scalar>& cache;
    const Trace<Scalar>& trace;
    Matrix<Scalar> k = {}, v = {};  // rebuilt rows that no memo holds

    Index size() const { return cache.size(); }

    void tiles(Index first, std::vector<KeyTile<Scalar>>& out) {
      constexpr Index at_once = 4 * block;  // positions rebuilt together, so that weights are read less often
      const Index T = size(), D = layer.query.N();
      std::vector<std::unique_lock<std::mutex>> locks;
      const auto remembered = [&](Index t) -> RememberedRows<Scalar>* {
        PageMemo<Scalar>* const memo = trace ? nullptr : cache.memo(t);
        return memo ? memo->layer(context.layer, D) : nullptr;
      };
      const auto lock = [&](Index t) {
        if (PageMemo<Scalar>* const memo = cache.memo(t)) locks.emplace_back(memo->mutex);
      };
      const auto tile_of = [&](RememberedRows<Scalar>& rows) { return KeyTile<Scalar>{nullptr, rows.data() + block * D, D, rows.data()}; };

      for (Index t = first; t < T; t += block) {  // pages that are remembered already
        lock(t);
        RememberedRows<Scalar>* const rows = remembered(t);
        if (!rows || rows->rows < std::min(block, T - t)) break;
        out.push_back(tile_of(*rows));
      }
      if (!out.empty()) return;

      const Index end = std::min(T, first + at_once);
      for (Index t = first + block; t < end; t += block) lock(t);
      const RememberedRows<Scalar>* const begun = remembered(first);
      const Index from = first + (begun ? begun->rows : 0);
      layer.rebuild(context, cache, from, end - from, trace, k, v);
      for (Index t = first; t < end; t += block) {
        const Index begin = std::max(t, from), n = std::min(t + block, end) - begin;
        RememberedRows<Scalar>* const rows = remembered(t);
        if (rows) layer.remember(k.data() + (begin - from) * D, v.data() + (begin - from) * D, begin - t, n, *rows);
        out.push_back(rows ? tile_of(*rows) : KeyTile<Scalar>{k.data() + (t - from) * D, v.data() + (t - from) * D, D});
      }
    }
  };

  /// Puts n rows of k and v behind the `done` rows that a page's memo holds already.
  void remember(const Scalar* k, const Scalar* v, Index done, Index n, RememberedRows<Scalar>& rows) const {
    const Index D = query.N();
    Scalar* const turned = rows.data();
    parallel_for(D, std::max<Index>(1, elementwise_grain / n), [&](Index begin, Index end) {
      for (Index j = begin; j < end; ++j)
        for (Index i = 0; i < n; ++i) turned[j * block + done + i] = k[i * D + j];
    });
    std::copy_n(v, n * D, rows.data() + block * D + done * D);
    rows.rows = done + n;
  }

  /// GOLD.3 to GOLD.6 for positions first .. first + n - 1 of the cache: k, after rotary, and v, [n, D] each.
  void rebuild(const GoldContext<Scalar>& context, const KeyCache<Scalar>& cache, Index first, Index n, const Trace<Scalar>& trace,
               Matrix<Scalar>& k, Matrix<Scalar>& v) const {
    const Index lead = first > 0 ? 1 : 0;  // the row before the first is needed for its token shift
    const auto x0 = context.embedding.rows(cache.ids(first - lead, n + lead).data(), n + lead);
    const auto all_K = context.token_cat.keys(x0, cache, first - lead);
    const auto all_o = rms_norm(x0);                                                                    // GOLD.3
    const Matrix<Scalar> K = context.trace.context("keys", first, all_K.bottomRows(n)), o = all_o.bottomRows(n);
    const auto before_K = shifted(all_K, n), before_o = shifted(all_o, n);

    const auto h = ddlerp_hidden(o, before_o, time_maa_v_cache, time_maa_kv_w1);                        // GOLD.4
    auto mk = trace.context("mk", first, ddlerp_offset(h, time_maa_kv_w2, 0));
    auto mv = trace.context("mv", first, ddlerp_offset(h, time_maa_kv_w2, 1));

    k = lerp(K, before_K, time_maa_k, std::move(mk));                                                   // GOLD.5
    k = add(k, lora(k, time_key_w1, time_key_w2));
    k = trace.context("k", first, layer_norm(std::move(k), ln_k));
    v = lerp(o, before_o, time_maa_v, std::move(mv));                                                   // GOLD.6
    v = add(v, lora(v, time_value_w1, time_value_w2));
    v = trace.context("v", first, layer_norm(std::move(v), ln_v));
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
