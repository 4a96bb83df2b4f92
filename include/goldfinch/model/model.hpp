// A whole model: embedding, blocks, the key cache between the lower and the upper ones, and the head.
//
//   MODEL.1   x = x0 = LN(emb[token]; ln0)                                    EMB.1
//   MODEL.2   every block in turn; before the first GOLD block, c = TC.1 of x joins the key cache
//   MODEL.3   logits = head LN(x; ln_out)                                     [V]
//
// The model is const: threads may share it, each with sequences of its own. Everything that a sequence carries from call to call
// is in its State. However a text is cut into calls, and whatever other sequences share a call, the bits are the same.
//
// What a call refuses (tokens out of range, states that are null, of another model, or there twice) it refuses before anything changes. What is
// thrown later, by Progress, a TraceSink or for want of memory, leaves the states of the call marked as unusable, and everything else as it
// was: copies of those states, other sequences, the model and its memo.
#pragma once

#include <functional>
#include <span>

#include "goldfinch/model/state.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// How sequences keep their keys.
struct CacheSettings {
  KeyFormat format = KeyFormat::native;
  std::size_t memo_bytes = std::size_t{512} << 20;  // for expanded keys and values, of all sequences together
};

/// Hears how many tokens of the longest sequence of a pre-fill are done; may throw to stop it. The sequences of the call have then seen part of
/// their tokens, some layers more than others: none of them may be used again (see Model). Who wants to go on keeps a copy made before.
using Progress = std::function<void(Index done)>;

template <class Scalar>
class Model {
 public:
  using State = ModelState<Scalar>;

  /// New tokens of one sequence; tokens in [0, V).
  struct Input {
    std::span<const int> tokens;
    State* state;
  };

  /// Rows that pre-fill takes through the lower layers at once.
  static constexpr Index default_chunk = 512;

  /// A model without weights; parameters() fills it. n: the sizes, with the ranks of the tensors. Throws Error where the settings describe no
  /// model, or not one of these sizes.
  Model(const Config& config, const Dimensions& n, const CacheSettings& cache = {}) : config_(config), n_(n), format_(cache.format) {
    arithmetic::require();
    config.require(n);
    if (config.has_gold() && cache.memo_bytes > 0)
      memo_ = std::make_shared<ExpansionMemo<Scalar>>(cache.memo_bytes, n.V, n.D, static_cast<std::size_t>(config.n_layer - config.split()));
    for (Index i = 0; i < config.n_layer; ++i) blocks_.emplace_back(config, i, n_);
  }

  const Config& config() const { return config_; }
  const Dimensions& dimensions() const { return n_; }
  Index vocabulary_size() const { return n_.V; }
  /// Bytes that the memo holds now, for all sequences together.
  std::size_t memo_bytes() const { return memo_ ? memo_->used() : 0; }

  /// Every parameter, in the order of the computation: visit(name, member, shape, role).
  template <class Visitor>
  void parameters(Visitor&& visit) {
    embedding_.parameters(n_, visit);
    for (Index i = 0; i < config_.n_layer; ++i) {
      if (config_.has_gold() && i == config_.split()) token_cat_.parameters(n_, visit);
      blocks_[static_cast<std::size_t>(i)].parameters(i, n_, visit);
    }
    visit_norm("ln_out", ln_out_, n_.D, visit);
    visit("head.weight", head_, Shape{n_.V, n_.D}, Role::matrix);
  }

  State initial_state() const {
    State state;
    if (config_.has_gold()) state.keys = KeyCache<Scalar>(n_.V, n_.R, format_, memo_);
    for (Index i = 0; i < config_.n_layer; ++i) state.blocks.push_back(blocks_[static_cast<std::size_t>(i)].initial_state(n_));
    return state;
  }

  /// The logits that follow every token, [total tokens, V], inputs one after another.
  Matrix<Scalar> forward(const std::vector<Input>& inputs, const Trace<Scalar>& trace = {}) const {
    check(inputs);
    Matrix<Scalar> result;
    in_one_call(inputs, [&] {
      auto rows = lower(inputs, trace);
      upper(rows, false, trace);
      result = logits(rows.x, trace);
    });
    return result;
  }

