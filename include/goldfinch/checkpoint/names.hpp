// What others call our tensors: a table of names, not code per format. A prefix on the left becomes the one on the right, and
// what follows it stays; {i} is the number of a layer. Names in no table stay as they are.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "goldfinch/checkpoint/in_quotes.hpp"
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

/// Renames what has a name of theirs. Throws Error if two tensors would get one name.
inline void translate_names(Checkpoint& checkpoint) {
  std::map<std::string, Tensor> renamed;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    std::string ours = name;
    for (const NamePrefix& prefix : hugging_face_names)
      if (std::string found = translated(name, prefix); !found.empty()) ours = std::move(found);
    if (!renamed.emplace(ours, tensor).second)
      fail(checkpoint.path, ": tensor ", in_quotes(name), " is tensor ", in_quotes(ours), " by another name, and both are there");
  }
  checkpoint.tensors = std::move(renamed);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
