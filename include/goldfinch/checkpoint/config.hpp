// Which model a checkpoint holds: read off the names and shapes of its tensors, then told more exactly by a config.json beside the
// file, by the metadata key goldfinch.config, and by the caller, each over the one before. What contradicts the tensors is an error.
#pragma once

#include <cmath>
#include <filesystem>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/core/tensor.hpp"
#include "goldfinch/model/config.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The metadata key under which a checkpoint carries its configuration as JSON.
inline constexpr const char* config_key = "goldfinch.config";

/// Calls visit(key, member) for every key of the JSON form.
template <class Config_, class Visitor>
void config_keys(Config_& config, Visitor&& visit) {
  visit("vocab_size", config.vocab_size);
  visit("n_layer", config.n_layer);
  visit("n_embd", config.n_embd);
  visit("head_size", config.head_size);
  visit("tmix", config.tmix);
  visit("tmix2", config.tmix2);
  visit("cmix", config.cmix);
  visit("cmix2", config.cmix2);
  visit("inv_other_layer_ratio", config.inv_other_layer_ratio);
  visit("kv_cache_compression_ratio", config.kv_cache_compression_ratio);
  visit("head_size_divisor", config.head_size_divisor);
  visit("use_one_minus_w", config.use_one_minus_w);
  visit("use_v2", config.use_v2);
  visit("rope_base", config.rope_base);
  visit("rope_rescale", config.rope_rescale);
  visit("dim_ffn", config.dim_ffn);
}

/// Sets what the JSON object `text` says. Unknown keys are an error where only ours can stand (`strict`), else ignored. Throws
/// Error beginning with `where`.
inline void read_config(const std::string& text, const std::string& where, bool strict, Config& config) {
  std::set<std::string> keys;
  const auto json = nlohmann::json::parse(text, [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (event == nlohmann::json::parse_event_t::key && depth == 1 && !keys.insert(value.get<std::string>()).second)
      fail(where, ": the key ", in_quotes(value.get<std::string>()), " stands there twice");
    return true;
  }, false);
  if (!json.is_object()) fail(where, ": is not a JSON object");
  config_keys(config, [&]<class Member>(const char* key, Member& member) {
    keys.erase(key);
    const auto found = json.find(key);
    if (found == json.end()) return;
    const auto wrong = [&](const char* expected) { fail(where, ": ", key, " is ", in_quotes(found->dump()), ", expected ", expected); };
    if constexpr (std::is_same_v<Member, Index>) {
      if (!found->is_number_integer() || *found < 0 || *found > 0x7fffffff) wrong("a whole number from 0 to 2147483647");
      member = found->template get<Index>();
    } else if constexpr (std::is_same_v<Member, double>) {
      if (!found->is_number()) wrong("a number");
      member = found->template get<double>();
    } else if constexpr (std::is_same_v<Member, bool>) {
      if (!found->is_boolean()) wrong("true or false");
      member = found->template get<bool>();
    } else {
      if (!found->is_string()) wrong("a string");
      member = found->template get<std::string>();
    }
  });
  if (strict && !keys.empty()) fail(where, ": has the unknown key ", in_quotes(*keys.begin()));
}

/// The JSON form, on one line.
inline std::string write_config(const Config& config) {
  nlohmann::ordered_json json;
  config_keys(config, [&](const char* key, const auto& member) { json[key] = member; });
  return json.dump();
}

/// What a caller may know better than the file.
struct ConfigOverrides {
  std::optional<double> rope_base, rope_rescale, head_size_divisor;
  std::optional<Index> head_size;
  std::optional<bool> use_v2, use_one_minus_w;

  void apply(Config& config) const {
    const auto set = [](const auto& from, auto& to) { if (from) to = *from; };
    set(rope_base, config.rope_base);
    set(rope_rescale, config.rope_rescale);
    set(head_size_divisor, config.head_size_divisor);
    set(head_size, config.head_size);
    set(use_v2, config.use_v2);
    set(use_one_minus_w, config.use_one_minus_w);
  }
};

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
  if (!names.has("emb.weight")) fail(path, ": has no tensor emb.weight: is it a model of this family?");
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

/// Throws Error naming the key if `told` says of the tensors what they do not say themselves.
inline void check_against_tensors(const Config& told, const Config& found, const std::string& path) {
  const auto equal = [&](const char* key, const auto& a, const auto& b) {
    if (a != b) fail(path, ": the configuration says that ", key, " is ", a, ", the tensors say ", b);
  };
  equal("vocab_size", told.vocab_size, found.vocab_size);
  equal("n_layer", told.n_layer, found.n_layer);
  equal("n_embd", told.n_embd, found.n_embd);
  const Index last = told.n_layer - 1;
  equal("tmix", in_quotes(told.time_mix(0)), in_quotes(found.time_mix(0)));
  equal("cmix", in_quotes(told.channel_mix(0)), in_quotes(found.channel_mix(0)));
  equal("tmix2", in_quotes(told.time_mix(last)), in_quotes(found.time_mix(last)));
  equal("cmix2", in_quotes(told.channel_mix(last)), in_quotes(found.channel_mix(last)));
  if (told.time_mix(0) != told.time_mix(last)) equal("the first upper layer (by inv_other_layer_ratio)", told.split(), found.split());
  if (told.has_gold()) equal("the width of a compressed key (by kv_cache_compression_ratio)", told.dimensions().R, found.dimensions().R);
  if (found.channel_mix(0) == "x060" || found.channel_mix(last) == "x060")
    if (told.dim_ffn != 0) equal("dim_ffn", told.dim_ffn, found.dimensions().F);
}

/// The configuration of a checkpoint, from all that is known.
inline ModelShape resolve_shape(const Checkpoint& checkpoint, const ConfigOverrides& overrides = {}) {
  const std::string& path = checkpoint.path;
  const ModelShape found = infer_shape(checkpoint);
  ModelShape told = found;
  const auto beside = (std::filesystem::path(path).parent_path() / "config.json").string();
  if (std::error_code error; std::filesystem::is_regular_file(beside, error)) {
    const MappedFile file(beside);
    read_config(std::string(reinterpret_cast<const char*>(file.data()), file.size()), beside, false, told.config);
  }
  if (const auto i = checkpoint.metadata.find(config_key); i != checkpoint.metadata.end()) read_config(i->second, path + ": " + config_key, false, told.config);
  overrides.apply(told.config);
  told.config.validate(path);
  check_against_tensors(told.config, found.config, path);
  told.n.N = told.config.head_size;
  return told;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
