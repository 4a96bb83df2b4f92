// The golden models of a folder (reference_outputs/models) as cases of the kit: their weights and tokens, and what each tensor of their
// traces is.
#pragma once

#include <filesystem>
#include <set>

#include "goldfinch/checkpoint/config.hpp"
#include "goldfinch/checkpoint/json.hpp"
#include "goldfinch/checkpoint/safetensors.hpp"
#include "goldfinch/core/folder_entries.hpp"
#include "goldfinch/validate/operator_run.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct GoldenModel {
  std::string name, purpose;
  Config config;
  Checkpoint inputs;  // weights, and tokens

  std::string reproduce() const {
    std::string tokens;
    for (Index i = 0; i < inputs.tensors.at("tokens").shape[0]; ++i)
      tokens += (i > 0 ? " " : "") + std::to_string(static_cast<Index>(number_at(inputs.tensors.at("tokens"), i)));
    return "goldfinch logits --model models/" + name + ".safetensors --tokens \"" + tokens + "\" --out logits.npy --trace trace.safetensors";
  }
};

/// Puts tokens beside a checkpoint's tensors, as the kit's "model" takes them.
inline void add_tokens(Checkpoint& weights, const std::vector<int>& tokens) {
  weights.put("tokens", {static_cast<Index>(tokens.size())}, {tokens.begin(), tokens.end()});
}

/// What only a whole model shows, and what its layers show on a stream of their own.
inline std::vector<std::string> mistakes_caught_by(const Config& config) {
  std::vector<std::string> flags = {"wrong-token", "ln0-missing", "norms-swapped", "norm-of-wrong-stream", "residual-missing", "head-tied"};
  const auto add = [&](std::initializer_list<const char*> more) { flags.insert(flags.end(), more.begin(), more.end()); };
  const auto has = [&](const char* kind) { return config.tmix == kind || config.tmix2 == kind; };
  if (!has("llama")) add({"weight-transposed", "group-order", "tanh-missing", "hidden-interleaved", "ddlerp-one-step", "offset-dropped"});
  if (has("x060") || has("x060c2")) add({"read-after-update", "write-before-decay", "head-layout", "state-transposed", "wkv-scaled"});
  if (has("x060")) add({"gate-not-silu", "gate-before-norm", "norm-over-all-channels", "bonus-of-another-head"});
  if (has("x060c2")) {
    add({"norm-per-head"});
    if (config.use_one_minus_w) add({"one-minus-decay-missing"});
    if (config.use_v2) add({"bonus-unwanted", "value2-of-wrong-input", "value2-missing", "lora-missing"});
    else add({"bonus-missing"});
  }
  if (config.has_gold()) add({"compressed-after-norm", "wrong-layer", "cat-order", "x0-before-ln0", "values-from-stream", "lora-not-added"});
  if (config.has_gold() || has("gptalpha") || has("llama")) add({"keys-of-call-only", "mask-excludes-self", "scale-of-width", "keys-of-another-head"});
  if (config.rope_base != 0) add({"rotary-missing", "rotary-frequency", "rotary-half-layout", "rotary-position"});
  if (config.cmix == "x060") add({"rates-swapped", "gate-not-sigmoid", "square-missing", "ffn-width"});
  else add({"silu-on-wrong-half", "silu-is-sigmoid"});
  return flags;
}

/// The golden model whose weights are BASE.safetensors and whose tokens stand in BASE.json. Throws Error naming the file at fault.
inline GoldenModel read_golden_model(const std::string& base) {
  GoldenModel model{std::filesystem::path(base).filename().string(), "", {}, read_safetensors(base + ".safetensors")};
  const MappedFile file(base + ".json");
  const auto json = parse_json({reinterpret_cast<const char*>(file.data()), file.size()}, file.path());
  if (!json.is_object() || !json.contains("tokens") || !json["tokens"].is_array()) fail(base, ".json: has no list of tokens");
  std::vector<int> tokens;
  for (const auto& token : json["tokens"]) {
    const double id = token.is_number_integer() ? token.get<double>() : -1;
    if (!(id >= 0 && id < 0x1p31)) fail(base, ".json: holds the token ", shown(token));
    tokens.push_back(static_cast<int>(id));
  }
  model.config = resolve_shape(model.inputs).config;
  model.purpose = model.config.model_name() + ", " + std::to_string(model.config.n_layer) + " layers of width " +
                  std::to_string(model.config.n_embd) + ": everything together";
  add_tokens(model.inputs, tokens);
  return model;
}

