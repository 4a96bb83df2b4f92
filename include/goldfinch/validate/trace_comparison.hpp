// A whole trace against the reference: every tensor found under its name or a map's, compared, and put in the order of the computation,
// so that the first that fails is where the other backend first goes wrong. (local_comparison.hpp tells causes from consequences.)
//
// The order is the manifest's; without one, that of the expected data; of a folder, which has no order, that of known_tensors.hpp.
// What a manifest says is given need not be given back; whatever else is missing is UNTESTED, which counts as a failure.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "goldfinch/validate/compare.hpp"
#include "goldfinch/validate/known_tensors.hpp"
#include "goldfinch/validate/logits_agreement.hpp"
#include "goldfinch/validate/manifest.hpp"
#include "goldfinch/validate/mistakes.hpp"
#include "goldfinch/validate/name_map.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// A tensor of the reference and what became of it.
struct TensorResult {
  std::string name, their_name;        // theirs is "" where it is missing
  std::string role, equation, words;   // from the manifest or the table; "" where unknown
  std::vector<std::string> mistakes;   // flags of known mistakes that begin here
  std::size_t caught = 0;              // so many of them, the first, the case is there to catch
  Comparison comparison;
  std::optional<LogitsAgreement> logits;
  std::optional<Array> expected, got;  // as they were compared
  std::optional<Array> whole;          // got, with all its rows

  double local_budget = 0;
  std::optional<Comparison> local;  // of this step alone (local_comparison.hpp)
  std::optional<Array> replayed;    // what the step should have given

  bool failed() const { return comparison.status == Status::failed || comparison.status == Status::untested || failed_locally(); }
  bool failed_locally() const { return local && local->status == Status::failed; }
};

struct TraceComparison {
  std::string expected, got;  // paths
  ComparisonFormat format = DType::f32;
  std::optional<ManifestCase> manifest;
  std::vector<TensorResult> tensors;  // in the order of the computation
  std::vector<std::string> extra;     // theirs that nothing was compared with
  bool with_local = false;

  /// The first that fails, or null.
  const TensorResult* first_failure() const {
    const auto found = std::find_if(tensors.begin(), tensors.end(), [](const TensorResult& t) { return t.failed(); });
    return found == tensors.end() ? nullptr : &*found;
  }
  /// The first that is wrong by itself, or null.
  const TensorResult* first_cause() const {
    const auto found = std::find_if(tensors.begin(), tensors.end(), [](const TensorResult& t) { return t.failed_locally(); });
    return found == tensors.end() ? nullptr : &*found;
  }
  /// Leaves these tensors alone in it, and what is extra. Throws Error if one was not compared.
  void keep_only(const std::vector<std::string>& names) {
    for (const std::string& name : names)
      if (std::none_of(tensors.begin(), tensors.end(), [&](const TensorResult& t) { return t.name == name; }))
        fail(expected, ": has no tensor ", in_quotes(name), " that could be compared");
    std::erase_if(tensors, [&](const TensorResult& t) { return std::find(names.begin(), names.end(), t.name) == names.end(); });
  }
  Index count(Status status) const {
    return std::count_if(tensors.begin(), tensors.end(), [&](const TensorResult& t) { return t.comparison.status == status; });
  }
  Index count_local(Status status) const {
    return std::count_if(tensors.begin(), tensors.end(), [&](const TensorResult& t) { return t.local && t.local->status == status; });
  }
};

namespace trace_detail {

/// "blocks.3.att.k" is tensor "att.k" of block 3; block -1 outside of blocks.
struct Place {
  Index block = -1;
  std::string_view rest;

