// The mutants again, judged as other people's numbers are: by the budgets of the manifest that `goldfinch reference write` has written.
// A budget was measured on the case's own inputs; here every case has others: golden models read other texts, cut into calls, and
// operators get other numbers by the same rules. Only the shapes, the golden models' weights and the recipes are shared.
//
//   exceeds     the larger of  relative rms / budget  and  worst element / 16 budgets  (compare.hpp), where the mutant begins
//   right       every other way to compute (naive/budgets.hpp) stays under half a budget, everywhere
//
// In f64, for which manifests have no budgets, the one of `goldfinch compare` stands: 1e-9.

#include <catch2/catch.hpp>

#include <cstdio>
#include <set>
#include <sstream>

#include "goldfinch/validate/cases.hpp"
#include "goldfinch/validate/compare.hpp"
#include "goldfinch/validate/manifest.hpp"
#include "goldfinch/validate/operators.hpp"
#include "model/golden.hpp"
#include "naive/budgets.hpp"

namespace gf = goldfinch;
using naive::Array;

namespace {

const gf::ManifestCase& case_of(const std::string& name) {
  static const auto cases = [] {
    const std::string path = GOLDFINCH_WRITTEN_REFERENCE "/manifest.json";
    INFO(path << " is made by tests/validate/write_reference.sh");
    const auto read = gf::read_manifest(path);
    REQUIRE(read);
    return *read;
  }();
  for (const auto& one : cases)
    if (one.name == name) return one;
  FAIL("the manifest has no case " << name);
  throw;
}

gf::Budget budget_of(const gf::ManifestTensor& tensor, naive::Format format) {
  const auto found = tensor.budgets.find(naive::name_of(format));
  if (found != tensor.budgets.end()) return found->second;
  const double own = gf::default_budget(format == naive::Format::f64 ? gf::DType::f64 : format == naive::Format::f32 ? gf::DType::f32 : gf::DType::bf16);
  return {own, own};
}

/// In budgets; infinite where something is not a number, or has another shape.
double error_in_budgets(const Array<double>* actual, const Array<double>& expected, double budget) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (!actual || actual->x.size() != expected.x.size()) return infinite;
  const gf::Shape shape = {expected.rows, expected.cols};
  const auto c = gf::compare(gf::Array::view(expected.x.data(), shape), gf::Array::view(actual->x.data(), shape), budget);
  if (c.unequal_nonfinite > 0) return infinite;
  if (c.relative_rms == 0) return 0;
  return std::max(c.relative_rms / budget, c.worst / (gf::worst_in_budgets * budget));
}

/// A tensor, and its errors in budgets.
struct Judged {
  std::string name;
  double local, end_to_end;
};

/// A golden model that reads texts other than its own.
struct GoldenCase {
  std::string name;
  std::vector<int> calls;
  naive::Reference reference;

  explicit GoldenCase(const std::string& golden_name)
      : name(golden_name),
        calls(golden::tokens(name).size() == 40 ? std::vector<int>{9, 1, 1, 16, 13} : std::vector<int>{5, 1, 1, 10, 7}),
        reference(naive::config_of(gf::resolve_shape(golden::weights(name)).config), naive::weights_of(golden::weights(name)),
                  naive::tokens_of({21, calls}, naive::weights_of(golden::weights(name)).at("emb.weight").rows)) {}

  /// Every tensor, in the order of the computation.
  std::vector<Judged> judge(naive::Format format, const naive::Way& way) const {
    const naive::Trace subject = reference.run(format, way, calls), steps = reference.steps_of(subject);
    std::vector<Judged> all;
    for (const auto& tensor : case_of("model." + name).tensors) {
      const Array<double>* const expected = reference.trace.find(tensor.name);
      if (!expected) continue;  // what the model carries
      const gf::Budget budget = budget_of(tensor, format);
      const Array<double>* const actual = subject.find(tensor.name);
      all.push_back({tensor.name, error_in_budgets(actual, *steps.find(tensor.name), budget.local), error_in_budgets(actual, *expected, budget.end_to_end)});
    }
    return all;
  }
};

