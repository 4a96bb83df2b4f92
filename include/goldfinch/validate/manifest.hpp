// The manifest of the reference cases, read: for every case what it is for and which mistakes it is there to catch, for every tensor its
// role, equation, hash and measured error budgets, in the order of the computation. manifest_writer.hpp writes it.
//
//   {"numerics": 1, "mistakes": {…}, "cases": [{"name": "wkv6.extreme_decay", "kind": "operator", "operator": "wkv6",
//     "file": "operators/….safetensors", "purpose": "…", "catches": ["read-after-update"], "reproduce": "goldfinch …",
//     "tensors": [{"name": "y", "role": "output", "equation": "WKV.1", "layout": "[T, D]", "sha256": "…",
//       "budgets": {"bf16": {"local": 0.01, "end_to_end": 0.02}}, …}]}]}
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/json.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/validate/budget.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Of the numerics contract (docs/numerics.md).
inline constexpr int numerics_version = 1;

struct ManifestTensor {
  std::string name, role, layout, equation, sha256;
  bool given = false;                     // to who computes the case: an input, a weight, a setting, a state before
  std::map<std::string, Budget> budgets;  // by format

  /// Of a format; nothing where none was measured. Of formats that others were measured beside, it is no_budget.
  std::optional<Budget> budget(const std::string& format) const {
    if (const auto found = budgets.find(format); found != budgets.end()) return found->second;
    if (budgets.empty() || format == "f64") return std::nullopt;
    return Budget{no_budget, no_budget};
  }
};

struct ManifestCase {
  std::string path;  // of the manifest
  std::string name, kind, op, file, purpose, reproduce;
  std::vector<std::string> catches;  // flags (mistakes.hpp)
  std::vector<std::string> inputs;   // files beside the manifest that hold the inputs, where `file` does not: a model's weights, and tokens
  std::vector<ManifestTensor> tensors;

  /// A file of the case, whose name is relative to the manifest.
  std::string beside(const std::string& name_of_file) const { return (std::filesystem::path(path).parent_path() / name_of_file).string(); }
};

namespace manifest_detail {

inline ManifestCase parse_case(const std::string& path, const nlohmann::json& json) {
  ManifestCase result{path, json.at("name"), json.value("kind", ""), json.value("operator", ""), json.at("file"), json.value("purpose", ""),
                      json.value("reproduce", ""), {}, {}, {}};
  if (json.contains("catches")) json.at("catches").get_to(result.catches);
  if (json.contains("inputs")) json.at("inputs").get_to(result.inputs);
  for (const auto& tensor : json.at("tensors")) {
    ManifestTensor t{tensor.at("name"), tensor.value("role", ""), tensor.value("layout", ""), "", tensor.value("sha256", ""), false, {}};
    t.given = tensor.contains("made") || t.role == "input" || t.role == "weight";
    if (const auto equation = tensor.find("equation"); equation != tensor.end() && !equation->is_null()) equation->get_to(t.equation);
    if (tensor.contains("budgets"))
      for (const auto& [format, budget] : tensor.at("budgets").items())
        t.budgets[format] = {budget.at("local"), budget.at("end_to_end")};
    if (tensor.contains("error")) t.budgets["f64"] = float64_budget(tensor.at("error"));
    result.tensors.push_back(std::move(t));
  }
  return result;
}

}  // namespace manifest_detail

/// All cases of a manifest, in order; nothing if the file is no manifest of reference cases. Throws Error if it cannot be read, is
/// damaged, or is of another version of the numerics contract.
inline std::optional<std::vector<ManifestCase>> read_manifest(const std::string& path) {
  const MappedFile mapped(path);
  const auto json = parse_json({reinterpret_cast<const char*>(mapped.data()), mapped.size()}, path);
  if (!json.is_object() || !json.contains("numerics") || !json.contains("cases")) return std::nullopt;
  if (json.at("numerics") != numerics_version)
    fail(path, ": is of version ", shown(json.at("numerics")), " of the numerics contract, this program of version ", numerics_version);
  std::vector<ManifestCase> cases;
  try {
    for (const auto& one : json.at("cases")) cases.push_back(manifest_detail::parse_case(path, one));
  } catch (const nlohmann::json::exception&) {
    fail(path, ": is not a manifest of reference cases: a field is missing or of the wrong type");
  }
  return cases;
}

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
    std::optional<std::vector<ManifestCase>> cases;
    try {
      cases = read_manifest(path);
    } catch (const UnfitJson&) {  // of another kind: ours is shallow, and has no key twice
    }
    if (!cases) continue;
    for (ManifestCase& one : *cases)
      if ((folder / one.file).lexically_normal() == absolute) return std::move(one);
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