  explicit Place(std::string_view name) : rest(name) {
    if (!name.starts_with("blocks.")) return;
    const std::size_t dot = name.find('.', 7);
    const std::string number(name.substr(7, dot == std::string_view::npos ? 0 : dot - 7));
    if (number.empty() || number.size() > 6 || number.find_first_not_of("0123456789") != std::string::npos) return;
    block = std::stol(number);
    rest = name.substr(dot + 1);
  }
};

/// What kind of time mix a block has, by the tensors that only this kind has.
inline LayerKind kind_of_block(const std::set<std::string>& names, Index block) {
  const auto has = [&](const char* name) { return names.count("blocks." + std::to_string(block) + "." + name) > 0; };
  if (has("att.xq") || has("att.mk")) return LayerKind::gold;
  if (has("att.xg") || has("att.g")) return LayerKind::finch;
  if (has("att.xv2") || has("att.wkv") || has("att.w")) return LayerKind::finch_c2;
  if (has("att.xr")) return LayerKind::gptalpha;
  return has("att.q") ? LayerKind::llama : LayerKind::any;
}

/// The table's line for a tensor, or null.
inline const KnownTensor* known_tensor(const std::string& name, const std::set<std::string>& names) {
  const Place place(name);
  LayerKind kind = place.block < 0 ? LayerKind::any : kind_of_block(names, place.block);
  if (place.rest.starts_with("ffn."))  // SwiGLU has no receptance, whatever the time mix
    kind = names.count("blocks." + std::to_string(place.block) + ".ffn.r") ? LayerKind::any : LayerKind::llama;
  const KnownTensor* any = nullptr;
  for (const KnownTensor& tensor : known_tensors) {
    if (tensor.name != place.rest) continue;
    if (tensor.kind == kind) return &tensor;
    if (tensor.kind == LayerKind::any) any = &tensor;
  }
  return any;
}

/// Sorts a folder's names into the order of the table: before the blocks, block by block, after them. TokenCat's tensors are made on
/// the way into the first GOLD block.
inline void sort_by_computation(std::vector<std::string>& names) {
  const std::set<std::string> all(names.begin(), names.end());
  Index gold = 0;
  for (const auto& name : names)
    if (const Place place(name); place.rest == "att.xq" && (gold == 0 || place.block < gold)) gold = place.block;
  std::map<std::string, std::pair<Index, std::ptrdiff_t>> keys;
  for (const auto& name : names) {
    const Place place(name);
    const KnownTensor* const known = known_tensor(name, all);
    const Index block = place.block >= 0 ? place.block : name == "embed" ? -1 : place.rest.starts_with("tokencat.") ? gold : 1'000'000;
    keys[name] = {block, place.rest.starts_with("tokencat.") ? -1 : known ? known - std::begin(known_tensors) : 1'000'000};
  }
  std::stable_sort(names.begin(), names.end(), [&](const auto& a, const auto& b) { return keys[a] < keys[b]; });
}

inline std::string listed_names(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 12); ++i) text += (i ? ", " : "") + names[i];
  return text + (names.size() > 12 ? ", …" : "");
}

/// What the manifest and the tables know of a tensor. Of the mistakes that can begin there, those come first that the case is there to
/// catch, then those that begin at few tensors: they say most.
inline void describe(TensorResult& result, const ManifestTensor* tensor, const TraceComparison& all, const std::set<std::string>& names) {
  // Of a single operator or layer, `out` is not the stream after a block: there the case alone knows.
  const bool in_model = !all.manifest || all.manifest->kind == "model";
  const KnownTensor* const known = in_model ? known_tensor(result.name, names) : nullptr;
  if (known) result.words = known->words, result.equation = known->equation;
  std::vector<std::string> caught;
  if (all.manifest) caught = all.manifest->catches;
  if (tensor) {
    result.role = tensor->role;
    if (result.equation.empty()) result.equation = tensor->equation;
    else if (!tensor->equation.empty() && result.equation.find(tensor->equation) == std::string::npos)
      result.equation = tensor->equation + ", " + result.equation;
    if (result.words.empty()) result.words = tensor->role + " " + tensor->layout;
  }
  const auto catches = [&](std::string_view flag) { return std::find(caught.begin(), caught.end(), flag) != caught.end(); };
  for (const Mistake& mistake : mistakes)
    if (begins_at(mistake, result.equation)) result.mistakes.emplace_back(mistake.flag);
  const auto rank = [&](const std::string& flag) { return std::pair(!catches(flag), labels_in(find_mistake(flag)->begins).size()); };
  std::stable_sort(result.mistakes.begin(), result.mistakes.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  result.caught = static_cast<std::size_t>(std::count_if(result.mistakes.begin(), result.mistakes.end(), catches));
}

}  // namespace trace_detail

