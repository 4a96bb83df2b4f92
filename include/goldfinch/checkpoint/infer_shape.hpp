// What the names and shapes of a checkpoint's tensors tell of its configuration (config.hpp: what else may be known).
#pragma once

#include <set>
#include <string>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/tensor.hpp"
#include "goldfinch/model/config.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// A configuration and the sizes of the shapes that go with it.
struct ModelShape {
  Config config;
  Dimensions n;
};

/// Reads names and shapes.
class TensorNames {
 public:
  explicit TensorNames(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  bool has(const std::string& name) const { return checkpoint_.tensors.count(name) > 0; }

  /// Dimension `axis` (negative: from the end) of a tensor, or `otherwise` if it is not there or has no such axis.
  Index size(const std::string& name, int axis, Index otherwise) const {
    const auto found = checkpoint_.tensors.find(name);
    if (found == checkpoint_.tensors.end()) return otherwise;
    const Shape& shape = found->second.shape;
    const auto i = axis < 0 ? static_cast<Index>(shape.size()) + axis : axis;
    return i < 0 || i >= static_cast<Index>(shape.size()) ? otherwise : shape[static_cast<std::size_t>(i)];
  }

  /// Throws Error naming the generation where it is another RWKV.
  void refuse_relatives() const {
    const bool mixes = has("blocks.0.att.time_mix_k") || has("blocks.0.att.time_mix_key");  // 5 and 4; 6 has time_maa_k
    const char* const generation = has("blocks.0.att.x_r") || has("blocks.0.att.w0") ? "RWKV-7" : !mixes ? nullptr : has("blocks.0.att.ln_x.weight") ? "RWKV-5" : "RWKV-4";
    if (generation) fail(checkpoint_.path, ": is an ", generation, " model, expected RWKV-6 (Finch), GoldFinch or their relatives");
  }

  /// Layers, from "blocks.0." on without a gap.
  Index layers() const {
    std::set<std::string> seen;
    for (auto i = checkpoint_.tensors.lower_bound("blocks."); i != checkpoint_.tensors.end() && i->first.starts_with("blocks."); ++i)
      seen.insert(i->first.substr(7, i->first.find('.', 7) - 7));
    for (std::size_t i = 0; i < seen.size(); ++i)
      if (!seen.count(std::to_string(i))) fail(checkpoint_.path, ": has ", seen.size(), " blocks, but none is called blocks.", i);
    if (seen.empty()) fail(checkpoint_.path, ": has no tensors called blocks.0.…: is it a model of this family?");
    return static_cast<Index>(seen.size());
  }

  /// The first kind that has one of its own tensors in a layer; "" if none has.
  std::string kind(Index layer, const char* part, std::initializer_list<std::pair<const char*, std::initializer_list<const char*>>> kinds) const {
    const std::string prefix = "blocks." + std::to_string(layer) + "." + part;
    for (const auto& [name, marks] : kinds)
      for (const char* mark : marks)
        if (has(prefix + mark)) return name;
    fail(checkpoint_.path, ": blocks.", layer, " has no ", part, " tensors of a kind that is known");
  }

 private:
  const Checkpoint& checkpoint_;
};

/// What names and shapes alone tell.
inline ModelShape infer_shape(const Checkpoint& checkpoint) {
  const TensorNames names(checkpoint);
  const std::string& path = checkpoint.path;
  if (const auto other = checkpoint.others.find("emb.weight"); other != checkpoint.others.end()) fail(path, ": tensor emb.weight is ", in_quotes(other->second), ", expected F64, F32, BF16 or F16");
  names.refuse_relatives();
  if (!names.has("emb.weight")) fail(path, ": has no tensor emb.weight: is it a model of this family?");
  for (const auto& [name, tensor] : checkpoint.tensors)  // so that no sum or small multiple of sizes overflows
    for (const Index n : tensor.shape)
      if (n > largest_dimension) fail(path, ": tensor ", in_quotes(name), " is ", to_string(tensor.shape), ", expected dimensions of at most 2^40");
  Config config;
  config.n_layer = names.layers();
  config.vocab_size = names.size("emb.weight", 0, 0);
  config.n_embd = names.size("emb.weight", 1, 0);

  Index split = config.n_layer;
  for (Index i = 0; i < config.n_layer; ++i) {
    const auto time_mix = names.kind(i, "att.", {{"x060c2", {"time_maa_v2", "time_value2_w1", "time_value2_w2"}},
                                                 {"x060", {"time_maa_g", "gate.weight"}},
                                                 {"gold", {"time_maa_v_cache", "time_maa_q", "time_key_w1", "time_value_w1"}},
                                                 {"gptalpha", {"ln_r.weight", "query.weight"}},
                                                 {"llama", {"wq.weight", "wk.weight", "wv.weight", "wo.weight"}}});
    const auto channel_mix = names.kind(i, "ffn.", {{"llama", {"w1.weight", "w2.weight", "w3.weight"}},
                                                    {"x060", {"time_maa_k", "time_maa_r", "key.weight", "receptance.weight", "value.weight"}}});
    if (i == 0) config.tmix = time_mix, config.cmix = channel_mix;
    const bool lower = time_mix == config.tmix && channel_mix == config.cmix;
    if (split == config.n_layer && !lower) split = i, config.tmix2 = time_mix, config.cmix2 = channel_mix;
    if (i >= split && (time_mix != config.tmix2 || channel_mix != config.cmix2))
      fail(path, ": blocks.", i, " is ", time_mix, "/", channel_mix, ", but blocks.", split, " is ", config.tmix2, "/", config.cmix2);
  }
  if (split < config.n_layer && config.split() != split) {
    const double L = static_cast<double>(config.n_layer);
    config.inv_other_layer_ratio = L / static_cast<double>(config.n_layer - split);
    if (config.split() != split) config.inv_other_layer_ratio += 1e-9;  // the quotient rounded down
  }
  for (Index i = 0; i < config.n_layer; ++i)
    if (const Index N = names.size("blocks." + std::to_string(i) + ".att.time_faaaa", 1, 0); N > 0) config.head_size = N;

  const double D = static_cast<double>(config.n_embd);
  if (const Index R = names.size("w_kv_cache_a.weight", 0, 0); R > 0 && config.dimensions().R != R) {
    config.kv_cache_compression_ratio = D / static_cast<double>(R);
    if (config.dimensions().R != R) config.kv_cache_compression_ratio -= 1e-9 * config.kv_cache_compression_ratio;
  }

  const std::string lower = "blocks.0.", upper = "blocks." + std::to_string(config.n_layer - 1) + ".";
  const auto size = [&](const char* name, int axis, Index otherwise) { return names.size(lower + name, axis, names.size(upper + name, axis, otherwise)); };
  if (const Index F = size("ffn.key.weight", 0, 0); F != config.dimensions().F) config.dim_ffn = F;

  Dimensions n = config.dimensions();
  n.F_swiglu = size("ffn.w1.weight", 0, n.F_swiglu);
  n.mix_rank = size("att.time_maa_w2", 1, n.mix_rank);
  n.decay_rank = size("att.time_decay_w2", 0, n.decay_rank);
  n.value2_rank = size("att.time_value2_w2", 0, n.value2_rank);
  n.query_mix_rank = size("att.time_maa_q_w2", 0, n.query_mix_rank);
  n.kv_mix_rank = size("att.time_maa_kv_w2", 1, n.kv_mix_rank);
  n.key_rank = size("att.time_key_w2", 0, n.key_rank);
  n.value_rank = size("att.time_value_w2", 0, n.value_rank);
  return {config, n};
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
