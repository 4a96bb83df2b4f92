// Writes the manifest of the reference cases (reference_outputs/manifest.schema.json; manifest.hpp reads it): the known mistakes, for every
// case what it is for and how to make it again, for every tensor what it is, the SHA-256 of its bytes, and how far off a right
// implementation may be.
#pragma once

#include <nlohmann/json.hpp>

#include "goldfinch/core/sha256.hpp"
#include "goldfinch/validate/budgets.hpp"
#include "goldfinch/validate/case.hpp"
#include "goldfinch/validate/manifest.hpp"
#include "goldfinch/validate/mistakes.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

using Json = nlohmann::ordered_json;

inline std::string tensor_sha256(const Tensor& tensor) {
  return sha256({reinterpret_cast<const char*>(tensor.data),
      static_cast<std::size_t>(element_count(tensor.shape)) * static_cast<std::size_t>(size_of(tensor.dtype))});
}

inline std::string result_sha256(const ResultTensor& tensor) {
  const auto numbers = stored_numbers(tensor);
  return sha256({reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(double)});
}

inline Json recipe_json(const Case& c, const CaseInput& in) {
  constexpr const char* kinds[] = {"normal", "integers", "choice", "list"};
  Json json = {{"rule", kinds[static_cast<int>(in.recipe.kind)]}, {"seed", case_seed}, {"stream", c.name + "/" + in.spec->name}};
  const auto& d = in.recipe.distribution;
  if (in.recipe.kind == Recipe::Kind::normal) json["mean"] = d.mean, json["scale"] = d.scale, json["divisor"] = d.divisor;
  if (in.recipe.kind == Recipe::Kind::integers) json["below"] = in.recipe.below;
  if (!in.recipe.values.empty()) json["values"] = in.recipe.values;
  return json;
}

/// What every tensor has. `equation` is null for what is given.
inline Json tensor_json(const std::string& name, const char* role, const Shape& shape, const char* dtype, const std::string& layout,
    const std::string& equation, const std::string& sha) {
  return {{"name", name}, {"role", role}, {"shape", shape}, {"dtype", dtype}, {"layout", layout},
      {"equation", equation.empty() ? Json() : Json(equation)}, {"sha256", sha}};
}

/// A computed tensor, with what was measured of it.
inline Json result_json(const ResultTensor& tensor, const TensorSpec& spec, const Measured& measured) {
  Json json = tensor_json(tensor.name, name_of(tensor.role), tensor.shape, "F64", spec.shape + ", " + spec.what, spec.equation,
      result_sha256(tensor));
  json["rms"] = measured.rms;
  json["error"] = measured.error;
  Json budgets = Json::object();
  for (const auto& format : budget_formats) {
    const Budget& budget = measured.budgets.at(format.name);
    if (means_something(budget)) budgets[format.name] = {{"local", budget.local}, {"end_to_end", budget.end_to_end}};
  }
  json["budgets"] = budgets;
  return json;
}

/// The manifest's text: a line a mistake and a tensor, so that differences show.
inline std::string manifest_text(const std::vector<Json>& cases) {
  std::string text = "{\"numerics\": " + std::to_string(numerics_version) + ", \"mistakes\": {";
  for (const Mistake& mistake : mistakes) {
    const Json json = {{"words", mistake.words}, {"looks", mistake.looks}, {"begins", labels_in(mistake.begins)}};
    text += (&mistake == mistakes ? "\n\"" : ",\n\"") + std::string(mistake.flag) + "\": " + json.dump();
  }
  text += "\n}, \"cases\": [";
  for (std::size_t i = 0; i < cases.size(); ++i) {
    Json head = cases[i];
    head.erase("tensors");
    std::string line = head.dump();
    line.back() = ',';
    text += (i > 0 ? ",\n" : "\n") + line + "\"tensors\": [";
    const auto& tensors = cases[i].at("tensors");
    for (std::size_t t = 0; t < tensors.size(); ++t) text += (t > 0 ? ",\n " : "\n ") + tensors[t].dump();
    text += "]}";
  }
  return text + "\n]}\n";
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
