// A comparison as JSON, for programs. Numbers that JSON has not (infinite, NaN) are null; what could not be compared has no figures.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "goldfinch/validate/trace_comparison.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace comparison_json {

inline nlohmann::ordered_json to_json(const Nonfinite& side) {
  nlohmann::ordered_json json = {{"nan", side.nan}, {"infinite", side.infinite}, {"first", nullptr}};
  if (side.first >= 0) json["first"] = side.first;
  return json;
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
  nlohmann::ordered_json json = {{"name", t.name}, {"status", name_of(c.status)}, {"reason", c.reason}};
  json["shape"] = c.expected_shape, json["budget"] = c.budget;
  if (!t.role.empty()) json["role"] = t.role;
  if (!t.equation.empty()) json["equation"] = t.equation;
  if (!t.words.empty()) json["what"] = t.words;
  if (!t.their_name.empty()) json["got_name"] = t.their_name;
  if (!t.mistakes.empty()) json["known_mistakes"] = t.mistakes;
  if (t.local)
    json["local"] = {{"status", name_of(t.local->status)}, {"reason", t.local->reason}, {"budget", t.local->budget},
                     {"relative_rms", t.local->relative_rms}, {"worst", t.local->worst}, {"max_abs", t.local->max_abs},
                     {"max_abs_at", place(t.local->expected_shape, t.local->max_abs_at)}};
  if (!t.got) return json;
  json["got_shape"] = t.got->shape;
  if (c.expected_shape != c.got_shape) return json;
  json["relative_rms"] = c.relative_rms, json["worst"] = c.worst, json["worst_at"] = place(c.expected_shape, c.worst_at);
  json["max_abs"] = c.max_abs, json["max_abs_at"] = place(c.expected_shape, c.max_abs_at);
  json["max_rel"] = c.max_rel, json["max_rel_at"] = place(c.expected_shape, c.max_rel_at);
  json["nmse"] = c.nmse, json["cosine"] = c.cosine, json["scale"] = c.scale, json["expected_rms"] = c.rms;
  json["ulps"] = nlohmann::ordered_json::array();
  for (int k = 0; k < static_cast<int>(c.ulps.size()); ++k)
    if (const Index count = c.ulps[static_cast<std::size_t>(k)]; count > 0)
      json["ulps"].push_back({{"from", k == 0 ? 0.0 : std::ldexp(1.0, k - 1)}, {"to", std::ldexp(1.0, k) - 1}, {"count", count}});
  json["elements"] = c.count;
  json["expected_nonfinite"] = to_json(c.expected_nonfinite), json["got_nonfinite"] = to_json(c.got_nonfinite);
  json["unequal_nonfinite"] = c.unequal_nonfinite;
  json["expected_zeros"] = c.expected_zeros, json["got_zeros"] = c.got_zeros, json["constant"] = c.constant;
  json["along_rows"] = c.along;
  if (t.logits) {
    const LogitsAgreement& l = *t.logits;
    json["logits"] = {{"rows", l.rows}, {"kl_mean", l.kl_mean}, {"kl_max", l.kl_max}, {"kl_max_at", l.kl_max_at}};
    for (std::size_t i = 0; i < l.k.size(); ++i) json["logits"]["top" + std::to_string(l.k[i])] = l.top[i];
  }
  return json;
}

}  // namespace comparison_json

/// All of it, in the order of the computation. Ends with a newline.
inline std::string to_json_text(const TraceComparison& all) {
  const TensorResult* const first = all.first_failure();
  nlohmann::ordered_json json = {{"expected", all.expected}, {"got", all.got}, {"format", all.format.name}};
  json["passed"] = first == nullptr, json["first_failure"] = nullptr;
  if (first) json["first_failure"] = first->name;
  if (all.with_local) json["cause"] = nullptr;
  if (const TensorResult* const cause = all.first_cause()) json["cause"] = cause->name;
  if (const auto& m = all.manifest)
    json["case"] = {{"name", m->name}, {"purpose", m->purpose}, {"catches", m->catches}, {"reproduce", m->reproduce}};
  for (const Status status : all_statuses) json["counts"][name_of(status)] = all.count(status);
  json["extra"] = all.extra;
  json["tensors"] = nlohmann::ordered_json::array();
  for (const TensorResult& t : all.tensors) json["tensors"].push_back(comparison_json::to_json(t));
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
