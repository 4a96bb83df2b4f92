// What a sequence carries from call to call, and the checks of it at the entrance of a model.
#pragma once

#include "goldfinch/model/block.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// A copy is a fork: it shares full pages of the caches and goes its own way. Begin with a model's initial_state().
template <class Scalar>
struct ModelState {
  std::vector<BlockState<Scalar>> blocks;
  KeyCache<Scalar> keys;  // empty without GOLD layers
  Index position = 0;     // tokens seen; below 0 from the middle of a call on that an exception has ended

  ModelState() = default;
  ModelState(const ModelState&) = default;
  ModelState(ModelState&&) = default;
  ModelState& operator=(ModelState&&) = default;
  ModelState& operator=(const ModelState& other) { return *this = ModelState(other); }  // all of it, or none where there is no memory

  /// Bytes that do not grow with the context, and bytes that do.
  std::size_t state_bytes() const { return sum_bytes([](const auto& part) { return part.state_bytes(); }); }
  std::size_t cache_bytes() const { return keys.bytes() + sum_bytes([](const auto& part) { return part.cache_bytes(); }); }

  /// Throws if an exception has left it in the middle of a call.
  void require_whole() const {
    if (position < 0) fail("a state that an exception has left in the middle of a call: start a new one, or use a copy made before that call");
  }

  /// Throws unless it looks, in all that layers read, like a state of the model that has these sizes, blocks, key format and memo. (A state of
  /// another model of equal sizes without GOLD layers cannot be told apart. Engines, engine.hpp, know their own.)
  void require(const Config& config, const Dimensions& n, KeyFormat format, const ExpansionMemo<Scalar>* memo, const std::vector<Block<Scalar>>& of) const {
    require_whole();
    if (blocks.empty()) fail("a state that was default-constructed or moved from: begin with the model's initial_state()");
    if (blocks.size() != of.size()) fail("a state of another model: it has ", blocks.size(), " blocks, the model ", of.size());
    try {
      for (std::size_t i = 0; i < of.size(); ++i) of[i].require(blocks[i], n);
      if (config.has_gold()) keys.require(n.V, n.R, format, has_fast_kernels<Scalar> ? memo : nullptr, position);
    } catch (const Error& error) {
      fail("a state of another model: ", error.what());
    }
  }

 private:
  template <class F>
  std::size_t sum_bytes(F&& f) const {
    std::size_t sum = 0;
    for (const auto& part : blocks) sum += f(part);
    return sum;
  }
};

/// Runs a call on the states of `inputs` with all threads. While it runs, and for ever if it throws, they are marked as being in its middle.
template <class Input, class Call>
void in_one_call(const std::vector<Input>& inputs, Call&& call) {
  with_workers([&] {
    for (const Input& input : inputs) input.state->position = -1 - input.state->position;
    call();
    for (const Input& input : inputs) input.state->position = -1 - input.state->position + static_cast<Index>(input.tokens.size());
  });
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
