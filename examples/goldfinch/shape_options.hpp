// A model that may exist as a checkpoint or only as a shape: what bench, cost and cache are told.
#pragma once

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "command.hpp"
#include "goldfinch/model/cost.hpp"

namespace tool {

/// "1.45 G": a number without a unit.
inline std::string human_count(double x) {
  std::string text = human_bytes(x);
  text.pop_back();
  if (text.back() == ' ') text.pop_back();
  return text;
}

/// A whole number as such, "129" and not "129.0".
inline nlohmann::ordered_json json_number(double x) {
  if (x == std::floor(x) && std::abs(x) < 0x1p53) return static_cast<std::int64_t>(x);
  return x;
}

/// --model, or --layers, --embd and --vocab; and --context.
struct ShapeOptions {
  ModelOptions model;
  Index layers = 24, embd = 2048, vocab = 65536, context = 4096;
  goldfinch::StoredIn stored;  // of the checkpoint, once it is opened

  void add(CLI::App& command, const char* model_help = "Checkpoint, .safetensors or .pth, of which only names and shapes are read") {
    auto* from = add_model(command, model.model, model_help);
    const Index most = 65536;
    add_number(command, "--layers", layers, {1, most}, "Layers, without --model")->excludes(from);
    add_number(command, "--embd", embd, {1, most}, "Width D, without --model")->excludes(from);
    add_number(command, "--vocab", vocab, {1, Index{1} << 31}, "Tokens in the vocabulary, without --model")->excludes(from);
    add_number(command, "--context", context, {1, Index{1} << 40}, "Tokens of context");
    model.add(command, "");
  }

  /// The model; without a checkpoint, a GoldFinch of the shape.
  goldfinch::ModelShape open() {
    if (!model.model.empty()) {
      const auto [checkpoint, shape] = model.open_checkpoint();
      const auto& head = checkpoint.tensors.at("head.weight");
      constexpr int widest = sizeof(float);  // float64 is kept as float
      stored.matrix = std::min<double>(widest, static_cast<double>(byte_count(head)) / static_cast<double>(goldfinch::element_count(head.shape)));
      stored.other = std::min(widest, size_of(checkpoint.tensors.at("emb.weight").dtype));
      return shape;
    }
    goldfinch::Config config;
    config.vocab_size = vocab, config.n_layer = layers, config.n_embd = embd, config.tmix2 = "gold";
    model.all_overrides().apply(config);
    config.validate("the shape");
    return {config, config.dimensions()};
  }
};

}  // namespace tool
