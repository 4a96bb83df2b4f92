// What is known of a file of reference outputs: for every tensor its role, equation and measured error budgets, in the order of the
// computation, and which mistakes the case is there to catch. From the manifest.json beside it or in a folder above.
//
//   {"numerics": 1, "cases": [{"name": "wkv6.extreme_decay", "kind": "operator", "operator": "wkv6", "file": "operators/….safetensors",
//     "purpose": "…", "catches": ["read-after-update"], "reproduce": "goldfinch …", "tensors": [{"name": "y", "role": "output",
//     "equation": "WKV.1", "layout": "[T, D]", "budgets": {"bf16": {"local": 0.01, "end_to_end": 0.02}}, …}]}]}
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/validate/budget.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct ManifestTensor {
  std::string name, role, layout, equation;
  std::map<std::string, Budget> budgets;  // by format
};

struct ManifestCase {
  std::string path;  // of the manifest
  std::string name, kind, purpose, reproduce;
  std::vector<std::string> catches;
  std::vector<ManifestTensor> tensors;
};

namespace manifest_detail {

inline ManifestCase parse_case(const std::string& path, const nlohmann::json& json) {
  ManifestCase result{path, json.at("name"), json.value("kind", ""), json.value("purpose", ""), json.value("reproduce", ""), {}, {}};
  if (json.contains("catches")) json.at("catches").get_to(result.catches);
  for (const auto& tensor : json.at("tensors")) {
    ManifestTensor t{tensor.at("name"), tensor.value("role", ""), tensor.value("layout", ""), "", {}};
    if (const auto equation = tensor.find("equation"); equation != tensor.end() && !equation->is_null()) equation->get_to(t.equation);  // null: an input
    if (tensor.contains("budgets"))
      for (const auto& [format, budget] : tensor.at("budgets").items())
        t.budgets[format] = {budget.at("local"), budget.at("end_to_end")};
    result.tensors.push_back(std::move(t));
  }
  return result;
}

}  // namespace manifest_detail

/// The case that describes the file, by the nearest manifest.json in its folder or the three above; nothing if there is none, or
/// none of its cases has this file. A manifest.json of another kind is passed over. Throws Error if one of ours is damaged.
inline std::optional<ManifestCase> find_manifest_case(const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path absolute = fs::absolute(file, error).lexically_normal();
  fs::path folder = absolute.parent_path();
  for (int up = 0; up <= 3; ++up, folder = folder.parent_path()) {
    const std::string path = (folder / "manifest.json").string();
    if (!fs::is_regular_file(path, error)) continue;
    const MappedFile mapped(path);
    const auto* const text = reinterpret_cast<const char*>(mapped.data());
    const auto json = nlohmann::json::parse(text, text + mapped.size(), nullptr, false);
    if (!json.is_object() || !json.contains("numerics") || !json.contains("cases")) continue;
    try {
      if (json.at("numerics") != 1) fail(path, ": is of numerics ", json.at("numerics").dump(), ", expected 1");
      for (const auto& one : json.at("cases"))
        if ((folder / one.at("file").get<std::string>()).lexically_normal() == absolute) return manifest_detail::parse_case(path, one);
    } catch (const nlohmann::json::exception&) {
      fail(path, ": is not a manifest of reference outputs: a field is missing or of the wrong type");
    }
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
