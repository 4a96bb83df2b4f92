// State files of RWKV-6: recurrent states that were trained, or saved, for a model to begin every text with.
//
//   blocks.{i}.att.time_state   [H, N, N], head, value channel, key channel: one for every Finch layer, none for others
//
// Here S [H N, N] has key channels in rows (math/wkv6.hpp), so each head's matrix is turned over. What a token shift remembers begins with zeros.
#pragma once

#include "goldfinch/checkpoint/checkpoint.hpp"
#include "goldfinch/core/narrow.hpp"
#include "goldfinch/model/engine.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Lets every sequence of the engine start with the states of a file (open_checkpoint reads it). Throws Error naming the file if it holds
/// anything but one state, of finite numbers, for each layer of the engine that has one.
inline void start_with_states(Engine& engine, const Checkpoint& file) {
  const auto start = engine.start();
  std::map<std::string, Tensor> tensors;  // as Engine::restore takes them
  std::vector<std::vector<std::byte>> kept;
  std::set<std::string> wanted;
  const Index N = engine.dimensions().N;
  for (const StateArray& array : start->arrays()) {
    auto& bytes = kept.emplace_back();
    for (const auto& piece : array.pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
    if (array.name.ends_with(".att.S")) {
      const std::string name = array.name.substr(0, array.name.size() - 1) + "time_state";
      wanted.insert(name);
      const auto found = file.tensors.find(name);
      const Shape shape = {array.shape[0] / N, N, N};
      if (found == file.tensors.end()) fail(file.path, ": has no tensor ", name, " ", to_string(shape));
      const Tensor& tensor = found->second;
      if (tensor.shape != shape) fail(file.path, ": tensor ", name, " is ", to_string(tensor.shape), ", expected ", to_string(shape));
      if (tensor.dtype == DType::q8) fail(file.path, ": tensor ", name, " is q8, expected numbers that stand for themselves");
      if (is_nonfinite(tensor)) fail(file.path, ": NaN or infinity in ", name);
      dispatch(array.dtype, [&]<class Stored>(Stored*) {
        for (Index i = 0; i < element_count(shape); ++i) {
          const Index head = i / (N * N), value = i / N % N, key = i % N;
          const Stored x = narrow<Stored>(number_at(tensor, i));
          if (!std::isfinite(static_cast<double>(widen(x)))) fail(file.path, ": tensor ", name, " holds numbers too large for ", name_of(array.dtype));
          std::memcpy(bytes.data() + ((head * N + key) * N + value) * static_cast<Index>(sizeof x), &x, sizeof x);
        }
      });
    }
    tensors[array.name] = {array.dtype, array.shape, bytes.data()};
  }
  for (const auto& [name, tensor] : file.tensors)
    if (!wanted.count(name)) fail(file.path, ": tensor ", in_quotes(name), " is no state of this model");
  for (const auto& [name, spelled] : file.others) fail(file.path, ": tensor ", in_quotes(name), " is ", in_quotes(spelled), ", expected a state");
  if (wanted.empty()) fail(file.path, ": the model has no recurrent states to begin with");
  engine.start_with(engine.restore(tensors, "", {}, file.path));
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
