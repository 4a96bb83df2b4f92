// How far off a right implementation may be, measured instead of guessed: an operator, layer or model is run in emulated formats
// (emulated.hpp), each time with its roundings placed otherwise, and the largest relative rms error of a tensor, four times over, is
// its budget. Four, because sums in another order err by up to some four times what ours do; a mistake errs by more.
//
//   local        led by the float64 reference: every operator is fed the reference's own inputs, so the error is its own
//   end to end   from the case's inputs on: rounded to the format, and twice more with every input and weight moved at random by up to
//                half a unit in its last place, as numbers are that some other program has rounded before. What is never rounded to the
//                format (a decay or a state that is given) is rounded to float32, in which kernels form it, and moved by half a unit of that
//
// Each also with elementary functions that are off by up to a unit in the last place, as those of GPUs are, where ours are right to half of
// one.
//
// Sums are of float32, as matrix units have them; bf16_own and fp16_own are for sums in the format itself. And float64's own error, from
// a run in long double. Whatever the runs say, half a unit in the last place is free, so that a result may be rounded to the format;
// but what only copies (token shift) must give the same numbers.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>

#include "goldfinch/core/random.hpp"
#include "goldfinch/validate/budget.hpp"
#include "goldfinch/validate/emulated.hpp"
#include "goldfinch/validate/operator_run.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The kit in the scalars that measuring needs, whoever has instantiated them.
struct MeasuringKit {
  using Run = std::function<Results(const std::string& op, const Checkpoint& in, const Results* lead)>;
  Run f64, f80, emulated;
};

/// What budgets are made for.
struct BudgetFormat {
  const char* name;
  const char* format;
  Accumulation accumulation;
};
inline constexpr BudgetFormat budget_formats[] = {
    {"f32", "f32", Accumulation::f32},   {"tf32", "tf32", Accumulation::f32},    {"bf16", "bf16", Accumulation::f32},
        {"fp16", "fp16", Accumulation::f32},
    {"e4m3", "e4m3", Accumulation::f32}, {"e5m2", "e5m2", Accumulation::f32}, {"bf16_own", "bf16", Accumulation::own},
        {"fp16_own", "fp16", Accumulation::own},
};

/// Whether the format can hold the numbers: not if they overflow, or half of them is lost in one step.
inline bool means_something(const Budget& budget) { return budget.local < budget_factor / 2 && std::isfinite(budget.end_to_end); }

struct Measured {
  double rms = 0;    // of the float64 tensor
  double error = 0;  // of float64, relative rms, rounded up to two digits
  std::map<std::string, Budget> budgets;
};

inline long double root_mean_square(const std::vector<long double>& x) {
  long double sum = 0;
  for (const long double number : x) sum += number * number;
  return x.empty() ? 0 : std::sqrt(sum / static_cast<long double>(x.size()));
}

/// rms(actual - expected) / rms(expected). 0 if both are equal, infinity if there is nothing to be relative to, or a NaN.
inline double relative_error(const std::vector<long double>& actual, const std::vector<long double>& expected) {
  std::vector<long double> difference(expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) difference[i] = actual[i] - expected[i];
  const long double off = root_mean_square(difference);
  if (off == 0) return 0;
  const double relative = static_cast<double>(off / root_mean_square(expected));
  return std::isfinite(relative) ? relative : std::numeric_limits<double>::infinity();
}

/// The next number of two decimal digits that is not below x.
inline double two_digits_up(double x) {
  if (!(x > 0) || !std::isfinite(x)) return x;
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", x);  // "3.1e-17"
  const int digits = (text[0] - '0') * 10 + (text[2] - '0') + (std::strtod(text, nullptr) < x), exponent = std::atoi(text + 4) - 1;
  std::snprintf(text, sizeof text, "%de%d", digits, exponent);
  return std::strtod(text, nullptr);
}

/// Everything that is measured of a case, by tensor; `reference` is the float64 run.
inline std::map<std::string, Measured> measure(const MeasuringKit& kit, const OperatorInfo& info, const Checkpoint& in, const Results& reference) {
  std::map<std::string, Measured> measured;
  const Results wider = kit.f80(info.name, in, nullptr);
  for (const ResultTensor& tensor : reference) {
    Measured& m = measured[tensor.name];
    m.rms = static_cast<double>(root_mean_square(tensor.data));
    m.error = two_digits_up(relative_error(tensor.data, find(wider, tensor.name)->data));
  }
  for (const BudgetFormat& one : budget_formats) {
    const NumberFormat& format = number_format(one.format);
    const EmulatedFormat use(format, one.accumulation);
    // change(the tensor's own format) is a function of its name, a number and that one's index.
    const auto each_in_its_format = [&](auto&& change) {
      const NumberFormat& formed = one.accumulation == Accumulation::f32 ? number_format("f32") : format;
      return changed(info, changed(info, in, change(format), is_rounded), change(formed), std::not_fn(is_rounded));
    };
    const auto rounded = each_in_its_format([](const NumberFormat& own) {
      return [round = Rounding(own)](const std::string&, double x, Index) { return round(x); };
    });
    const auto take = [&](const Results& results, double Budget::*kind) {
      for (const ResultTensor& tensor : reference) {
        double& budget = measured[tensor.name].budgets[one.name].*kind;
        budget = std::max(budget, relative_error(find(results, tensor.name)->data, tensor.data));
      }
    };
    take(kit.emulated(info.name, rounded, &reference), &Budget::local);
    take(kit.emulated(info.name, rounded, nullptr), &Budget::end_to_end);
    const EmulatedFormat others(format, one.accumulation, 1);
    take(kit.emulated(info.name, rounded, &reference), &Budget::local);
    for (const std::uint64_t seed : {1, 2}) {
      const auto moved = each_in_its_format([&](const NumberFormat& own) {
        return [seed, ulp = own.unit_roundoff()](const std::string& tensor, double x, Index i) {
          return x * (1 + ulp * (2 * RandomStream(seed, "half an ulp of " + tensor).uniform(i) - 1));
        };
      });
      take(kit.emulated(info.name, moved, nullptr), &Budget::end_to_end);
    }
    for (auto& [tensor, m] : measured) {
      const TensorSpec* const spec = info.find(tensor);
      const double least = spec && spec->equation == "SHIFT.1" ? 0 : format.unit_roundoff();
      Budget& budget = m.budgets[one.name];
      budget.local = two_digits_up(std::max(least, budget_factor * budget.local));
      budget.end_to_end = two_digits_up(std::max(least, budget_factor * budget.end_to_end));
    }
  }
  return measured;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
