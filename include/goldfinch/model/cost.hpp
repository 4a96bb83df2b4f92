// What a token costs, as formulas: multiplications and bytes read, for pre-fill and for decoding, of any model of the family.
//
// Counted is every a * b of two numbers of the model's scalar, silu's x * sigmoid(x) included, as the plain loops write them. Not
// counted: additions (nearly every product has one), divisions, comparisons, and whatever exp, tanh, sin, cos and sqrt do inside.
// For one row, with t the keys that its query sees:
//
//   COST.1   linear [K] -> [M]: K M      LN, GN: 2 D      rms_norm: D      lerp: D      rotary: N / 2 + 2 D
//   COST.2   wkv: 3 D N, and 3 D with a bonus
//   COST.3   attention: t (2 D + H) + tiles (D + H), where tiles = ceil(t / 64)
//   COST.4   a GOLD layer rebuilds k and v of its whole context once a call, a page of 64 positions at a time; each page but the
//            first begins with the embedding and the key of the position before it, again
//   COST.5   scoring, where the logits of all n tokens of a call are wanted: n times the fixed part of decoding, attention of every
//            row over what it sees, and COST.4 once; so a chunk of n rows, whose logits are all that is held, shares one rebuilding
//
// So everything is   fixed + per_token t + per_tile ceil(t / 64)   (Growth). Pre-fill of a GoldFinch has nothing but the fixed
// part, and a tail of 2 G rows once a call.
#pragma once

#include "goldfinch/layers/key_format.hpp"
#include "goldfinch/model/block.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// An amount that grows with the context; exact up to 2^53.
struct Growth {
  double fixed = 0, per_token = 0, per_tile = 0;

  /// At a context of t tokens, the newest included.
  double at(Index t) const {
    return fixed + per_token * static_cast<double>(t) + per_tile * static_cast<double>((t + block - 1) / block);
  }
  /// per_token and per_tile together, of a long context.
  double slope() const { return per_token + per_tile / block; }

  Growth& operator+=(const Growth& o) {
    fixed += o.fixed, per_token += o.per_token, per_tile += o.per_tile;
    return *this;
  }
  friend Growth operator+(Growth a, const Growth& b) { return a += b; }
  friend Growth operator*(double f, const Growth& g) { return {f * g.fixed, f * g.per_token, f * g.per_tile}; }
};

/// What is remembered of a context (layers/expansion_memo.hpp): nothing, the halves of TC.2 of its ids, or keys and values as well.
enum class Remembered { nothing, ids, everything };

/// Multiplications.
class OperationCost {
 public:
  OperationCost(const Config& config, const Dimensions& n)
      : config_(config), n_(n), D_(real(n.D)), rotary_(config.rope_base != 0 ? real(n.N / 2) + 2 * D_ : 0) {}

  /// Of every token of a pre-fill, at the context that ends with it: all but the GOLD layers and the head.
  Growth prefill_token() const {
    Growth cost{.fixed = 2 * D_};  // EMB.1
    for (Index i = 0; i < first_gold(); ++i) cost += stored_block(i);
    if (config_.has_gold()) cost.fixed += real(n_.R) * D_;  // TC.1
    return cost;
  }

  /// Once at the end of a pre-fill call of `tokens` tokens that leaves a context of `context`: the GOLD layers on the last rows,
  /// and the head on the last one.
  double prefill_tail(Index tokens, Index context) const {
    double cost = head();
    Index rows = std::min(tokens, 2 * golds() + 1);
    // Rows are dropped before each mix; the row before those that stay goes through its LN, if the mix looks back.
    const auto leave = [&](Index needed, bool looks_back) {
      if (needed < rows && looks_back) cost += 2 * D_;
      rows = std::min(rows, needed);
    };
    for (Index i = first_gold(); i < config_.n_layer; ++i) {
      const Index needed = 2 * (config_.n_layer - i);
      leave(needed, true);
      cost += real(rows) * (2 * D_ + gold_query()) + rebuild(Remembered::nothing).at(context);
      for (Index seen = context - rows + 1; seen <= context; ++seen) cost += attention().at(seen);
      leave(needed - 1, config_.channel_mix(i) == "x060");
      cost += real(rows) * (2 * D_ + channel_mix(i));
    }
    return cost;
  }

