// What others call our tensors: tables of names, not code per format. A prefix on the left becomes the one on the right, and
// what follows it stays; {i} is the number of a layer. Names in no table stay as they are.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/checkpoint/room_for_copy.hpp"
#include "goldfinch/core/tensor.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct NamePrefix {
  std::string_view theirs, ours;  // each with at most one {i}
};

/// RWKV-6 as Hugging Face's transformers and its converters name it; "head.weight" is the same there. The last two lines are our
/// extension to GoldFinch. Shapes are equal.
inline constexpr NamePrefix hugging_face_names[] = {
    {"rwkv.embeddings.",              "emb."},
    {"rwkv.blocks.{i}.pre_ln.",       "blocks.{i}.ln0."},
    {"rwkv.blocks.{i}.ln1.",          "blocks.{i}.ln1."},
    {"rwkv.blocks.{i}.ln2.",          "blocks.{i}.ln2."},
    {"rwkv.blocks.{i}.attention.",    "blocks.{i}.att."},
    {"rwkv.blocks.{i}.feed_forward.", "blocks.{i}.ffn."},
    {"rwkv.ln_out.",                  "ln_out."},
    {"rwkv.w_kv_cache_a.",            "w_kv_cache_a."},
    {"rwkv.w_kv_cache_b.",            "w_kv_cache_b."},
};

/// Our name for theirs, or "" if the prefix is another.
inline std::string translated(std::string_view name, const NamePrefix& prefix) {
  const std::size_t before = prefix.theirs.find("{i}");
  if (before == std::string_view::npos)
    return name.starts_with(prefix.theirs) ? std::string(prefix.ours) + std::string(name.substr(prefix.theirs.size())) : "";
  if (!name.starts_with(prefix.theirs.substr(0, before))) return "";
  const std::size_t end = name.find_first_not_of("0123456789", before);
  const std::string_view after = prefix.theirs.substr(before + 3);
  if (end == before || end == std::string_view::npos || !name.substr(end).starts_with(after)) return "";
  std::string result(prefix.ours);
  result.replace(result.find("{i}"), 3, name.substr(before, end - before));
  return result.append(name.substr(end + after.size()));
}

/// Whether the embedding and the head of a model are one tensor.
inline bool has_tied_embeddings(const Checkpoint& checkpoint) {
  const auto embedding = checkpoint.tensors.find("emb.weight"), head = checkpoint.tensors.find("head.weight");
  return embedding != checkpoint.tensors.end() && head != checkpoint.tensors.end() && embedding->second.data == head->second.data;
}

/// web-rwkv's converter writes these in .st files, and transposes the last two dimensions of the low-rank maps.
inline constexpr NamePrefix web_rwkv_names[] = {
    {"blocks.{i}.att.time_mix_",  "blocks.{i}.att.time_maa_"},
    {"blocks.{i}.ffn.time_mix_",  "blocks.{i}.ffn.time_maa_"},
    {"blocks.{i}.att.time_first", "blocks.{i}.att.time_faaaa"},
};
inline constexpr std::string_view web_rwkv_transposed[] = {"att.time_maa_w1", "att.time_maa_w2", "att.time_decay_w1", "att.time_decay_w2"};

/// What follows blocks.{i}. in a name, or "".
inline std::string_view part_of_block(std::string_view name) {
  if (!name.starts_with("blocks.")) return "";
  const std::size_t end = name.find_first_not_of("0123456789", 7);
  return end == 7 || end == std::string_view::npos || name[end] != '.' ? "" : name.substr(end + 1);
}

/// Gives every tensor the name that rename(name) says. Throws Error if two would get one name.
template <class Rename>
void rename_tensors(Checkpoint& checkpoint, Rename&& rename) {
  const auto all = [&](auto& map) {
    std::decay_t<decltype(map)> renamed;
    for (const auto& [name, tensor] : map) {
      std::string ours = rename(name);
      if (!renamed.emplace(ours, tensor).second)
        fail(checkpoint.path, ": tensor ", in_quotes(name), " is tensor ", in_quotes(ours), " by another name, and both are there");
    }
    map = std::move(renamed);
  };
  all(checkpoint.tensors);
  all(checkpoint.others);
}

/// A copy of a tensor with its last two dimensions exchanged, kept by the checkpoint.
inline Tensor transposed(Checkpoint& checkpoint, const std::string& name, const Tensor& tensor) {
  const std::size_t n = tensor.shape.size(), size = static_cast<std::size_t>(size_of(tensor.dtype));
  Tensor result{tensor.dtype, tensor.shape};
  std::swap(result.shape[n - 1], result.shape[n - 2]);
  const auto rows = static_cast<std::size_t>(tensor.shape[n - 2]), cols = static_cast<std::size_t>(tensor.shape[n - 1]), count = static_cast<std::size_t>(element_count(tensor.shape));
  std::byte* const copy = room_for_copy(checkpoint, name, tensor);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t matrix = i / (rows * cols), row = i / cols % rows, col = i % cols;
    std::memcpy(copy + ((matrix * cols + col) * rows + row) * size, tensor.data + i * size, size);
  }
  result.data = copy;
  return result;
}

/// How many bytes of every name are wrappers.
inline std::size_t common_wrappers(const Checkpoint& checkpoint) {
  if (checkpoint.tensors.empty()) return 0;
  std::string_view common = checkpoint.tensors.begin()->first;  // names are sorted: what the first and the last share, all do
  const auto share = [&](const auto& map) {
    if (map.empty()) return;
    for (const std::string_view name : {std::string_view(map.begin()->first), std::string_view(map.rbegin()->first)})
      common = common.substr(0, static_cast<std::size_t>(std::mismatch(common.begin(), common.end(), name.begin(), name.end()).first - common.begin()));
  };
  share(checkpoint.tensors), share(checkpoint.others);
  std::size_t size = 0;
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view wrapper : {"model.", "module.", "_orig_mod."})
      if (common.substr(size).starts_with(wrapper)) size += wrapper.size(), again = true;
  }
  return size;
}

/// Renames what has a name of theirs, and takes off what wrappers put before every name (model., module., _orig_mod.). Throws Error if two
/// tensors would get one name.
inline void translate_names(Checkpoint& checkpoint) {
  if (const std::size_t wrappers = common_wrappers(checkpoint); wrappers > 0)
    rename_tensors(checkpoint, [&](const std::string& name) { return name.substr(wrappers); });
  const auto by = [&](const auto& table) {
    rename_tensors(checkpoint, [&](const std::string& name) {
      std::string ours = name;
      for (const NamePrefix& prefix : table)
        if (std::string found = translated(name, prefix); !found.empty()) ours = std::move(found);
      return ours;
    });
  };
  by(hugging_face_names);
  const auto is_web_rwkv = [](const auto& named) { return named.first.starts_with("blocks.") && named.first.ends_with(".att.time_mix_w1"); };
  if (!std::any_of(checkpoint.tensors.begin(), checkpoint.tensors.end(), is_web_rwkv)) return;  // RWKV-4 and 5 have a time_mix_k of another meaning
  by(web_rwkv_names);
  for (auto& [name, tensor] : checkpoint.tensors)
    if (std::count(std::begin(web_rwkv_transposed), std::end(web_rwkv_transposed), part_of_block(name)) > 0)
      if ((tensor.shape.size() == 2 || tensor.shape.size() == 3) && tensor.dtype != DType::q8) tensor = transposed(checkpoint, name, tensor);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