  /// Of one sequence: [tokens, V].
  Matrix<Scalar> forward(std::span<const int> tokens, State& state, const Trace<Scalar>& trace = {}) const { return forward({{tokens, &state}}, trace); }

  /// The logits that follow each input's last token, [inputs, V], and the same states as forward leaves. Linear in the length of the
  /// prompt: the lower layers see every token, in chunks; GOLD layers only the last ones, because a GOLD block looks back one row
  /// in its time mix and one in its channel mix, so that G of them need the residual stream of the last 2 G + 1 rows.
  Matrix<Scalar> prefill(const std::vector<Input>& inputs, Index chunk = default_chunk, const Progress& progress = {}, const Trace<Scalar>& trace = {}) const {
    if (chunk < 1) fail("pre-fill in chunks of ", chunk, " tokens, expected 1 or more");
    check(inputs);
    for (const Input& input : inputs)
      if (input.tokens.empty()) fail("pre-fill of a sequence without tokens: there is no last token to give logits for");
    Matrix<Scalar> result;
    in_one_call(inputs, [&] { result = prefill_checked(inputs, chunk, progress, trace); });
    return result;
  }
  /// Of one sequence: [1, V].
  Matrix<Scalar> prefill(std::span<const int> tokens, State& state, Index chunk = default_chunk, const Progress& progress = {}, const Trace<Scalar>& trace = {}) const {
    return prefill({{tokens, &state}}, chunk, progress, trace);
  }

 private:
  /// The residual stream of several sequences.
  struct Rows {
    Matrix<Scalar> x;          // [rows, D]
    Segments<State> segments;

    void append(const Matrix<Scalar>& rows, State* state) {
      const Index first = x.rows();
      x.conservativeResize(first + rows.rows(), rows.cols());
      x.bottomRows(rows.rows()) = rows;
      segments.push_back({first, rows.rows(), state});
    }
  };

  static void append_last(Matrix<Scalar>& end, const Matrix<Scalar>& rows, Index keep) {
    Matrix<Scalar> both(end.rows() + rows.rows(), rows.cols());
    if (end.rows() > 0) both.topRows(end.rows()) = end;
    both.bottomRows(rows.rows()) = rows;
    end = both.bottomRows(std::min(keep, both.rows()));
  }