  /// COST.5: of a call that gives the logits after each of `tokens` tokens, the last of a context of `context`.
  double scoring(Index tokens, Index context) const {
    double cost = real(tokens) * head();
    for (Index i = first_gold(); i < config_.n_layer; ++i)
      cost += real(tokens) * gold_row(i) + rebuild(Remembered::nothing).at(context);
    for (Index seen = context - tokens + 1; seen <= context; ++seen) cost += prefill_token().at(seen) + real(golds()) * attention().at(seen);
    return cost;
  }

  /// Of one token fed alone, at the context that ends with it. Where something is remembered, the token's id has been seen before;
  /// where everything is, this holds from the second token on: only the newest position is rebuilt.
  Growth decode(Remembered remembered = Remembered::nothing) const {
    Growth cost = prefill_token();
    for (Index i = first_gold(); i < config_.n_layer; ++i)
      cost += Growth{.fixed = gold_row(i)} + attention() + rebuild(remembered);
    cost.fixed += head();
    return cost;
  }

 private:
  static double real(Index i) { return static_cast<double>(i); }
  Index first_gold() const { return config_.has_gold() ? config_.split() : config_.n_layer; }
  Index golds() const { return config_.n_layer - first_gold(); }

  double head() const { return 2 * D_ + real(n_.V) * D_; }                                       // MODEL.3
  Growth attention() const { return {.per_token = 2 * D_ + real(n_.H()), .per_tile = D_ + real(n_.H())}; }  // COST.3
  double lora(Index rank) const { return 2 * D_ * real(rank); }
  double wkv() const { return 3 * D_ * real(n_.N); }                                             // COST.2

  /// A block without GOLD, its norms included.
  Growth stored_block(Index i) const {
    const double D = D_, mix = real(n_.mix_rank);
    Growth cost{.fixed = 4 * D + channel_mix(i)};
    const std::string& kind = config_.time_mix(i);
    if (kind == "x060") {
      cost.fixed += 5 * D * D + 10 * mix * D + lora(n_.decay_rank) + wkv() + 13 * D;
    } else if (kind == "x060c2") {
      cost.fixed += 4 * D * D + 9 * mix * D + lora(n_.decay_rank) + wkv() + 7 * D;               // h, r, k, v, w, ln_x
      cost.fixed += config_.use_v2 ? D * D + mix * D + lora(n_.value2_rank) + D : 3 * D;         // v2, or the bonus
      cost.fixed += config_.use_one_minus_w ? D : 0;
    } else if (kind == "gptalpha") {
      cost.fixed += 4 * D * D + 6 * mix * D + 12 * D + 2 * rotary_;
      cost += attention();
    } else {
      cost.fixed += 4 * D * D + 2 * rotary_;
      cost += attention();
    }
    return cost;
  }

  double channel_mix(Index i) const {
    const double D = D_, F = real(n_.F), F_swiglu = real(n_.F_swiglu);
    return config_.channel_mix(i) == "x060" ? 2 * D * F + D * D + F + 3 * D : 3 * D * F_swiglu + 2 * F_swiglu;
  }

  /// GOLD.1, GOLD.2 and GOLD.8.
  double gold_query() const { return 2 * D_ * D_ + lora(n_.query_mix_rank) + 6 * D_ + rotary_; }

  /// A GOLD block for one row, its norms included; attention and the context apart.
  double gold_row(Index i) const { return 4 * D_ + gold_query() + channel_mix(i); }

  /// GOLD.3 to GOLD.6 of a context, in one layer.
  Growth rebuild(Remembered remembered) const {
    const double half = remembered == Remembered::nothing ? D_ * D_ : 0;
    const double row = 3 * D_ + half + real(n_.R) * D_ + D_;                                     // EMB.1, GOLD.3, TC.2
    const double position = row + lora(2 * n_.kv_mix_rank) + lora(n_.key_rank) + lora(n_.value_rank) + 7 * D_ + rotary_;
    if (remembered == Remembered::everything) return {.fixed = row + position};
    return {.fixed = -row, .per_token = position, .per_tile = row};
  }

  Config config_;
  Dimensions n_;
  double D_, rotary_;
};

/// What numbers are kept in.
struct StoredIn {
  double matrix = 2;  // bytes of a number of a matrix, its share of a scale included
  Index other = 2;    // of the embedding and the low-rank maps; vectors are kept in the scalar
  Index scalar = 4;
  KeyFormat format = KeyFormat::native;
};