/// A case of an operator with other numbers by the same rules.
struct OperatorCase {
  std::string name, tensor;  // the tensor that is judged
  std::map<std::string, Array<double>> in;
  Array<double> expected;

  OperatorCase(const std::string& case_name, const char* judged) : name(case_name), tensor(judged) {
    for (auto c : gf::reference_cases()) {
      if (c.name != name) continue;
      c.name += ", with other numbers";  // the name is what numbers are drawn by
      for (const auto& info : gf::operator_list())
        if (info.name == c.op) {
          const auto inputs = gf::make_inputs(c, info);
          for (const auto& [given, value] : naive::weights_of(inputs)) in[given] = value;
          const auto results = gf::run_operator<double>(c.op, inputs);
          const auto& result = *gf::find(results, tensor);
          expected = naive::array_of(result.shape);
          for (std::size_t i = 0; i < expected.x.size(); ++i) expected.x[i] = static_cast<double>(result.data[i]);
        }
    }
    REQUIRE(!expected.x.empty());
  }

  template <class S>
  Array<double> run(const naive::Way& way) const {
    const naive::Operators<S> op(way);
    const auto get = [&](const char* given) { return in.at(given).as<S>(); };
    const auto number = [&](const char* given, double otherwise) { return in.count(given) ? in.at(given).x[0] : otherwise; };
    Array<S> y;
    if (name.starts_with("layer_norm.")) y = op.layer_norm(get("x"), get("weight"), get("bias"));
    if (name.starts_with("group_norm.")) {
      const double divisor = way.mutant == naive::Mutant::group_norm_eps ? 1 : number("head_size_divisor", 8);
      y = op.norm(get("x"), static_cast<int>(number("head_size", 0)), get("weight"), get("bias"), 1e-5 * divisor * divisor);
    }
    if (name.starts_with("rms_norm.")) y = op.rms_norm(get("x"));
    if (name.starts_with("one_minus_decay.")) {
      Array<S> ones = get("x");
      for (S& x : ones.x) x = S(1);
      y = op.one_minus_decay(ones, get("x"));
    }
    if (name.starts_with("rotary.")) {
      std::vector<std::int64_t> positions;
      for (const double x : in.at("positions").x) positions.push_back(static_cast<std::int64_t>(x));
      y = op.rotary(get("x"), static_cast<int>(number("head_size", 0)), positions, 10000, 1, false);
    }
    if (name.starts_with("wkv6.")) {
      Array<S> state = get("S_before");
      Array<S> w = in.count("w") ? get("w") : get("d");
      if (!in.count("w"))
        for (S& x : w.x) x = std::log(-std::log(x));
      const int N = state.cols;
      std::vector<Array<S>> parts;
      for (int first = 0; first < w.rows; first += way.mutant == naive::Mutant::state_bfloat16_per_call ? 2 : w.rows) {
        const int n = way.mutant == naive::Mutant::state_bfloat16_per_call ? std::min(2, w.rows - first) : w.rows;
        y.append(op.wkv(get("r").part(first, n), get("k").part(first, n), get("v").part(first, n), w.part(first, n), nullptr, N, state));
      }
    }
    return y.template as<double>();
  }

  Judged judge(naive::Format format, const naive::Way& way) const {
    for (const auto& one : case_of(name).tensors)
      if (one.name == tensor) {
        const gf::Budget budget = budget_of(one, format);
        const Array<double> actual = format == naive::Format::f64 ? run<double>(way) : run<float>(way);
        return {tensor, error_in_budgets(&actual, expected, budget.local), error_in_budgets(&actual, expected, budget.end_to_end)};
      }
    FAIL(name << " has no tensor " << tensor);
    throw;
  }
};

