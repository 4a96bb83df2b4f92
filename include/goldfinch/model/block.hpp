// One block of a model: a time mix and a channel mix of any kind, each behind a LayerNorm and added to the residual stream.
//
//   BLOCK.1   x = x + time_mix(LN(x; ln1))
//   BLOCK.2   x = x + channel_mix(LN(x; ln2))
//
// Any time mix goes with any channel mix: which ones is configuration, decided when the model is made.
#pragma once

#include <variant>

#include "goldfinch/layers/finch_c2_time_mix.hpp"
#include "goldfinch/layers/finch_time_mix.hpp"
#include "goldfinch/layers/gold_attention.hpp"
#include "goldfinch/layers/gptalpha_attention.hpp"
#include "goldfinch/layers/llama_attention.hpp"
#include "goldfinch/layers/rwkv_channel_mix.hpp"
#include "goldfinch/layers/swiglu.hpp"
#include "goldfinch/model/config.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What one block carries between calls.
template <class Scalar>
struct BlockState {
  std::variant<typename FinchC2TimeMix<Scalar>::State,  // x060 too
               typename GoldAttention<Scalar>::State, typename GptAlphaAttention<Scalar>::State, typename LlamaAttention<Scalar>::State>
      time_mix;
  std::variant<typename RwkvChannelMix<Scalar>::State, typename SwiGlu<Scalar>::State> channel_mix;

  /// Bytes that do not grow with the context: carried rows and recurrent states.
  std::size_t state_bytes() const {
    std::size_t numbers = 0;
    const auto count = [&](const auto& state) {
      if constexpr (requires { state.last_z; }) numbers += static_cast<std::size_t>(state.last_z.size());
      if constexpr (requires { state.S; }) numbers += static_cast<std::size_t>(state.S.size());
    };
    std::visit(count, time_mix);
    std::visit(count, channel_mix);
    return numbers * sizeof(Scalar);
  }

  /// Bytes that do: stored keys and values.
  std::size_t cache_bytes() const {
    return std::visit(
        [](const auto& state) -> std::size_t {
          if constexpr (requires { state.stored; }) return state.stored.bytes();
          else return 0;
        },
        time_mix);
  }
};

template <class Scalar>
class Block {
 public:
  Block(const Config& config, Index layer, const Dimensions& n)
      : time_mix(make_time_mix(config, config.time_mix(layer), n)), channel_mix(make_channel_mix(config.channel_mix(layer))) {}

  /// The block's list of parameters; names are complete ("blocks.3.att.key.weight").
  template <class Visitor>
  void parameters(Index layer, const Dimensions& n, Visitor&& visit) {
    const std::string prefix = "blocks." + std::to_string(layer) + ".";
    visit_norm(prefix + "ln1", ln1, n.D, visit);
    visit_norm(prefix + "ln2", ln2, n.D, visit);
    const auto under = [&](const std::string& part) {
      return [&visit, name = prefix + part](const std::string& parameter, auto& member, const Shape& shape, Role role) { visit(name + parameter, member, shape, role); };
    };
    std::visit([&](auto& mix) { mix.parameters(n, under("att.")); }, time_mix);
    std::visit([&](auto& mix) { mix.parameters(n, under("ffn.")); }, channel_mix);
  }

  BlockState<Scalar> initial_state(const Dimensions& n) const {
    BlockState<Scalar> state;
    std::visit([&](const auto& mix) { state.time_mix = mix.initial_state(n); }, time_mix);
    std::visit([&](const auto& mix) { state.channel_mix = mix.initial_state(n); }, channel_mix);
    return state;
  }

  /// Throws unless the state is one of this block: of its kinds of layers, in their sizes.
  void require(const BlockState<Scalar>& state, const Dimensions& n) const {
    const auto fits = [&](const auto& mix, const auto& states) {
      const auto* const own = std::get_if<typename std::decay_t<decltype(mix)>::State>(&states);
      if (!own) fail("a state of another kind of layer than ", mix.kind);
      own->require(n.D, n.N);
    };
    std::visit([&](const auto& mix) { fits(mix, state.time_mix); }, time_mix);
    std::visit([&](const auto& mix) { fits(mix, state.channel_mix); }, channel_mix);
  }

