// How wrong a trace is, tensor by tensor, and how wrong it may be.
//
//   error        of a tensor: its largest difference from what it should be, as a part of that one's root mean square, so that a
//                single wrong row shows as much as a wrong tensor
//   end to end   against the trace of the reference: with the errors of all steps before
//   local        against what the reference gives for the trace's own inputs of that step: the error of this step alone
//   budget       a factor times the largest error of right implementations, on the cases that are for fitting
#pragma once

#include <algorithm>

#include "naive/cases.hpp"

namespace naive {

enum class Format { f64, f32, bf16 };
inline constexpr Format formats[] = {Format::f64, Format::f32, Format::bf16};
inline const char* name_of(Format format) { return format == Format::f64 ? "f64" : format == Format::f32 ? "f32" : "bf16"; }
/// Half a unit in the last place of 1.
inline double unit_of(Format format) { return format == Format::f64 ? 0x1p-53 : format == Format::f32 ? 0x1p-24 : 0x1p-9; }

/// Errors of one tensor; infinite where it holds a NaN, or has another shape, or is not there.
struct Deviation {
  std::string name;
  double local, end_to_end;
  double peak;  // the reference's largest number as a part of its root mean square
};

inline double largest(const Array<double>& x) {
  double m = 0;
  for (const double number : x.x) m = std::max(m, std::abs(number));
  return m;
}
inline double root_mean_square(const Array<double>& x) {
  double squares = 0;
  for (const double number : x.x) squares += number * number;
  return std::sqrt(squares / static_cast<double>(x.x.size()));
}
inline double error_of(const Array<double>* actual, const Array<double>& expected) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (!actual || actual->rows != expected.rows || actual->cols != expected.cols) return infinite;
  double worst = 0;
  for (std::size_t i = 0; i < expected.x.size(); ++i) {
    const double difference = std::abs(actual->x[i] - expected.x[i]);
    if (!(difference <= std::numeric_limits<double>::max())) return infinite;
    worst = std::max(worst, difference);
  }
  return worst == 0 ? 0 : worst / root_mean_square(expected);
}

/// A model, and what it should give for a text.
struct Reference {
  Config config;
  Weights weights;
  std::vector<int> tokens;
  Trace trace;  // naive, double, one call

  Reference(Config of_model, Weights numbers, std::vector<int> text)
      : config(std::move(of_model)), weights(std::move(numbers)), tokens(std::move(text)) {
    trace = run<double>({}, {static_cast<int>(tokens.size())});
  }
  /// A family's model on one of its cases.
  Reference(const Family& family, const Case& c) : Reference(config_of(family), weights_of(family), tokens_of(family, c)) {}

  template <class S>
  Trace run(const Way& way, const std::vector<int>& calls, const Trace* follow = nullptr) const {
    Model<S> model(config, weights, way, follow);
    auto state = model.initial_state();
    auto at = tokens.begin();
    for (const int n : calls) {
      model.forward(std::vector<int>(at, at + n), state);
      at += n;
    }
    return model.trace();
  }
  Trace run(Format format, const Way& way, const std::vector<int>& calls) const {
    return format == Format::f64 ? run<double>(way, calls) : run<float>(way, calls);
  }

  /// What every step should have given for the inputs that the subject had.
  Trace steps_of(const Trace& subject) const { return run<double>({}, {static_cast<int>(tokens.size())}, &subject); }

  /// In the order of the computation.
  std::vector<Deviation> deviations(const Trace& subject) const {
    const Trace stepwise = steps_of(subject);
    std::vector<Deviation> out;
    for (const auto& [name, value] : trace.entries()) {
      const Array<double>* const actual = subject.find(name);
      out.push_back({name, error_of(actual, *stepwise.find(name)), error_of(actual, value), largest(value) / root_mean_square(value)});
    }
    return out;
  }
};

/// "blocks.3.att.k" becomes "blocks.*.att.k": what a step costs does not depend on which block it is in.
inline std::string any_block(const std::string& name) {
  if (name.rfind("blocks.", 0) != 0) return name;
  return "blocks.*" + name.substr(name.find('.', 7));
}

struct Budgets {
  std::map<std::string, double> local;       // by any_block(name)
  std::map<std::string, double> end_to_end;  // by name
};

/// Budgets of a format from the deviations of right implementations: `factor` times the largest of each tensor, and not below
/// what a single rounding of its largest number is, since a step may happen to be exact in all of them.
inline Budgets budgets_of(Format format, const std::vector<std::vector<Deviation>>& right, double factor) {
  Budgets budgets;
  const auto raise = [&](double& budget, double error, const Deviation& d) {
    budget = std::max({budget, factor * error, factor * unit_of(format) * d.peak});
  };
  for (const auto& deviations : right)
    for (const Deviation& d : deviations) {
      raise(budgets.local[any_block(d.name)], d.local, d);
      raise(budgets.end_to_end[d.name], d.end_to_end, d);
    }
  return budgets;
}

/// A tensor, and its error in budgets.
struct Finding {
  std::string name;
  double of_budget = 0;
};

/// The worst tensor of a trace, and the first that is over its budget (of_budget 0: none is), locally and end to end.
struct Verdict {
  Finding worst_local, worst_end_to_end, first_local, first_end_to_end;
};

inline Verdict judge(const std::vector<Deviation>& deviations, const Budgets& budgets) {
  Verdict verdict;
  const auto see = [](const std::string& name, double of_budget, Finding& worst, Finding& first) {
    if (of_budget > worst.of_budget) worst = {name, of_budget};
    if (of_budget > 1 && first.of_budget == 0) first = {name, of_budget};
  };
  for (const Deviation& d : deviations) {
    see(d.name, d.local / budgets.local.at(any_block(d.name)), verdict.worst_local, verdict.first_local);
    see(d.name, d.end_to_end / budgets.end_to_end.at(d.name), verdict.worst_end_to_end, verdict.first_end_to_end);
  }
  return verdict;
}

/// Right implementations in a format: each combines an order of sums with a form of the recurrence, tiles of the softmax and places
/// of bfloat16 roundings. Some are for fitting budgets, the others to try them on.
inline std::vector<Way> right_ways(Format format, bool for_fitting) {
  using enum Rounding;
  const bool bf16 = format == Format::bf16;
  const auto way = [&](Sum sum, Rounding rounding, int wkv_chunk, int key_tile, bool powers) {
    return Way{sum, bf16 ? rounding : none, wkv_chunk, key_tile, powers, Mutant::none};
  };
  if (for_fitting)
    return {way(Sum::sequential, operators, 0, 0, false), way(Sum::reversed, every_step, 0, 8, true), way(Sum::pairwise, autocast, 16, 0, false),
            way(Sum::blocks_of_16, operators, 5, 16, true)};
  return {way(Sum::reversed, operators, 16, 8, false), way(Sum::sequential, every_step, 7, 0, true), way(Sum::blocks_of_16, autocast, 0, 5, true),
          way(Sum::pairwise, every_step, 0, 16, false)};
}

}  // namespace naive