/// Where each family of naive/cases.hpp has its like in the kit.
const std::map<std::string, std::vector<std::string>> golden_of = {
    {"goldfinch", {"goldfinch_rope"}}, {"finch", {"finch"}}, {"finchc2_bonus", {"finchc2_no_v2"}}, {"gptalpha", {"gptalpha_rope"}}, {"llama", {"llama_rope"}}};

struct OperatorMutant {
  naive::Mutant mutant;
  const char *name, *tensor;
};
using enum naive::Mutant;
const OperatorMutant operator_mutants[] = {
    {eps_outside_root, "layer_norm.small", "y"},      {eps_missing, "layer_norm.small", "y"},       {variance_unbiased, "layer_norm.basic", "y"},
    {group_norm_eps, "group_norm.small", "y"},        {rms_eps_in_root, "rms_norm.small", "y"},     {rotary_table_float32, "rotary.far", "y"},
    {one_minus_w_cancels, "one_minus_decay.far", "y"}, {cumulative_decay_divided, "wkv6.strong_decay", "y"}, {decay_clamped, "wkv6.strong_decay", "y"},
    {state_bfloat16, "wkv6.weak_decay", "y"},         {state_bfloat16_per_call, "wkv6.weak_decay", "y"}, {state_bfloat16, "wkv6.long", "y"},
    {state_bfloat16_per_call, "wkv6.long", "y"}};

}  // namespace

TEST_CASE("explore") {
  std::map<std::string, GoldenCase> goldens;
  for (const auto& [family, names] : golden_of)
    for (const auto& name : names) goldens.emplace(name, GoldenCase(name));
  for (const auto format : naive::formats)
    for (const auto& [name, g] : goldens)
      for (const bool fit : {true, false}) {
        int w = 0;
        for (const auto& way : naive::right_ways(format, fit)) {
          Judged l{"", 0, 0}, e{"", 0, 0};
          for (const auto& j : g.judge(format, way)) {
            if (j.local > l.local) l = j;
            if (j.end_to_end > e.end_to_end) e = j;
          }
          std::printf("right %s %s fit %d way %d: local %.3g %s   e2e %.3g %s\n", naive::name_of(format), name.c_str(), fit, w++, l.local, l.name.c_str(), e.end_to_end, e.name.c_str());
        }
      }
  for (const auto& info : naive::mutants) {
    std::istringstream words(info.families);
    for (std::string family; words >> family;) {
      if (!golden_of.count(family)) continue;
      for (const auto& name : golden_of.at(family)) {
        std::printf("%-26s %-16s", info.name, name.c_str());
        for (const auto format : naive::formats) {
          naive::Way way;
          way.mutant = info.mutant;
          if (format == naive::Format::bf16) way.rounding = naive::Rounding::operators;
          Judged l{"-", 0, 0}, e{"-", 0, 0};
          for (const auto& j : goldens.at(name).judge(format, way)) {
            if (j.local > 1 && l.local == 0) l = j;
            if (j.end_to_end > 1 && e.end_to_end == 0) e = j;
          }
          std::printf(" | %8.2g %-18s %8.2g %-18s", l.local, l.name.c_str(), e.end_to_end, e.name.c_str());
        }
        std::printf("\n");
      }
    }
  }
  for (const auto& m : operator_mutants) {
    const OperatorCase c(m.name, m.tensor);
    const char* n = "";
    for (const auto& info : naive::mutants) if (info.mutant == m.mutant) n = info.name;
    std::printf("%-26s %-18s", n, m.name);
    for (const auto format : naive::formats) {
      naive::Way way;
      way.mutant = m.mutant;
      if (format == naive::Format::bf16) way.rounding = naive::Rounding::operators;
      const auto j = c.judge(format, way);
      std::printf(" | %8.2g %8.2g", j.local, j.end_to_end);
      double worst = 0;
      for (const bool fit : {true, false}) for (const auto& right : naive::right_ways(format, fit)) worst = std::max(worst, c.judge(format, right).local);
      std::printf(" right %8.2g", worst);
    }
    std::printf("\n");
  }
}
