// Makes the reference cases: computes every case in float64, measures what others may be off by, and writes the cases' files and the
// manifest. The same bytes from every build on x86-64 (tests/exact/reference_builds.sh).
#pragma once

#include <filesystem>

#include "goldfinch/validate/cases.hpp"
#include "goldfinch/validate/golden_models.hpp"
#include "goldfinch/validate/manifest_writer.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {
namespace reference {

/// A case of the manifest, complete but for its budgets.
struct Computed {
  OperatorInfo info;
  Checkpoint in;
  Results results;  // in float64
};

inline const OperatorInfo& info_of(const std::vector<OperatorInfo>& infos, const std::string& op) {
  for (const OperatorInfo& info : infos)
    if (info.name == op) return info;
  fail("there is no operator ", in_quotes(op));
}

inline Computed compute(const Case& c, const std::vector<OperatorInfo>& infos, const MeasuringKit& kit) {
  const OperatorInfo& info = info_of(infos, c.op);
  Checkpoint in = make_inputs(c, info);
  Results results = kit.f64(c.op, in, nullptr);
  return {info, std::move(in), std::move(results)};
}

/// Inputs first, then what is computed, in one file, whose folder is made.
inline void write_case(const std::string& path, const Case& c, const Computed& computed) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& input : inputs_of(c, computed.info))
    tensors.push_back({input.spec->name, computed.in.tensors.at(input.spec->name)});
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_results(path, std::move(tensors), computed.results, {{"goldfinch.operator", c.op}, {"goldfinch.case", c.name}});
}

/// The manifest's entry of a case; measuring takes most of the time.
inline Json case_json(const Case& c, const Computed& computed, const MeasuringKit& kit) {
  const auto& [info, in, results] = computed;
  Json json = {{"name", c.name}, {"kind", info.kind}, {"operator", c.op}, {"file", c.file(info.kind)},
               {"purpose", c.purpose}, {"catches", c.catches}, {"reproduce", "goldfinch reference write DIR --case " + c.name}};
  if (c.on_demand) json["on_demand"] = true;
  Json tensors = Json::array();
  for (const auto& input : inputs_of(c, info)) {
    const auto& tensor = in.tensors.at(input.spec->name);
    Json entry = tensor_json(input.spec->name, name_of(input.spec->role), tensor.shape, safetensors_name(tensor.dtype),
                             input.spec->shape + ", " + input.spec->what, "", tensor_sha256(tensor));
    entry["made"] = recipe_json(c, input);
    tensors.push_back(entry);
  }
  const auto measured = measure(kit, info, in, results);
  for (const auto& result : results)
    tensors.push_back(result_json(result, *info.find(result.name), measured.at(result.name)));
  json["tensors"] = tensors;
  return json;
}

/// The manifest's entry of a golden model.
inline Json model_json(const GoldenModel& model, const std::vector<OperatorInfo>& infos, const MeasuringKit& kit) {
  const OperatorInfo& info = info_of(infos, "model");
  const Results results = kit.f64("model", model.inputs, nullptr);
  Json json = {{"name", "model." + model.name}, {"kind", "model"}, {"operator", "model"},
               {"file", "models/" + model.name + ".trace.safetensors"}, {"purpose", model.purpose},
               {"catches", mistakes_caught_by(model.config)}, {"reproduce", model.reproduce()},
               {"inputs", {"models/" + model.name + ".safetensors", "models/" + model.name + ".json"}}};
  const auto measured = measure(kit, info, model.inputs, results);
  Json tensors = Json::array();
  for (const auto& result : results)
    tensors.push_back(result_json(result, describe_trace(result, model.config, infos), measured.at(result.name)));
  json["tensors"] = tensors;
  return json;
}

}  // namespace reference

/// Writes all cases and manifest.json under `folder`, or the file of the one case named `only` and no manifest. Golden models are measured
/// where folder/models has them. `infos` and `kit` are the kit (operators.hpp), whoever has instantiated it; `progress` hears how many of how
/// many cases are done. Throws Error if there is no case of that name, or something cannot be written.
inline void write_reference(const std::string& folder, const std::string& only, const std::vector<OperatorInfo>& infos,
                            const MeasuringKit& kit, const std::function<void(double done, double total)>& progress = {}) {
  namespace fs = std::filesystem;
  arithmetic::require();
  const auto cases = reference_cases();
  const auto path = [&](const Case& c, const OperatorInfo& info) { return (fs::path(folder) / c.file(info.kind)).string(); };
  if (!only.empty()) {
    const auto found = std::find_if(cases.begin(), cases.end(), [&](const Case& c) { return c.name == only; });
    if (found == cases.end()) fail("there is no case ", in_quotes(only), " to write");
    const auto computed = reference::compute(*found, infos, kit);
    return reference::write_case(path(*found, computed.info), *found, computed);
  }
  const auto models = golden_models((fs::path(folder) / "models").string());
  std::vector<Json> all;
  const auto step = [&](Json entry) {
    all.push_back(std::move(entry));
    if (progress) progress(static_cast<double>(all.size()), static_cast<double>(cases.size() + models.size()));
  };
  for (const Case& c : cases) {
    const auto computed = reference::compute(c, infos, kit);
    if (!c.on_demand) reference::write_case(path(c, computed.info), c, computed);
    step(reference::case_json(c, computed, kit));
  }
  for (const auto& model : models) step(reference::model_json(model, infos, kit));
  write_file((fs::path(folder) / "manifest.json").string(), manifest_text(all));
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
