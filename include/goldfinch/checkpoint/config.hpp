// Which model a checkpoint holds: read off the names and shapes of its tensors, then told more exactly by a config.json beside the
// file, by the metadata key goldfinch.config, and by the caller, each over the one before. What contradicts the tensors is an error.
#pragma once

#include <cmath>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/foreign_config.hpp"
#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/checkpoint/infer_shape.hpp"
#include "goldfinch/checkpoint/json.hpp"
#include "goldfinch/checkpoint/names.hpp"
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

/// Sets what the JSON object `text` says, and returns that object. Unknown keys are an error where only ours can stand (`strict`), else
/// ignored. Throws Error beginning with `where`.
inline nlohmann::json read_config(std::string_view text, const std::string& where, bool strict, Config& config) {
  const auto json = parse_json(text, where);
  if (!json.is_object()) fail(where, ": is not a JSON object");
  std::set<std::string> known;
  config_keys(config, [&]<class Member>(const char* key, Member& member) {
    known.insert(key);
    const auto found = json.find(key);
    if (found == json.end()) return;
    const auto wrong = [&](const char* expected) { fail(where, ": ", key, " is ", shown(*found), ", expected ", expected); };
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
  for (const auto& item : json.items())
    if (strict && !known.count(item.key())) fail(where, ": has the unknown key ", in_quotes(item.key()));
  return json;
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

/// The configuration of a checkpoint, from all that is known. Throws Error naming the source that is wrong: where one contradicts the
/// tensors, or makes no model, and no later one mends it.
inline ModelShape resolve_shape(const Checkpoint& checkpoint, const ConfigOverrides& overrides = {}) {
  const std::string& path = checkpoint.path;
  const ModelShape found = infer_shape(checkpoint);
  ModelShape told = found;
  std::vector<std::pair<std::string, Config>> sources;  // its name, and the configuration with it and all before
  const auto beside = (std::filesystem::path(path).parent_path() / "config.json").string();
  nlohmann::json foreign;
  if (std::error_code error; std::filesystem::is_regular_file(beside, error)) {
    const MappedFile file(beside);
    foreign = read_config({reinterpret_cast<const char*>(file.data()), file.size()}, beside, false, told.config);
    use_foreign_keys(foreign, beside, told.config);
    sources.emplace_back(beside, told.config);
  }
  if (const auto i = checkpoint.metadata.find(config_key); i != checkpoint.metadata.end()) {
    read_config(i->second, path + ": " + config_key, false, told.config);
    sources.emplace_back(path + ": " + config_key, told.config);
  }
  overrides.apply(told.config);
  sources.emplace_back(path, told.config);
  const auto error_of = [&](const Config& config) -> std::string {
    try {
      config.validate("");
      check_against_tensors(config, found.config, "");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  if (const std::string error = error_of(told.config); !error.empty()) {
    std::size_t first = sources.size() - 1;
    while (first > 0 && error_of(sources[first - 1].second) == error) --first;
    fail(sources[first].first, error);
  }
  told.n.N = told.config.head_size;
  if (foreign.is_object()) check_foreign_keys(foreign, beside, told.config, told.n, has_tied_embeddings(checkpoint));
  return told;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