  bool is_gold() const { return std::holds_alternative<GoldAttention<Scalar>>(time_mix); }

  /// BLOCK.1: x [rows, D] -> [rows, D]. `gold` is needed by GOLD blocks only.
  Matrix<Scalar> forward_time_mix(Matrix<Scalar> x, const Segments<BlockState<Scalar>>& segments, const GoldContext<Scalar>& gold,
                                  const Trace<Scalar>& trace) const {
    const auto z = trace("ln1", layer_norm(x, ln1));
    auto out = std::visit(
        [&]<class Mix>(const Mix& mix) {
          const auto inner = states_of<typename Mix::State>(segments, &BlockState<Scalar>::time_mix);
          if constexpr (std::is_same_v<Mix, GoldAttention<Scalar>>)
            return mix.forward(z, inner, gold, trace.scope("att"));
          else
            return mix.forward(z, inner, trace.scope("att"));
        },
        time_mix);
    return trace("mid", add(std::move(x), out));
  }

  /// BLOCK.2: x [rows, D] -> [rows, D].
  Matrix<Scalar> forward_channel_mix(Matrix<Scalar> x, const Segments<BlockState<Scalar>>& segments, const Trace<Scalar>& trace) const {
    const auto z = trace("ln2", layer_norm(x, ln2));
    auto out = std::visit(
        [&]<class Mix>(const Mix& mix) {
          return mix.forward(z, states_of<typename Mix::State>(segments, &BlockState<Scalar>::channel_mix), trace.scope("ffn"));
        },
        channel_mix);
    return trace("out", add(std::move(x), out));
  }

  Affine<Scalar> ln1, ln2;  // [D]

 private:
  using TimeMix = std::variant<FinchTimeMix<Scalar>, FinchC2TimeMix<Scalar>, GoldAttention<Scalar>, GptAlphaAttention<Scalar>, LlamaAttention<Scalar>>;
  using ChannelMix = std::variant<RwkvChannelMix<Scalar>, SwiGlu<Scalar>>;

  static TimeMix make_time_mix(const Config& config, const std::string& kind, const Dimensions& n) {
    if (kind == FinchTimeMix<Scalar>::kind) return FinchTimeMix<Scalar>(n, config.head_size_divisor);
    if (kind == FinchC2TimeMix<Scalar>::kind) return FinchC2TimeMix<Scalar>(n, config.use_v2, config.use_one_minus_w);
    if (kind == GoldAttention<Scalar>::kind) return GoldAttention<Scalar>(n, config.rotary());
    if (kind == GptAlphaAttention<Scalar>::kind) return GptAlphaAttention<Scalar>(n, config.rotary());
    if (kind == LlamaAttention<Scalar>::kind) return LlamaAttention<Scalar>(n, config.rotary());
    fail("there is no time mix of the kind '", kind, "'");
  }
  static ChannelMix make_channel_mix(const std::string& kind) {
    if (kind == RwkvChannelMix<Scalar>::kind) return RwkvChannelMix<Scalar>();
    if (kind == SwiGlu<Scalar>::kind) return SwiGlu<Scalar>();
    fail("there is no channel mix of the kind '", kind, "'");
  }

  /// The same segments, each with the state of this block's mix.
  template <class State, class Variant>
  static Segments<State> states_of(const Segments<BlockState<Scalar>>& segments, Variant BlockState<Scalar>::*member) {
    Segments<State> out;
    out.reserve(segments.size());
    for (const auto& s : segments) out.push_back({s.first, s.rows, &std::get<State>(s.state->*member)});
    return out;
  }

  TimeMix time_mix;
  ChannelMix channel_mix;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
