// Where an error comes from: every step is computed once more, in double, on the other backend's own inputs to it.
//
//   end to end   what they have against the reference: with the errors of all steps before
//   local        what they have against what the step gives for what they had: the error of this step alone
//
// The first tensor that fails locally is a cause; one that fails only end to end is wrong in consequence. A step leads from the tensors
// of a trace to the next one. What they do not have, or have in another shape, or as another function (a decay for w), is computed
// on from what comes before it. Inputs and states that they give back are taken as theirs, weights are the case's; a given tensor that is
// wrong is a cause itself. Not seen apart: GOLD looks up the embeddings of the context itself, so what it makes of them is wrong where
// `embed` is; and a step of several sequences in one call has no local verdict on tensors of whole contexts. A golden trace keeps the
// first rows of most tensors: those lead the first rows of the computation, which nothing later enters, and a state after the last row
// has no local verdict.
#pragma once

#include <functional>

#include "goldfinch/validate/operator_run.hpp"
#include "goldfinch/validate/trace_comparison.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The kit in double, whoever has instantiated it (run_operator).
using RunOperator = std::function<Results(const std::string& op, const Checkpoint& in, const Results* lead)>;

namespace local_detail {

inline std::vector<double> numbers_of(const Array& array) {
  std::vector<double> numbers(static_cast<std::size_t>(array.count()));
  array.read(0, array.count(), numbers.data());
  return numbers;
}

/// Their inputs and states before in place of the case's, where they can be computed with.
inline void take_inputs(const TraceComparison& all, const OperatorInfo& info, Checkpoint& in) {
  for (const TensorResult& t : all.tensors) {
    const TensorSpec* const spec = info.find(t.name);
    const auto own = in.tensors.find(t.name);
    if (!spec || !spec->given() || spec->exact || spec->role == TensorRole::weight || !t.whole || own == in.tensors.end()) continue;
    auto numbers = numbers_of(*t.whole);
    const bool finite = std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); });
    if (t.whole->shape != own->second.shape || t.expected->function != Elementwise::none || !finite) continue;
    in.put(t.name, t.whole->shape, std::move(numbers));
  }
}

/// Whether theirs are the first rows of what has this shape, as many as the reference keeps.
inline bool first_rows_only(const TensorResult& t, const Shape& all_rows) {
  const Shape& shape = t.whole->shape;
  return shape == t.expected->shape && !shape.empty() && shape.size() == all_rows.size() && shape[0] < all_rows[0] &&
         std::equal(shape.begin() + 1, shape.end(), all_rows.begin() + 1);
}

/// Their intermediates, which every step goes on with. A model's are [T, columns], or the first rows of it where the reference keeps those.
inline Results lead_of(const TraceComparison& all, const OperatorInfo& info, const Checkpoint& in) {
  Results lead;
  for (const TensorResult& t : all.tensors) {
    const TensorSpec* const spec = info.find(t.name);
    if (!t.whole || (spec && spec->given()) || t.expected->function != Elementwise::none) continue;
    Shape wanted = t.expected->shape;
    if (info.any_weights && wanted.size() != 2) continue;  // a state, with which nothing goes on
    if (info.any_weights) wanted[0] = in.tensors.at("tokens").shape[0];
    if (t.whole->shape != wanted && !(info.any_weights && first_rows_only(t, wanted))) continue;
    const auto numbers = numbers_of(*t.whole);
    lead.push_back({t.name, spec ? spec->role : TensorRole::intermediate, t.whole->shape, {numbers.begin(), numbers.end()}});
  }
  return lead;
}

}  // namespace local_detail

/// Adds the local verdicts to a comparison. `in`: what the operator, layer or model of `info` takes. Throws Error if it does not fit.
inline void compare_locally(TraceComparison& all, const OperatorInfo& info, Checkpoint in, const RunOperator& run) {
  using namespace local_detail;
  (void)Letters(info, in);  // what is missing or misshapen is said here
  take_inputs(all, info, in);
  const Results lead = lead_of(all, info, in);
  const Results steps = run(info.name, in, &lead);
  const auto cut = [&](const ResultTensor& led) { return led.shape[0] < in.tensors.at("tokens").shape[0]; };
  const bool few_rows = info.any_weights && std::any_of(lead.begin(), lead.end(), cut);
  all.with_local = true;
  for (TensorResult& t : all.tensors) {
    const TensorSpec* const spec = info.find(t.name);
    const ResultTensor* const step = find(steps, t.name);
    if (spec && spec->given()) t.local = t.comparison, t.replayed = t.expected;
    if (!step || (few_rows && step->role == TensorRole::state)) continue;
    const auto numbers = std::make_shared<const std::vector<double>>(stored_numbers(*step));
    t.replayed = Array(NumberType::f64, step->shape, reinterpret_cast<const std::byte*>(numbers->data()), numbers);
    if (t.whole && info.any_weights && first_rows_only(t, step->shape)) t.replayed->keep_first_rows(t.whole->shape);
    t.replayed->function = t.expected->function;
    if (t.whole) t.local = compare(*t.replayed, *t.whole, t.local_budget, all.format.numbers);
  }
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