/// Every NAME.safetensors of the folder that has a NAME.json with tokens beside it, by name; none if there is no such folder.
inline std::vector<GoldenModel> golden_models(const std::string& folder) {
  namespace fs = std::filesystem;
  std::set<std::string> names;
  if (std::error_code error; !fs::is_directory(folder, error)) return {};
  for (const auto& entry : folder_entries(folder))
    if (entry.path().extension() == ".json") names.insert(entry.path().stem().string());
  std::vector<GoldenModel> models;
  for (const std::string& name : names) models.push_back(read_golden_model((fs::path(folder) / name).string()));
  return models;
}

/// What a tensor of a model's trace is: "blocks.3.att.k" is what that layer's description says of k.
inline TensorSpec describe_trace(const ResultTensor& tensor, const Config& config, const std::vector<OperatorInfo>& infos) {
  const std::string& name = tensor.name;
  const std::pair<const char*, TensorSpec> others[] = {
      {"embed", {name, "[T, D]", tensor.role, "original embedding, one token a row", "EMB.1"}},
      {"ln1", {name, "[T, D]", tensor.role, "normalised residual stream, one token a row", "NORM.1"}},
      {"mid", {name, "[T, D]", tensor.role, "residual stream after the time mix, one token a row", "BLOCK.1"}},
      {"ln2", {name, "[T, D]", tensor.role, "normalised residual stream, one token a row", "NORM.1"}},
      {"out", {name, "[T, D]", tensor.role, "residual stream after the block, one token a row", "BLOCK.2"}},
      {"compressed", {name, "[T, R]", tensor.role, "compressed keys, one token a row", "TC.1"}},
      {"keys", {name, "[T, D]", tensor.role, "decompressed keys, one token a row", "TC.2"}},
      {"ln_out", {name, "[T, D]", tensor.role, "normalised residual stream, one token a row", "NORM.1"}},
      {"logits", {name, "[T, V]", tensor.role, "one token a row", "MODEL.3"}},
      {"wkv_state", {name, "[H, N, N]", tensor.role, "state of each head, key rows, value columns", "WKV.2"}},
      {"S", {name, "[D, N]", tensor.role, "state, head after head, key rows, value columns", "WKV.2"}},
      {"last_z", {name, "[1, D]", tensor.role, "the last row, for the next call's token shift", "SHIFT.1"}},
  };
  const std::string last = name.substr(name.rfind('.') + 1);
  const bool in_layer = name.find(".att.") != std::string::npos || name.find(".ffn.") != std::string::npos;
  if (!in_layer || tensor.role == TensorRole::state) {
    for (const auto& [known, spec] : others)
      if (last == known) return spec;
    return {name, "[T, D]", tensor.role, "stored rows, one token a row", last == "k" ? "ROPE.3" : "LIN.1"};  // k, v of a traditional cache
  }
  const std::map<std::string, std::string> operators = {{"x060c2", "finch_c2_time_mix"}, {"x060", "finch_time_mix"}, {"gold", "gold_attention"},
                                                        {"gptalpha", "gptalpha_attention"}, {"llama", "llama_attention"}};
  const Index layer = std::stol(name.substr(name.find('.') + 1));
  const bool channel = name.find(".ffn.") != std::string::npos;
  const std::string op = channel ? (config.channel_mix(layer) == "x060" ? "rwkv_channel_mix" : "swiglu") : operators.at(config.time_mix(layer));
  for (const OperatorInfo& info : infos) {
    if (info.name != op) continue;
    if (const TensorSpec* const found = info.find(last)) {
      TensorSpec spec = *found;
      spec.name = name, spec.role = tensor.role;
      return spec;
    }
  }
  fail("the trace holds ", in_quotes(name), ", which no layer describes");
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
