// A comparison as JSON, for programs. Numbers that JSON has not (infinite, NaN) are null; what could not be compared has no figures.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "goldfinch/validate/trace_comparison.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace comparison_json {

inline nlohmann::ordered_json to_json(const Nonfinite& side) {
  return {{"nan", side.nan}, {"infinite", side.infinite}, {"first", side.first < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(side.first)}};
}

/// Elements by their number in row-major order, and by their indices.
inline nlohmann::ordered_json place(const Shape& shape, Index element) {
  if (element < 0) return {};
  Shape at(shape.size());
  for (std::size_t i = shape.size(); i-- > 0; element /= shape[i]) at[i] = element % shape[i];
  return at;
}

inline nlohmann::ordered_json to_json(const TensorResult& t) {
  const Comparison& c = t.comparison;
  nlohmann::ordered_json json = {{"name", t.name}, {"status", name_of(c.status)}, {"reason", c.reason}, {"shape", c.expected_shape}, {"budget", c.budget}};
  if (!t.role.empty()) json["role"] = t.role;
  if (!t.equation.empty()) json["equation"] = t.equation;
  if (!t.words.empty()) json["what"] = t.words;
  if (!t.their_name.empty()) json["got_name"] = t.their_name;
  if (!t.mistakes.empty()) json["known_mistakes"] = t.mistakes;
  if (!t.got) return json;
  json["got_shape"] = t.got->shape;
  if (c.expected_shape != c.got_shape) return json;
  json["relative_rms"] = c.relative_rms, json["worst"] = c.worst, json["worst_at"] = place(c.expected_shape, c.worst_at);
  json["max_abs"] = c.max_abs, json["max_abs_at"] = place(c.expected_shape, c.max_abs_at);
  json["max_rel"] = c.max_rel, json["max_rel_at"] = place(c.expected_shape, c.max_rel_at);
  json["nmse"] = c.nmse, json["cosine"] = c.cosine, json["scale"] = c.scale, json["expected_rms"] = c.rms;
  json["ulps"] = nlohmann::ordered_json::array();
  for (std::size_t k = 0; k < c.ulps.size(); ++k)
    if (c.ulps[k] > 0) json["ulps"].push_back({{"from", k == 0 ? 0.0 : std::ldexp(1.0, static_cast<int>(k) - 1)}, {"to", std::ldexp(1.0, static_cast<int>(k)) - 1}, {"count", c.ulps[k]}});
  json["elements"] = c.count;
  json["expected_nonfinite"] = to_json(c.expected_nonfinite), json["got_nonfinite"] = to_json(c.got_nonfinite);
  json["unequal_nonfinite"] = c.unequal_nonfinite;
  json["expected_zeros"] = c.expected_zeros, json["got_zeros"] = c.got_zeros, json["constant"] = c.constant;
  json["along_rows"] = c.along;
  if (t.logits) {
    json["logits"] = {{"rows", t.logits->rows}, {"kl_mean", t.logits->kl_mean}, {"kl_max", t.logits->kl_max}, {"kl_max_at", t.logits->kl_max_at}};
    for (std::size_t i = 0; i < t.logits->k.size(); ++i) json["logits"]["top" + std::to_string(t.logits->k[i])] = t.logits->top[i];
  }
  return json;
}

}  // namespace comparison_json

/// All of it, in the order of the computation. Ends with a newline.
inline std::string to_json_text(const TraceComparison& all) {
  const TensorResult* const first = all.first_failure();
  nlohmann::ordered_json json = {{"expected", all.expected}, {"got", all.got}, {"format", name_of(all.format)}, {"passed", first == nullptr}};
  json["first_failure"] = first ? nlohmann::ordered_json(first->name) : nlohmann::ordered_json();
  if (all.manifest) json["case"] = {{"name", all.manifest->name}, {"purpose", all.manifest->purpose}, {"catches", all.manifest->catches}, {"reproduce", all.manifest->reproduce}};
  for (const Status status : {Status::passed, Status::failed, Status::mistrusted, Status::untested}) json["counts"][name_of(status)] = all.count(status);
  json["extra"] = all.extra;
  json["tensors"] = nlohmann::ordered_json::array();
  for (const TensorResult& t : all.tensors) json["tensors"].push_back(comparison_json::to_json(t));
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