  Matrix<Scalar> prefill_checked(const std::vector<Input>& inputs, Index chunk, const Progress& progress, const Trace<Scalar>& trace) const {
    const Index keep = config_.has_gold() ? 2 * (config_.n_layer - config_.split()) + 1 : 1;
    Rows tail;
    std::vector<Matrix<Scalar>> ends(inputs.size());  // the last rows of each input
    std::size_t longest = 0;
    for (const Input& input : inputs) longest = std::max(longest, input.tokens.size());
    bool more = true;
    for (std::size_t done = 0; more; done += static_cast<std::size_t>(chunk)) {
      more = false;
      std::vector<Input> part;
      std::vector<std::size_t> owner;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto& tokens = inputs[i].tokens;
        if (done >= tokens.size()) continue;
        const std::size_t n = std::min(tokens.size() - done, static_cast<std::size_t>(chunk));
        part.push_back({tokens.subspan(done, n), inputs[i].state});
        owner.push_back(i);
        more = more || done + n < tokens.size();
      }
      auto rows = lower(part, trace);
      if (!config_.has_gold()) upper(rows, false, trace);
      for (std::size_t j = 0; j < part.size(); ++j) append_last(ends[owner[j]], rows.x.middleRows(rows.segments[j].first, rows.segments[j].rows), keep);
      if (progress) progress(static_cast<Index>(std::min(longest, done + static_cast<std::size_t>(chunk))));
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) tail.append(ends[i], inputs[i].state);
    if (config_.has_gold()) upper(tail, true, trace);
    return logits(tail.x, trace);
  }

  void check(const std::vector<Input>& inputs) const {
    require_distinct(inputs.size(), [&](std::size_t i) { return inputs[i].state; });
    for (const Input& input : inputs) {
      input.state->require(config_, n_, format_, memo_.get(), blocks_);
      for (const int token : input.tokens)
        if (token < 0 || token >= n_.V) fail("token ", token, " is out of range: the model's vocabulary has ", n_.V, " entries");
    }
  }

  /// MODEL.1 and the lower layers on all rows; then the new tokens join the key cache.
  Rows lower(const std::vector<Input>& inputs, const Trace<Scalar>& trace) const {
    std::vector<std::int32_t> ids;
    Rows rows;
    for (const Input& input : inputs) {
      rows.segments.push_back({static_cast<Index>(ids.size()), static_cast<Index>(input.tokens.size()), input.state});
      ids.insert(ids.end(), input.tokens.begin(), input.tokens.end());
    }
    rows.x = trace("embed", embedding_.rows(ids.data(), static_cast<Index>(ids.size())));               // MODEL.1
    for (Index i = 0; i < config_.split(); ++i) forward_block(i, rows, false, trace);
    if (config_.has_gold()) {
      const auto c = trace("tokencat.compressed", token_cat_.compress(rows.x));                         // TC.1
      for (const auto& s : rows.segments)
        for (Index t = s.first; t < s.first + s.rows; ++t) s.state->keys.append(ids[static_cast<std::size_t>(t)], c.row(t).data());
    }
    return rows;
  }

  /// The upper layers. With tail_only, rows that no wanted result needs are dropped on the way, and one row a sequence is left.
  void upper(Rows& rows, bool tail_only, const Trace<Scalar>& trace) const {
    for (Index i = config_.split(); i < config_.n_layer; ++i) forward_block(i, rows, tail_only, trace);
  }

  void forward_block(Index i, Rows& rows, bool tail_only, const Trace<Scalar>& trace) const {
    const auto& block = blocks_[static_cast<std::size_t>(i)];
    const auto inner = trace ? trace.scope("blocks." + std::to_string(i)) : trace;
    GoldContext<Scalar> gold{embedding_, token_cat_, {}, static_cast<std::size_t>(std::max<Index>(0, i - config_.split())), trace.scope("tokencat")};
    for (const auto& s : rows.segments) gold.caches.push_back(&s.state->keys);
    const Index needed = 2 * (config_.n_layer - i);  // rows that this block's time mix must give, and its channel mix one less
    if (tail_only) drop_leading(rows, needed, i, block.ln1, &BlockState<Scalar>::time_mix);
    rows.x = block.forward_time_mix(std::move(rows.x), states(rows, i), gold, inner);
    if (tail_only) drop_leading(rows, needed - 1, i, block.ln2, &BlockState<Scalar>::channel_mix);
    rows.x = block.forward_channel_mix(std::move(rows.x), states(rows, i), inner);
  }

  Segments<BlockState<Scalar>> states(const Rows& rows, Index i) const {
    Segments<BlockState<Scalar>> out;
    for (const auto& s : rows.segments) out.push_back({s.first, s.rows, &s.state->blocks[static_cast<std::size_t>(i)]});
    return out;
  }

  /// Leaves each sequence its last `needed` rows; the row before them is remembered as the token shift of the mix that comes next.
  template <class Variant>
  static void drop_leading(Rows& rows, Index needed, Index i, const Affine<Scalar>& norm, Variant BlockState<Scalar>::*mix) {
    Rows kept;
    for (const auto& s : rows.segments) {
      const Index n = std::min(needed, s.rows);
      if (n < s.rows)
        std::visit(
            [&](auto& state) {
              if constexpr (requires { state.last_z; })
                state.last_z = layer_norm<Scalar>(rows.x.middleRows(s.first + s.rows - n - 1, 1), norm).transpose();
            },
            s.state->blocks[static_cast<std::size_t>(i)].*mix);
      kept.append(rows.x.middleRows(s.first + s.rows - n, n), s.state);
    }
    rows = std::move(kept);
  }

  /// MODEL.3: x [rows, D] -> [rows, V].
  Matrix<Scalar> logits(const Matrix<Scalar>& x, const Trace<Scalar>& trace) const {
    return trace("logits", linear(trace("ln_out", layer_norm(x, ln_out_)), head_));
  }

  Config config_;
  Dimensions n_;
  KeyFormat format_;
  std::shared_ptr<ExpansionMemo<Scalar>> memo_;  // null: nothing is remembered
  Embedding<Scalar> embedding_;
  std::vector<Block<Scalar>> blocks_;
  TokenCat<Scalar> token_cat_;
  Affine<Scalar> ln_out_;
  Weight head_;  // [V, D]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
