// The golden cases of reference_outputs/models, for the tests of whole models.
#pragma once

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/fingerprint.hpp"
#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/math/quantise.hpp"

namespace golden {

inline constexpr const char* names[] = {"goldfinch",     "goldfinch_rope", "goldfinch_r2_c8_h32", "goldfinch_l7_ranks",
                                        "finch_gold_r6", "finchc2",        "finchc2_no_v2",       "finchc2_no_one_minus_w",
                                        "finch",         "gptalpha_rope",  "llama_rope",          "finchc2_gptalpha"};

/// "…/goldfinch", to which ".safetensors", ".json" or ".trace.safetensors" is added.
inline std::string path(const std::string& name) { return std::string(GOLDFINCH_REFERENCE_DIR) + "/models/" + name; }

inline goldfinch::Checkpoint weights(const std::string& name) { return goldfinch::open_checkpoint(path(name) + ".safetensors"); }

/// The same model with its matrices in q8.
inline goldfinch::Checkpoint in_q8(goldfinch::Checkpoint checkpoint) {
  namespace gf = goldfinch;
  for (const auto& parameter : gf::parameter_list(gf::resolve_shape(checkpoint))) {
    if (!parameter.may_be_q8) continue;
    gf::Tensor& tensor = checkpoint.tensors.at(parameter.name);
    const gf::Index N = tensor.shape[0], K = tensor.shape[1], blocks = gf::scale_shape(tensor.shape)[1];
    const auto numbers = std::make_shared<std::vector<gf::Q8>>(static_cast<std::size_t>(N * K));
    const auto scales = std::make_shared<std::vector<gf::BFloat16>>(static_cast<std::size_t>(N * blocks));
    for (gf::Index n = 0; n < N; ++n)
      for (gf::Index b = 0; b < blocks; ++b) {
        const gf::Index first = n * K + b * gf::q8_block, count = std::min(gf::q8_block, K - b * gf::q8_block);
        std::vector<double> w;
        for (gf::Index i = 0; i < count; ++i) w.push_back(gf::number_at(tensor, first + i));
        (*scales)[static_cast<std::size_t>(n * blocks + b)] = gf::quantise(w.data(), count, numbers->data() + first);
      }
    tensor = {gf::DType::q8, tensor.shape, reinterpret_cast<const std::byte*>(numbers->data()), reinterpret_cast<const std::byte*>(scales->data())};
    checkpoint.storage.push_back(numbers), checkpoint.storage.push_back(scales);
  }
  return checkpoint;
}

/// The fingerprint of a model whose tensors are hashed by themselves.
inline std::string fingerprint(const goldfinch::Checkpoint& checkpoint, const goldfinch::Config& config) {
  std::map<std::string, goldfinch::TensorHash> hashes;
  for (const auto& [name, tensor] : checkpoint.tensors) hashes[name] = goldfinch::hash_tensor(tensor);
  return goldfinch::model_fingerprint(checkpoint, config, hashes);
}

inline std::vector<int> tokens(const std::string& name) {
  std::ifstream file(path(name) + ".json");
  return nlohmann::json::parse(file).at("tokens").get<std::vector<int>>();
}

}  // namespace golden