/// Compares what the reference holds with what they hold; with `first_rows`, only the rows that the reference has of a tensor that has
/// more of them, as golden models' traces are always compared; where `only` names tensors, no others. Throws Error where the
/// reference is not what its manifest says, has no tensor of such a name, or one of theirs cannot be read.
inline TraceComparison compare_traces(const ArraySet& expected, const ArraySet& got, const NameMap& map, const ComparisonFormat& format,
                                      bool first_rows = false, const std::vector<std::string>& only = {}) {
  using namespace trace_detail;
  TraceComparison all{expected.path, got.path, format, find_manifest_case(expected.path), {}, {}};
  std::vector<std::string> order;
  for (const auto& [name, array] : expected.arrays) order.push_back(name);
  const std::set<std::string> names(order.begin(), order.end());
  if (expected.folder) sort_by_computation(order);
  std::map<std::string, const ManifestTensor*> described;
  if (all.manifest) {
    std::vector<std::string> listed;
    for (const ManifestTensor& tensor : all.manifest->tensors) {
      if (!names.count(tensor.name) && all.manifest->kind == "model") continue;  // a golden trace holds what another implementation has
      if (!names.count(tensor.name)) fail(expected.path, ": has no tensor ", in_quotes(tensor.name), ", which ", all.manifest->path, " lists");
      if (!described.emplace(tensor.name, &tensor).second) fail(all.manifest->path, ": lists tensor ", in_quotes(tensor.name), " twice");
      listed.push_back(tensor.name);
    }
    std::copy_if(order.begin(), order.end(), std::back_inserter(listed), [&](const std::string& name) { return !described.count(name); });
    order = std::move(listed);
  }

  for (const std::string& name : only)
    if (!names.count(name)) fail(expected.path, ": has no tensor ", in_quotes(name), " (it has ", listed_names(order), ")");
  if (!only.empty()) std::erase_if(order, [&](const std::string& name) { return std::find(only.begin(), only.end(), name) == only.end(); });

  if (all.manifest && all.manifest->kind == "model") first_rows = true;  // a golden trace keeps the first rows
  std::set<std::string> used;
  const auto compare_one = [&](const std::string& name) {
    const ManifestTensor* const tensor = described.count(name) ? described.at(name) : nullptr;
    TensorResult result;
    result.name = name, result.expected = *expected.find(name);
    Comparison& c = result.comparison;
    c.budget = result.local_budget = format.budget, c.expected_shape = result.expected->shape;
    if (tensor)
      if (const auto budget = tensor->budget(format.name))
        c.budget = budget->end_to_end, result.local_budget = budget->local;
    describe(result, tensor, all, names);
    try {
      // Two single files are compared whatever they are called.
      const auto found = expected.single && got.single ? NameMap::Found{got.arrays[0].first, got.arrays[0].second}
                                                       : map.find(got, name, c.expected_shape);
      if (!found && tensor && tensor->given) return;
      if (found) {
        result.their_name = found->name, result.got = result.whole = found->array;
        result.expected->function = found->ours_as;
        if (first_rows) result.got->keep_first_rows(c.expected_shape);
        c = compare(*result.expected, *result.got, c.budget, format.numbers);
      } else {
        c.reason = "missing";
      }
    } catch (const Unreadable&) {
      throw;
    } catch (const Error& error) {
      c.status = Status::failed, c.reason = error.what();
    }
    if (!result.their_name.empty()) used.insert(result.their_name);
    const bool logits = name == "logits" || name.ends_with(".logits");
    if (logits && result.got && c.expected_shape == c.got_shape && c.count > 0 && !c.expected_shape.empty()) result.logits = logits_agreement(*result.expected, *result.got);
    all.tensors.push_back(std::move(result));
  };
  with_workers([&] { std::for_each(order.begin(), order.end(), compare_one); });  // threads are not started anew for every tensor
  if (all.tensors.empty()) fail(got.path, ": holds nothing of ", expected.path, " but inputs and weights at most: there is nothing to compare");
  for (const auto& [name, array] : got.arrays)
    if (!used.count(name) && (only.empty() || !names.count(name))) all.extra.push_back(name);
  for (const auto& [name, reason] : got.unreadable) all.extra.push_back(name);
  return all;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
