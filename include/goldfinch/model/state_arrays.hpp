// What a sequence carries, as a list of named arrays: for session files, and for anything else that takes a state out of a program
// and puts it back. The numbers are the state's own, so that a restored sequence goes on with the same bits.
//
//   blocks.i.att.last_z [D]   blocks.i.att.S [H N, N]   blocks.i.att.k, blocks.i.att.v [T, D]   blocks.i.ffn.last_z [D]
//   cache.packed [T, bytes]   cache.native [T, R]                                               layers/key_cache.hpp
#pragma once

#include <map>
#include <span>

#include "goldfinch/core/tensor.hpp"
#include "goldfinch/model/model.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// One array: its name, type and shape, and where its bytes are, in order. Valid while the state does not change.
struct StateArray {
  std::string name;
  DType dtype;
  Shape shape;
  std::vector<std::span<const std::byte>> pieces;
  bool a_row_a_token = false;  // so that the state at an earlier token holds the first rows of it
};

template <class T>
constexpr DType dtype_of() {
  static_assert(std::is_same_v<T, double> || std::is_same_v<T, float> || std::is_same_v<T, std::byte>, "states of float and double can be saved");
  return std::is_same_v<T, double> ? DType::f64 : std::is_same_v<T, float> ? DType::f32 : DType::u8;
}

/// Calls visit(name, member) for every vector, matrix and list of rows of the blocks' states.
template <class Blocks, class Visitor>
void visit_block_states(Blocks& blocks, Visitor&& visit) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::string prefix = "blocks." + std::to_string(i);
    const auto members = [&](const std::string& part) {
      return [&visit, name = prefix + part](auto& mix) {
        if constexpr (requires { mix.last_z; }) visit(name + "last_z", mix.last_z);
        if constexpr (requires { mix.S; }) visit(name + "S", mix.S);
        if constexpr (requires { mix.stored; }) visit(name + "k", mix.stored.k), visit(name + "v", mix.stored.v);
      };
    };
    std::visit(members(".att."), blocks[i].time_mix);
    std::visit(members(".ffn."), blocks[i].channel_mix);
  }
}

/// The arrays of a state of Model<float> or Model<double>. Throws Error if an exception has left it in the middle of a call.
template <class State>
std::vector<StateArray> state_arrays(const State& state) {
  state.require_whole();
  std::vector<StateArray> arrays;
  const auto bytes = [](const auto* data, Index count) { return std::span(reinterpret_cast<const std::byte*>(data), static_cast<std::size_t>(count) * sizeof *data); };
  const auto add = [&]<class Member>(const std::string& name, const Member& member) {
    if constexpr (requires { member.pieces([](auto*, Index) {}); }) {
      using T = std::decay_t<decltype(*member.row(0))>;
      StateArray array{name, dtype_of<T>(), {member.size(), member.width()}, {}, true};
      member.pieces([&](const T* rows, Index n) { array.pieces.push_back(bytes(rows, n * member.width())); });
      arrays.push_back(std::move(array));
    } else {
      Shape shape = {member.rows(), member.cols()};
      if (member.cols() == 1) shape.pop_back();
      arrays.push_back({name, dtype_of<typename Member::Scalar>(), shape, {bytes(member.data(), member.size())}});
    }
  };
  visit_block_states(state.blocks, add);
  if (state.keys.size() > 0) {
    add("cache.packed", state.keys.packed());
    if (state.keys.format() == KeyFormat::native) add("cache.native", state.keys.native());
  }
  return arrays;
}

/// Makes `state`, an initial one, the state of a sequence of tokens `ids` whose arrays `tensors` holds under `prefix`. Arrays with a row
/// a token are shared with `longer` instead, if it is given: a state that began with the same tokens and has seen no fewer. Throws
/// Error naming the tensor that is missing, of another type or shape, or of other tokens; `where` begins the message.
template <class State>
void restore_state(const std::map<std::string, Tensor>& tensors, const std::string& prefix, std::span<const int> ids, const std::string& where, State& state,
                   const State* longer = nullptr) {
  const auto position = static_cast<Index>(ids.size());
  if (longer) {
    longer->require_whole();
    if (longer->position < position) fail(where, ": cannot take ", position, " tokens from a sequence that has seen ", longer->position);
    state = *longer;
  }
  const auto find = [&](const std::string& name, DType dtype, const Shape& shape) -> const Tensor& {
    const auto found = tensors.find(prefix + name);
    if (found == tensors.end()) fail(where, ": has no tensor ", prefix, name);
    if (found->second.dtype != dtype || found->second.shape != shape)
      fail(where, ": tensor ", prefix, name, " is ", name_of(found->second.dtype), " ", to_string(found->second.shape), ", expected ", name_of(dtype), " ", to_string(shape));
    return found->second;
  };
  // Rows may be misaligned in a mapped file: each goes through a copy.
  const auto each_row = [](const Tensor& tensor, auto& row, auto&& use) {
    const std::size_t bytes = row.size() * sizeof row[0];
    for (Index t = 0; t < tensor.shape[0]; ++t) {
      if (bytes > 0) std::memcpy(row.data(), tensor.data + static_cast<std::size_t>(t) * bytes, bytes);
      use(t);
    }
  };
  visit_block_states(state.blocks, [&]<class Member>(const std::string& name, Member& member) {
    if constexpr (requires { member.append(nullptr); }) {
      if (longer) return void(member = {member, position});
      using T = std::decay_t<decltype(*member.row(0))>;
      std::vector<T> row(static_cast<std::size_t>(member.width()));
      each_row(find(name, dtype_of<T>(), {position, member.width()}), row, [&](Index) { member.append(row.data()); });
    } else {
      Shape shape = {member.rows(), member.cols()};
      if (member.cols() == 1) shape.pop_back();
      const Tensor& tensor = find(name, dtype_of<typename Member::Scalar>(), shape);
      std::memcpy(member.data(), tensor.data, static_cast<std::size_t>(member.size()) * sizeof(typename Member::Scalar));
    }
  });
  auto& keys = state.keys;
  if (longer) {
    if (keys.size() > 0) keys = {keys, position};
  } else if (keys.packed().width() > 0 && position > 0) {
    using Scalar = std::decay_t<decltype(*keys.native().row(0))>;
    const Index R = keys.native().width();
    const Tensor& packed = find("cache.packed", DType::u8, {position, keys.packed().width()});
    const Tensor* const native = R > 0 ? &find("cache.native", dtype_of<Scalar>(), {position, R}) : nullptr;
    std::vector<std::byte> row(static_cast<std::size_t>(keys.packed().width()));
    std::vector<Scalar> c(static_cast<std::size_t>(R));
    each_row(packed, row, [&](Index t) {
      if (keys.id_of(row.data()) != ids[static_cast<std::size_t>(t)]) fail(where, ": tensor ", prefix, "cache.packed has another token ", t, " than tensor tokens");
      if (native) std::memcpy(c.data(), native->data + static_cast<std::size_t>(t * R) * sizeof(Scalar), static_cast<std::size_t>(R) * sizeof(Scalar));
      keys.append_row(row.data(), c.data());
    });
  }
  state.position = position;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