/// Bytes read of weights, carried state and caches, each as often as a pass comes to it: weights once a call, but those that GOLD
/// layers rebuild their context with once a page of 64 positions, and w_kv_cache_b in each layer. The padding of packed weights
/// is not counted, and nothing is said of which cache of the processor they come from.
class ByteCost {
 public:
  ByteCost(const Config& config, const Dimensions& n, const StoredIn& in)
      : config_(config), n_(n), in_(in), D_(real(n.D)), matrix_(in.matrix), other_(real(in.other)), scalar_(real(in.scalar)) {
    for (Index i = 0; i < config.n_layer; ++i) {
      const bool gold = config.has_gold() && config.is_upper(i);
      (gold ? gold_weights_ : weights_) += block_weights(i);
      (gold ? gold_state_ : state_) += real(state_numbers(i)) * scalar_;
      stored_layers_ += config.time_mix(i) == "gptalpha" || config.time_mix(i) == "llama";
    }
    weights_ += 2 * D_ * scalar_ + real(config.has_gold() ? n.R : 0) * D_ * matrix_;  // ln0, w_kv_cache_a
  }

  /// Read once a chunk of pre-fill of so many tokens, a token's share.
  Growth prefill_token(Index chunk) const { return 1 / real(chunk) * lower() + Growth{.fixed = D_ * other_}; }
  double prefill_tail(Index context) const { return upper(Remembered::nothing).at(context); }
  Growth decode(Remembered remembered = Remembered::nothing) const {
    return lower() + Growth{.fixed = D_ * other_} + upper(remembered);
  }

  /// Carried between calls whatever the context; and kept of each token of it.
  double state() const { return state_ + gold_state_; }
  double cache_per_token() const { return stored_per_token() + key_per_token(); }

 private:
  static double real(Index i) { return static_cast<double>(i); }
  double stored_per_token() const { return 2 * D_ * real(stored_layers_) * scalar_; }
  double key_per_token() const {
    if (!config_.has_gold()) return 0;
    const Index id = n_.V <= 65536 ? 2 : 4;
    return real(id + key_bytes(in_.format, n_.R, in_.scalar));
  }
  Growth lower() const { return {.fixed = weights_ + state_, .per_token = stored_per_token()}; }

  Growth upper(Remembered remembered) const {
    Growth bytes{.fixed = gold_weights_ + gold_state_ + real(n_.V) * D_ * matrix_ + 2 * D_ * scalar_};
    if (!config_.has_gold()) return bytes;
    const double G = real(config_.n_layer - config_.split());
    const double b = D_ * (real(n_.R) + (remembered == Remembered::nothing ? D_ : 0)) * matrix_;
    if (remembered == Remembered::everything) return bytes + G * Growth{.fixed = b, .per_token = 2 * D_ * scalar_};
    const double row = key_per_token() + D_ * other_ + (remembered == Remembered::ids ? D_ * scalar_ : 0);  // key, embedding, half
    const double matrices = 2 * D_ * real(2 * n_.kv_mix_rank + n_.key_rank + n_.value_rank) * other_;  // once already in gold_weights_
    const Growth page{.fixed = -row - matrices, .per_token = row, .per_tile = row + b + matrices};
    return bytes + G * page;
  }

  double block_weights(Index i) const {
    double bytes = 0;
    Block<float>(config_, i, n_).parameters(i, n_, [&]<class Member>(const std::string&, Member&, const Shape& shape, Role role) {
      double count = 1;
      for (const Index size : shape) count *= real(size);
      bytes += count * (std::is_same_v<Member, Vector<float>> ? scalar_ : role == Role::matrix ? matrix_ : other_);
    });
    return bytes;
  }

  Index state_numbers(Index i) const {
    const std::string& kind = config_.time_mix(i);
    const Index time_mix = kind == "llama" ? 0 : kind == "x060" || kind == "x060c2" ? n_.D + n_.D * n_.N : n_.D;
    return time_mix + (config_.channel_mix(i) == "x060" ? n_.D : 0);
  }

  Config config_;
  Dimensions n_;
  StoredIn in_;
  double D_, matrix_, other_, scalar_;
  double weights_ = 0, gold_weights_ = 0, state_ = 0, gold_state_ = 0;
  Index stored_layers_ = 0;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
