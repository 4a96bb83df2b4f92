// The whole family once more: every layer and the whole model on plain arrays, from weights by name and a configuration, in
// double, in float, or in float with roundings to bfloat16 (arithmetic.hpp). Every intermediate is recorded under the names of
// reference_outputs/models/README.md.
//
// A model may be given another trace to follow: then each intermediate is computed, recorded, and replaced by the other's. So
// what is recorded is what each step should have given for the inputs that the other had: its errors one by one, not piled up.
#pragma once

#include <map>
#include <stdexcept>

#include "naive/operators.hpp"

namespace naive {

struct Config {
  int n_layer = 0, split = 0;  // blocks split .. n_layer - 1 are the upper ones
  int D = 0, N = 0;
  std::string tmix, tmix2, cmix, cmix2;
  double head_size_divisor = 8;
  bool use_one_minus_w = true, use_v2 = true;
  double rope_base = 0, rope_rescale = 1;
  std::int64_t first_position = 0;  // where a text begins
};

/// Tensors by checkpoint name; the last dimension across, all others down.
using Weights = std::map<std::string, Array<double>>;

/// Intermediates by name, in the order in which they first came.
class Trace {
 public:
  struct Entry {
    std::string name;
    Array<double> value;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  const Array<double>* find(const std::string& name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? nullptr : &entries_[found->second].value;
  }
  /// Rows of this call's tokens go behind those of earlier calls; what belongs to the whole context replaces what was there.
  void put(const std::string& name, const Array<double>& value, bool behind) {
    const auto [place, added] = places_.try_emplace(name, entries_.size());
    if (added) entries_.push_back({name, value});
    else if (behind) entries_[place->second].value.append(value);
    else entries_[place->second].value = value;
  }

 private:
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> places_;
};

/// What a sequence carries from call to call.
template <class S>
struct State {
  struct Block {
    Array<S> time_row, channel_row;  // [1, D], the last rows that the mixes saw
    Array<S> wkv;                    // [H N, N], key rows, value columns
    Array<S> k, v;                   // [T, D], k before rotary
  };
  std::vector<Block> blocks;
  std::vector<int> ids;
  std::vector<std::int64_t> positions;
  Array<S> x0, compressed;  // [T, D], [T, R]
};

template <class S>
class Model {
 public:
  using A = Array<S>;

  Model(const Config& config, const Weights& weights, const Way& way = {}, const Trace* follow = nullptr)
      : config_(config), op_(way), follow_(follow) {
    for (const auto& [name, value] : weights) weights_[name] = value.template as<S>();
  }

  State<S> initial_state() const {
    State<S> state;
    const A none(1, config_.D), empty(0, config_.D);
    for (int i = 0; i < config_.n_layer; ++i) state.blocks.push_back({none, none, A(config_.D, config_.N), empty, empty});
    state.x0 = empty;
    return state;
  }

  const Trace& trace() const { return trace_; }

  /// The logits [n, V] after every one of n tokens.
  A forward(const std::vector<int>& tokens, State<S>& state) {
    const int n = static_cast<int>(tokens.size());
    call_start_ = static_cast<int>(state.ids.size());
    for (int i = 0; i < n; ++i) {
      state.ids.push_back(tokens[static_cast<std::size_t>(i)]);
      state.positions.push_back(config_.first_position + i + (op_.is(Mutant::rotary_restarts) ? 0 : call_start_));
    }
    A x = embedding(tokens);
    if (!op_.is(Mutant::ln0_missing)) x = layer_norm(x, "blocks.0.ln0");
    x = record("embed", x);
    state.x0.append(x);
    A keys, below = x;
    for (int i = 0; i < config_.n_layer; ++i) {
      const std::string name = "blocks." + std::to_string(i) + ".";
      auto& block = state.blocks[static_cast<std::size_t>(i)];
      const bool upper = i >= config_.split;
      if (i == config_.split && config_.tmix2 == "gold") keys = token_cat(x, below, state);
      below = x;

      const bool swapped = op_.is(Mutant::ln1_ln2_swapped);
      const A z = record(name + "ln1", layer_norm(x, name + (swapped ? "ln2" : "ln1")));
      const std::string& tmix = upper ? config_.tmix2 : config_.tmix;
      A mixed;
      if (tmix == "x060c2") mixed = finch_c2(name + "att.", z, block);
      else if (tmix == "x060") mixed = finch(name + "att.", z, block);
      else if (tmix == "gold") mixed = gold(name + "att.", z, x, keys, state, block);
      else if (tmix == "gptalpha") mixed = gptalpha(name + "att.", z, state, block);
      else if (tmix == "llama") mixed = llama(name + "att.", z, state, block);
      else throw std::runtime_error("there is no time mix " + tmix);
      block.time_row = (op_.is(Mutant::shift_carried_unnormalised) ? x : z).part(n - 1, 1);
      const A mid = record(name + "mid", residual(op_.is(Mutant::residual_from_norm) ? z : x, mixed));

      const A z2 = record(name + "ln2", layer_norm(op_.is(Mutant::mixes_in_parallel) ? x : mid, name + (swapped ? "ln1" : "ln2")));
      const std::string& cmix = upper ? config_.cmix2 : config_.cmix;
      x = record(name + "out", residual(mid, cmix == "llama" ? swiglu(name + "ffn.", z2) : channel_mix(name + "ffn.", z2, block)));
      block.channel_row = z2.part(n - 1, 1);
    }
    x = record("ln_out", op_.is(Mutant::ln_out_missing) ? x : layer_norm(x, "ln_out"));
    return record("logits", op_.linear(x, weight(op_.is(Mutant::head_tied) ? "emb.weight" : "head.weight")));
  }

