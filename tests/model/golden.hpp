// The golden cases of reference_outputs/models, for the tests of whole models.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/load.hpp"

namespace golden {

inline constexpr const char* names[] = {"goldfinch",     "goldfinch_rope", "goldfinch_r2_c8_h32", "goldfinch_l7_ranks",
                                        "finch_gold_r6", "finchc2",        "finchc2_no_v2",       "finchc2_no_one_minus_w",
                                        "finch",         "gptalpha_rope",  "llama_rope",          "finchc2_gptalpha"};

/// "…/goldfinch", to which ".safetensors", ".json" or ".trace.safetensors" is added.
inline std::string path(const std::string& name) { return std::string(GOLDFINCH_REFERENCE_DIR) + "/models/" + name; }

inline goldfinch::Checkpoint weights(const std::string& name) { return goldfinch::open_checkpoint(path(name) + ".safetensors"); }

inline std::vector<int> tokens(const std::string& name) {
  std::ifstream file(path(name) + ".json");
  return nlohmann::json::parse(file).at("tokens").get<std::vector<int>>();
}

}  // namespace golden
