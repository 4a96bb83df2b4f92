// What others write into a config.json and what would change numbers: each key is used, or must say what the model computes. Keys that are in
// no table here, and none of our own, change nothing.
#pragma once

#include <cmath>
#include <string>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/json.hpp"
#include "goldfinch/math/norms.hpp"
#include "goldfinch/model/config.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Takes over what another name says, where `ours` is not there: rope_theta is rope_base.
inline void use_foreign_keys(const nlohmann::json& json, const std::string& where, Config& config) {
  const auto theta = json.find("rope_theta");
  const bool attends = config.tmix == "gptalpha" || config.tmix == "llama" || !(config.tmix2.empty() || config.tmix2 == "x060" || config.tmix2 == "x060c2");
  if (theta == json.end() || theta->is_null() || json.contains("rope_base") || !attends) return;
  if (!theta->is_number()) fail(where, ": rope_theta is ", shown(*theta), ", expected a number");
  config.rope_base = theta->get<double>();
}

/// Throws Error, beginning with `where`, if a key asks for other numbers than a model of this configuration and these sizes computes. `tied`:
/// the embedding and the head are one tensor.
inline void check_foreign_keys(const nlohmann::json& json, const std::string& where, const Config& config, const Dimensions& n, bool tied) {
  const auto wrong = [&](const char* key, const auto& expected) { fail(where, ": ", key, " is ", shown(json[key]), ", but the model computes with ", expected); };
  /// A number that must be this one, if it is there; as float, in which many files keep it.
  const auto number = [&](const char* key, double expected) {
    if (!json.contains(key) || json[key].is_null()) return;
    if (!json[key].is_number() || static_cast<float>(json[key].get<double>()) != static_cast<float>(expected)) wrong(key, expected);
  };
  const auto absent = [&](const char* key, const char* reason) {
    if (json.contains(key) && !json[key].is_null() && json[key] != false) fail(where, ": ", key, " is ", shown(json[key]), ": ", reason);
  };
  for (const char* key : {"layer_norm_epsilon", "layer_norm_eps", "norm_eps", "norm_epsilon"}) number(key, layer_norm_eps);
  const bool wide = config.channel_mix(0) == "x060" || config.channel_mix(config.n_layer - 1) == "x060";
  number("hidden_size", static_cast<double>(n.D));
  number("attention_hidden_size", static_cast<double>(n.D));
  number("num_hidden_layers", static_cast<double>(config.n_layer));
  number("intermediate_size", static_cast<double>(wide ? n.F : n.F_swiglu));
  number("head_dim", static_cast<double>(config.head_size));
  number("num_heads", static_cast<double>(n.D / config.head_size));
  // transformers' RWKV-6 writes the size of a head under this name.
  if (const char* key = "num_attention_heads"; json.contains(key) && json[key] != config.head_size) number(key, static_cast<double>(n.D / config.head_size));
  absent("rope_scaling", "positions are scaled by rope_rescale only");
  absent("quantization_config", "quantised weights of others are not read");
  absent("rms_norm_eps", "the model normalises by mean and variance, not by the root of the mean square");
  for (const char* key : {"hidden_act", "hidden_activation"}) {
    if (!json.contains(key) || json[key].is_null()) continue;
    const bool square = json[key] == "sqrelu" || json[key] == "relu2" || json[key] == "relu_squared", silu = json[key] == "silu" || json[key] == "swish" || json[key] == "swiglu";
    if (wide ? !square : !silu) wrong(key, wide ? "the square of relu" : "silu");
  }
  if (const auto tie = json.find("tie_word_embeddings"); tie != json.end() && tie->is_boolean() && *tie != tied)
    fail(where, tied ? ": tie_word_embeddings is false, and there is no tensor head.weight" : ": tie_word_embeddings is true, but there is a tensor head.weight; set it to false if that is right");
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