 private:
  // ---- names

  const A& weight(const std::string& name) const {
    const auto found = weights_.find(name);
    if (found == weights_.end()) throw std::runtime_error("there is no tensor " + name);
    return found->second;
  }
  A layer_norm(const A& x, const std::string& name) const { return op_.layer_norm(x, weight(name + ".weight"), weight(name + ".bias")); }
  A lora(const A& z, const std::string& name) const { return op_.lora(z, weight(name + "_w1"), weight(name + "_w2")); }

  /// Records rows of this call (or, not `behind`, what replaces earlier calls') and returns what to go on with.
  A record(const std::string& name, const A& value, bool behind = true) {
    trace_.put(name, value.template as<double>(), behind);
    if (!follow_) return value;
    const Array<double>* const other = follow_->find(name);
    if (!other || other->rows != value.rows) throw std::runtime_error("the trace to follow has no such " + name);
    return other->cols == value.cols ? other->template as<S>() : value;  // where the width is wrong, nothing can be followed
  }
  A record_context(const std::string& name, const A& value) { return record(name, value, false); }

  A residual(const A& x, const A& y) const { return op_.add(x, y); }

  A embedding(const std::vector<int>& ids) const {
    const A& table = weight("emb.weight");
    A x(static_cast<int>(ids.size()), config_.D);
    for (int t = 0; t < x.rows; ++t)
      for (int j = 0; j < x.cols; ++j) x(t, j) = table((ids[static_cast<std::size_t>(t)] + (op_.is(Mutant::wrong_token) ? 1 : 0)) % table.rows, j);
    return x;
  }

  // ---- token shift

  A time_shift(const A& z, const typename State<S>::Block& block) const {
    return op_.shifted(z, op_.is(Mutant::shift_not_carried) ? A(1, config_.D) : block.time_row);
  }

  /// tanh((z + dz * mu_x) A).
  A ddlerp_hidden(const A& z, const A& before, const A& mu_x, const A& a) const {
    const A h = op_.times(op_.is(Mutant::ddlerp_of_unshifted) ? z : op_.lerp(z, before, mu_x), a);
    return op_.is(Mutant::ddlerp_without_tanh) ? h : op_.tanh(h);
  }
  /// Group g of `groups`, through its own rows of B.
  A ddlerp_offset(const A& h, const A& b, int g, int groups) const {
    const int rank = b.rows / groups;
    if (op_.is(Mutant::hidden_interleaved)) return op_.times(h, g, rank, b, g * rank, groups);
    return op_.times(h, g * rank, rank, b, g * rank);
  }
  /// A group's mixed input, recorded.
  A mixed(const std::string& at, const char* group, const A& z, const A& before, const A& h, int g, int groups) {
    const A offset = ddlerp_offset(h, weight(at + "time_maa_w2"), g, groups);
    return record(at + "x" + group, op_.lerp(z, before, weight(at + "time_maa_" + group), offset));
  }

  // ---- time mixes

  A finch_c2(const std::string& at, const A& z, typename State<S>::Block& block) {
    const A before = time_shift(z, block);
    const A h = ddlerp_hidden(z, before, weight(at + "time_maa_x"), weight(at + "time_maa_w1"));
    const bool swapped = op_.is(Mutant::groups_swapped);  // w, k, v, r, g
    const A xr = mixed(at, "r", z, before, h, swapped ? 3 : 0, 5), xk = mixed(at, "k", z, before, h, 1, 5);
    const A xv = mixed(at, "v", z, before, h, 2, 5), xw = mixed(at, "w", z, before, h, swapped ? 0 : 3, 5);
    const A xv2 = mixed(at, "v2", z, before, h, 4, 5);
    const A r = record(at + "r", op_.linear(xr, weight(at + "receptance.weight")));
    const A v = record(at + "v", op_.linear(xv, weight(at + "value.weight")));
    const A w = decay_input(at, xw);
    A k = op_.linear(xk, weight(at + "key.weight"));
    if (config_.use_one_minus_w) k = op_.one_minus_decay(k, w);
    k = record(at + "k", k);
    A v2;
    if (config_.use_v2) {
      const A& input = op_.is(Mutant::v2_through_wrong_input) ? xv : xv2;
      v2 = op_.linear(input, weight(at + "value.weight"));
      if (!op_.is(Mutant::v2_without_lora)) v2 = op_.add(v2, lora(input, at + "time_value2"));
      v2 = record(at + "v2", v2);
    }
    const bool with_bonus = !config_.use_v2 || op_.is(Mutant::bonus_beside_v2);
    A y = wkv(at, r, k, v, w, with_bonus, block);
    if (config_.use_v2 && !op_.is(Mutant::v2_not_added)) y = op_.add(y, v2);
    if (op_.is(Mutant::group_norm_for_layer_norm)) y = op_.norm(y, config_.N, weight(at + "ln_x.weight"), weight(at + "ln_x.bias"), 1e-5);
    else y = ln_x(at, y);
    return record(at + "out", op_.linear(y, weight(at + "output.weight")));
  }

  A finch(const std::string& at, const A& z, typename State<S>::Block& block) {
    const A before = time_shift(z, block);
    const A h = ddlerp_hidden(z, before, weight(at + "time_maa_x"), weight(at + "time_maa_w1"));
    const bool swapped = op_.is(Mutant::groups_swapped);  // r, k, v, w, v2
    const A xw = mixed(at, "w", z, before, h, swapped ? 3 : 0, 5), xk = mixed(at, "k", z, before, h, 1, 5);
    const A xv = mixed(at, "v", z, before, h, 2, 5), xr = mixed(at, "r", z, before, h, swapped ? 0 : 3, 5);
    const A xg = mixed(at, "g", z, before, h, 4, 5);
    const A r = record(at + "r", op_.linear(xr, weight(at + "receptance.weight")));
    const A k = record(at + "k", op_.linear(xk, weight(at + "key.weight")));
    const A v = record(at + "v", op_.linear(xv, weight(at + "value.weight")));
    const bool sigmoid = op_.is(Mutant::gate_sigmoid);
    const A g = record(at + "g", op_.map(op_.linear(xg, weight(at + "gate.weight")),
                                         [&](S a) { return sigmoid ? op_.sigmoid(a) : op_.silu(a); }));
    const A w = decay_input(at, xw);
    A y = wkv(at, r, k, v, w, true, block);
    if (op_.is(Mutant::gate_before_norm)) y = times_gate(y, g);
    const double divisor = op_.is(Mutant::group_norm_eps) ? 1 : config_.head_size_divisor;
    const int N = op_.is(Mutant::layer_norm_for_group_norm) ? config_.D : config_.N;
    y = op_.norm(y, N, weight(at + "ln_x.weight"), weight(at + "ln_x.bias"), 1e-5 * divisor * divisor);
    if (!op_.is(Mutant::gate_before_norm)) y = times_gate(y, g);
    return record(at + "out", op_.linear(y, weight(at + "output.weight")));
  }

  A times_gate(const A& y, const A& g) const {
    return op_.map(y, g, [](S a, S b) { return a * b; });
  }
  /// w = time_decay + lora(x_w).
  A decay_input(const std::string& at, const A& xw) {
    A low = op_.times(xw, weight(at + "time_decay_w1"));
    if (!op_.is(Mutant::decay_lora_without_tanh)) low = op_.tanh(low);
    A w = op_.times(low, weight(at + "time_decay_w2"));
    const A& decay = weight(at + "time_decay");
    for (int t = 0; t < w.rows; ++t)
      for (int j = 0; j < w.cols; ++j) w(t, j) = op_.handed_on(decay(0, j) + w(t, j));
    return record(at + "w", w);
  }
  A wkv(const std::string& at, const A& r, const A& k, const A& v, const A& w, bool with_bonus, typename State<S>::Block& block) {
    A u(1, config_.D);
    u.x = weight(at + "time_faaaa").x;  // [H, N]
    const A y = record(at + "wkv", op_.wkv(r, k, v, w, with_bonus ? &u : nullptr, config_.N, block.wkv));
    record_context(at + "wkv_state", op_.is(Mutant::state_transposed) ? op_.transposed(block.wkv, config_.N) : block.wkv);
    return y;
  }
  A ln_x(const std::string& at, const A& y) const { return op_.is(Mutant::ln_x_missing) ? y : layer_norm(y, at + "ln_x"); }

  A attend(const std::string& at, const A& q, const A& k, const A& v, const State<S>& state) {
    const std::vector<std::int64_t> of_call(state.positions.begin() + call_start_, state.positions.end());
    const A turned_q = op_.rotary(q, config_.N, of_call, config_.rope_base, config_.rope_rescale, true);
    const A turned_k = op_.rotary(k, config_.N, state.positions, config_.rope_base, config_.rope_rescale, false);
    return record(at + "attn", op_.attention(turned_q, turned_k, v, config_.N));
  }

  /// c of the call's tokens; the keys of the whole context.
  A token_cat(const A& x, const A& below, State<S>& state) {
    const A& from = op_.is(Mutant::compressed_too_early) ? below : x;
    const A normalised = op_.is(Mutant::compressed_normalised) ? layer_norm(from, "blocks." + std::to_string(config_.split) + ".ln1") : from;
    state.compressed.append(record("tokencat.compressed", op_.linear(normalised, weight("w_kv_cache_a.weight"))));
    const A x0 = op_.is(Mutant::tokencat_of_raw_embedding) ? embedding(state.ids) : state.x0;
    const A &c = state.compressed, &B = weight("w_kv_cache_b.weight");
    A both(x0.rows, x0.cols + c.cols);
    const bool swapped = op_.is(Mutant::tokencat_swapped);
    for (int t = 0; t < x0.rows; ++t) {
      for (int j = 0; j < x0.cols; ++j) both(t, swapped ? j + c.cols : j) = x0(t, j);
      for (int j = 0; j < c.cols; ++j) both(t, swapped ? j : j + x0.cols) = c(t, j);
    }
    const A K = op_.linear(both, B);
    return record_context("tokencat.keys", op_.is(Mutant::tokencat_norm_missing) ? K : op_.rms_norm(K));
  }

  A gold(const std::string& at, const A& z, const A& x, const A& K, const State<S>& state, typename State<S>::Block& block) {
    const A before = time_shift(z, block);
    const A rate = lora(op_.lerp(z, before, weight(at + "time_maa_x")), at + "time_maa_q");
    const A xq = record(at + "xq", op_.lerp(z, before, weight(at + "time_maa_q"), rate));
    A q = op_.linear(xq, weight(at + "query.weight"));
    if (!op_.is(Mutant::ln_q_missing)) q = layer_norm(q, at + "ln_q");
    q = record(at + "q", q);

    A x0 = state.x0;
    if (op_.is(Mutant::values_from_stream))
      for (int t = 0; t < x.rows; ++t)
        for (int j = 0; j < x.cols; ++j) x0(call_start_ + t, j) = x(t, j);
    const A o = op_.is(Mutant::rms_norm_of_x0_missing) ? x0 : op_.rms_norm(x0);
    A first_o(1, config_.D), first_K = first_o;
    if (op_.is(Mutant::dk_with_carried_row) && call_start_ > 0) first_K = K.part(call_start_ - 1, 1);
    A before_o = op_.shifted(o, first_o), before_K = op_.shifted(K, first_K);
    if (op_.is(Mutant::context_shift_cut))
      for (int j = 0; j < o.cols; ++j) before_o(call_start_, j) = before_K(call_start_, j) = S(0);
    const A h = ddlerp_hidden(o, before_o, weight(at + "time_maa_v_cache"), weight(at + "time_maa_kv_w1"));
    const int group = op_.is(Mutant::mk_mv_swapped) ? 1 : 0;
    const A mk = record_context(at + "mk", ddlerp_offset(h, weight(at + "time_maa_kv_w2"), group, 2));
    const A mv = record_context(at + "mv", ddlerp_offset(h, weight(at + "time_maa_kv_w2"), 1 - group, 2));
    A k = op_.lerp(K, before_K, weight(at + "time_maa_k"), mk);
    const A low_k = lora(k, at + "time_key");
    k = op_.is(Mutant::key_lora_alone) ? low_k : op_.add(k, low_k);
    A v = op_.lerp(o, before_o, weight(at + "time_maa_v"), mv);
    if (!op_.is(Mutant::value_lora_missing)) v = op_.add(v, lora(v, at + "time_value"));
    const bool swapped = op_.is(Mutant::ln_k_ln_v_swapped);
    k = record_context(at + "k", layer_norm(k, at + (swapped ? "ln_v" : "ln_k")));
    v = record_context(at + "v", layer_norm(v, at + (swapped ? "ln_k" : "ln_v")));
    return record(at + "out", op_.linear(ln_x(at, attend(at, q, k, v, state)), weight(at + "output.weight")));
  }

  A gptalpha(const std::string& at, const A& z, const State<S>& state, typename State<S>::Block& block) {
    const A before = time_shift(z, block);
    const A h = ddlerp_hidden(z, before, weight(at + "time_maa_x"), weight(at + "time_maa_w1"));
    const A xr = mixed(at, "r", z, before, h, 0, 3), xk = mixed(at, "k", z, before, h, 1, 3), xv = mixed(at, "v", z, before, h, 2, 3);
    A q = op_.linear(xr, weight(at + "query.weight"));
    if (!op_.is(Mutant::ln_q_missing)) q = layer_norm(q, at + "ln_r");
    q = record(at + "q", q);
    const bool swapped = op_.is(Mutant::ln_k_ln_v_swapped);
    block.k.append(record(at + "k", layer_norm(op_.linear(xk, weight(at + "key.weight")), at + (swapped ? "ln_v" : "ln_k"))));
    block.v.append(record(at + "v", layer_norm(op_.linear(xv, weight(at + "value.weight")), at + (swapped ? "ln_k" : "ln_v"))));
    return record(at + "out", op_.linear(ln_x(at, attend(at, q, block.k, block.v, state)), weight(at + "output.weight")));
  }

  A llama(const std::string& at, const A& z, const State<S>& state, typename State<S>::Block& block) {
    const A q = record(at + "q", op_.linear(z, weight(at + "wq.weight")));
    block.k.append(record(at + "k", op_.linear(z, weight(at + "wk.weight"))));
    block.v.append(record(at + "v", op_.linear(z, weight(at + "wv.weight"))));
    return record(at + "out", op_.linear(attend(at, q, block.k, block.v, state), weight(at + "wo.weight")));
  }

  // ---- channel mixes

  /// The hidden layer, recorded. What the mutant adds is all zeros and read by nothing.
  A hidden(const std::string& ffn, const A& k) {
    if (!op_.is(Mutant::ffn_width)) return record(ffn + "k", k);
    A wide(k.rows, (k.cols / 32 + 1) * 32);
    for (int t = 0; t < k.rows; ++t)
      for (int j = 0; j < k.cols; ++j) wide(t, j) = k(t, j);
    record(ffn + "k", wide);
    return k;
  }

  A channel_mix(const std::string& ffn, const A& z, const typename State<S>::Block& block) {
    const A before = op_.shifted(z, op_.is(Mutant::channel_shift_not_carried) ? A(1, config_.D) : block.channel_row);
    const bool swapped = op_.is(Mutant::channel_rates_swapped);
    const A xk = record(ffn + "xk", op_.lerp(z, before, weight(ffn + (swapped ? "time_maa_r" : "time_maa_k"))));
    const A xr = record(ffn + "xr", op_.lerp(z, before, weight(ffn + (swapped ? "time_maa_k" : "time_maa_r"))));
    const bool squared = !op_.is(Mutant::relu_not_squared), silu = op_.is(Mutant::channel_gate_silu);
    const A k = hidden(ffn, op_.map(op_.linear(xk, weight(ffn + "key.weight")), [&](S a) {
      const S positive = a < S(0) ? S(0) : a;
      return squared ? positive * positive : positive;
    }));
    const A r = record(ffn + "r", op_.map(op_.linear(xr, weight(ffn + "receptance.weight")),
                                          [&](S a) { return silu ? op_.silu(a) : op_.sigmoid(a); }));
    return record(ffn + "out", times_gate(r, op_.linear(k, weight(ffn + "value.weight"))));
  }

  A swiglu(const std::string& ffn, const A& z) {
    const bool swapped = op_.is(Mutant::swiglu_swapped), sigmoid = op_.is(Mutant::swiglu_sigmoid);
    const A gate = op_.map(op_.linear(z, weight(ffn + (swapped ? "w3.weight" : "w1.weight"))),
                           [&](S a) { return sigmoid ? op_.sigmoid(a) : op_.silu(a); });
    const A k = hidden(ffn, times_gate(gate, op_.linear(z, weight(ffn + (swapped ? "w1.weight" : "w3.weight")))));
    return record(ffn + "out", op_.linear(k, weight(ffn + "w2.weight")));
  }

  Config config_;
  Operators<S> op_;
  const Trace* follow_;
  std::map<std::string, A> weights_;
  Trace trace_;
  int call_start_ = 0;  // tokens in front of this call's
};

}  // namespace naive
