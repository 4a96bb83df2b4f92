// The reference cases: their inputs are what they say, and the mistakes that they are there to catch are caught, in bfloat16 too: each
// mistake is made, and its error must be beyond the budget that right implementations have.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <set>

#include "goldfinch/validate/budgets.hpp"
#include "goldfinch/validate/cases.hpp"
#include "goldfinch/validate/golden_models.hpp"
#include "goldfinch/validate/known_tensors.hpp"
#include "goldfinch/validate/mistakes.hpp"
#include "goldfinch/validate/operators.hpp"

namespace gf = goldfinch;
using gf::Checkpoint, gf::Index, gf::OperatorInfo, gf::Results;

namespace {

const OperatorInfo& info_of(const std::string& op) {
  static const auto list = gf::operator_list();
  for (const auto& info : list)
    if (info.name == op) return info;
  FAIL(op);
  throw;
}

const gf::Case& named(const std::string& name) {
  static const auto cases = gf::reference_cases();
  for (const auto& c : cases)
    if (c.name == name) return c;
  FAIL(name);
  throw;
}

Results run(const std::string& op, const Checkpoint& in) { return gf::run_operator<double>(op, in); }

std::vector<double> numbers(const Checkpoint& in, const std::string& name) {
  std::vector<double> all;
  for (Index i = 0; i < gf::element_count(in.tensors.at(name).shape); ++i) all.push_back(gf::number_at(in.tensors.at(name), i));
  return all;
}

void drop(Checkpoint& in, std::initializer_list<const char*> names) {
  for (const char* name : names) in.tensors.erase(name);
}

/// Turns the last two dimensions of a tensor around; they must be equal.
void transpose(Checkpoint& in, const std::string& name) {
  const auto shape = in.tensors.at(name).shape;
  const Index n = shape.back();
  auto from = numbers(in, name), to = from;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Index at = static_cast<Index>(i), m = at / (n * n) * n * n, r = at / n % n, c = at % n;
    to[static_cast<std::size_t>(m + c * n + r)] = from[i];
  }
  in.put(name, shape, to);
}

/// The first two slices of a tensor change places.
void swap_groups(Checkpoint& in, const std::string& name) {
  const auto shape = in.tensors.at(name).shape;
  auto data = numbers(in, name);
  const auto size = static_cast<std::ptrdiff_t>(data.size()) / shape[0];
  std::swap_ranges(data.begin(), data.begin() + size, data.begin() + size);
  in.put(name, shape, data);
}

/// wkv that reads the state after it was written.
Results read_after_update(const Checkpoint& in) {
  const auto r = numbers(in, "r"), k = numbers(in, "k"), v = numbers(in, "v"), w = numbers(in, "w");
  const Index D = in.tensors.at("r").shape[1], N = in.tensors.count("u") ? in.tensors.at("u").shape[1] : 8;
  std::vector<double> S(static_cast<std::size_t>(D * N), 0);
  if (in.tensors.count("S_before")) S = numbers(in, "S_before");
  Results results = run("wkv6", in);
  auto& y = const_cast<gf::ResultTensor*>(gf::find(results, "y"))->data;
  std::fill(y.begin(), y.end(), 0);
  const auto u = in.tensors.count("u") ? numbers(in, "u") : std::vector<double>(static_cast<std::size_t>(D), 0);
  for (std::size_t t = 0; t < y.size() / static_cast<std::size_t>(D); ++t)
    for (Index i = 0; i < D; ++i) {
      const std::size_t row = t * static_cast<std::size_t>(D), at = row + static_cast<std::size_t>(i);
      for (Index j = 0; j < N; ++j) {
        const std::size_t out = row + static_cast<std::size_t>(i / N * N + j);
        double& s = S[static_cast<std::size_t>(i * N + j)];
        s = std::exp(-std::exp(w[at])) * s + k[at] * v[out];
        y[out] += r[at] * s + r[at] * u[static_cast<std::size_t>(i)] * k[at] * v[out];
      }
    }
  return results;
}

using Mistake = std::function<Results(Checkpoint in)>;
Mistake on(const std::string& op, std::function<void(Checkpoint&)> change) {
  return [op, change](Checkpoint in) {
    change(in);
    return run(op, in);
  };
}

struct Mutant {
  const char *flag, *name;
  std::string tensor;  // where it shows
  Mistake mistake;
};

std::vector<Mutant> mutants() {
  const auto scale = [](const char* name, double by) {
    return [name, by](Checkpoint& in) {
      auto data = numbers(in, name);
      for (double& x : data) x *= by;
      in.put(name, in.tensors.at(name).shape, data);
    };
  };
  const auto first_keys = [](Checkpoint& in) {  // a mask aligned to the first key
    for (const char* name : {"k", "v"}) in.tensors[name].shape[0] = in.tensors.at("q").shape[0];
  };
  const auto eps_in_root = [](Checkpoint in) {
    auto results = run("rms_norm", in);
    const auto x = numbers(in, "x");
    auto& y = const_cast<gf::ResultTensor*>(gf::find(results, "y"))->data;
    const auto D = static_cast<std::size_t>(in.tensors.at("x").shape[1]);
    for (std::size_t row = 0; row < x.size(); row += D) {
      double sum = 0;
      for (std::size_t i = 0; i < D; ++i) sum += x[row + i] * x[row + i];
      for (std::size_t i = 0; i < D; ++i) y[row + i] = x[row + i] / std::sqrt(sum / static_cast<double>(D) + 1e-8);
    }
    return results;
  };
  const auto no_state = [](Checkpoint& in) { drop(in, {"S_before"}); };
  const auto one_sequence = [](Checkpoint& in) { drop(in, {"S_before", "lengths", "last_z_before"}); };
  const auto cat = [](Checkpoint& in) {  // [c; x0]
    const auto shape = in.tensors.at("w_kv_cache_b.weight").shape;
    auto data = numbers(in, "w_kv_cache_b.weight");
    const auto across = static_cast<std::ptrdiff_t>(shape[1]), D = static_cast<std::ptrdiff_t>(shape[0]);
    for (auto row = data.begin(); row != data.end(); row += across) std::rotate(row, row + (across - D), row + across);
    in.put("w_kv_cache_b.weight", shape, data);
  };
  const auto minus_exp = [](Checkpoint& in) {
    auto data = numbers(in, "w");
    for (double& x : data) x = -std::exp(x);
    in.put("w", in.tensors.at("w").shape, data);
  };
  return {
      {"read-after-update", "wkv6.basic", "y", read_after_update},
      {"read-after-update", "wkv6.head64", "y", read_after_update},
      {"bonus-missing", "wkv6.bonus", "y", on("wkv6", [](Checkpoint& in) { in.put("head_size", {}, {8}), drop(in, {"u"}); })},
      {"bonus-missing", "wkv6.decode", "y", on("wkv6", [](Checkpoint& in) { drop(in, {"u"}); })},
      {"state-transposed", "wkv6.state", "y", on("wkv6", [](Checkpoint& in) { transpose(in, "S_before"); })},
      {"state-transposed", "wkv6.head64", "y", on("wkv6", [](Checkpoint& in) { transpose(in, "S_before"); })},
      {"state-transposed", "finch_time_mix.carried", "out", on("finch_time_mix", [](Checkpoint& in) { transpose(in, "S_before"); })},
      {"state-not-carried", "wkv6.state", "S_after", on("wkv6", [=](Checkpoint& in) { in.put("head_size", {}, {8}), no_state(in); })},
      {"state-not-carried", "finch_c2_time_mix.carried", "out", on("finch_c2_time_mix", no_state)},
      {"sequence-leak", "wkv6.packed", "y", on("wkv6", one_sequence)},
      {"sequence-leak", "token_shift.packed", "before", on("token_shift", one_sequence)},
      {"sequence-leak", "rwkv_channel_mix.packed", "out", on("rwkv_channel_mix", one_sequence)},
      {"decay-argument", "wkv6.basic", "y", on("wkv6", minus_exp)},
      {"shift-not-carried", "token_shift.carried", "before", on("token_shift", [](Checkpoint& in) { drop(in, {"last_z_before"}); })},
      {"shift-not-carried", "ddlerp.carried", "x", on("ddlerp", [](Checkpoint& in) { drop(in, {"last_z_before"}); })},
      {"shift-not-carried", "rwkv_channel_mix.carried", "out", on("rwkv_channel_mix", [](Checkpoint& in) { drop(in, {"last_z_before"}); })},
      {"shift-not-carried", "gold_attention.chunk", "out", on("gold_attention", [](Checkpoint& in) { drop(in, {"last_z_before"}); })},
      {"group-order", "ddlerp.groups5", "x", on("ddlerp", [](Checkpoint& in) { swap_groups(in, "B_groups"); })},
      {"group-order", "finch_c2_time_mix.first", "out", on("finch_c2_time_mix", [](Checkpoint& in) { swap_groups(in, "time_maa_w2"); })},
      {"group-order", "finch_time_mix.first", "out", on("finch_time_mix", [](Checkpoint& in) { swap_groups(in, "time_maa_w2"); })},
      {"group-order", "gold_attention.first", "out", on("gold_attention", [](Checkpoint& in) { swap_groups(in, "time_maa_kv_w2"); })},
      {"weight-transposed", "linear.square", "y", on("linear", [](Checkpoint& in) { transpose(in, "W"); })},
      {"mask-top-left", "attention.offset", "y", on("attention", first_keys)},
      {"mask-top-left", "attention.decode", "y", on("attention", first_keys)},
      {"mask-top-left", "attention.tiles", "y", on("attention", first_keys)},
      {"mask-top-left", "attention.equal", "y", on("attention", first_keys)},
      {"scale-missing", "attention.square", "y", on("attention", scale("q", std::sqrt(8.0)))},
      {"scale-missing", "attention.head64", "y", on("attention", scale("q", 8))},
      {"eps-in-root", "rms_norm.small", "y", eps_in_root},
      {"norm-over-all-channels", "group_norm.basic", "y", on("group_norm", [](Checkpoint& in) { in.put("head_size", {}, {24}); })},
      {"eps-value", "group_norm.divisor", "y", on("group_norm", [](Checkpoint& in) { drop(in, {"head_size_divisor"}); })},
      {"cat-order", "token_cat_decompress.basic", "K", on("token_cat_decompress", cat)},
      {"cat-order", "token_cat_decompress.one", "K", on("token_cat_decompress", cat)},
      {"rotary-base", "rotary.settings", "y", on("rotary", [](Checkpoint& in) { drop(in, {"base"}); })},
      {"rotary-rescale", "rotary.settings", "y", on("rotary", [](Checkpoint& in) { drop(in, {"rescale"}); })},
      {"rotary-position", "llama_attention.carried", "out", on("llama_attention", [](Checkpoint& in) { drop(in, {"base"}); })},
      {"one-minus-decay-missing", "finch_c2_time_mix.first", "out",
          on("finch_c2_time_mix", [](Checkpoint& in) { in.put("use_one_minus_w", {}, {0}); })},
      {"bonus-missing", "finch_c2_time_mix.no_v2", "out", on("finch_c2_time_mix", scale("time_faaaa", 0))},
      {"target-off-by-one", "cross_entropy.basic", "losses", on("cross_entropy", [](Checkpoint& in) {
         auto targets = numbers(in, "targets");
         for (double& x : targets) x = std::max(0.0, x - 1);
         in.put("targets", in.tensors.at("targets").shape, targets);
       })},
  };
}

/// What a right implementation in a format may be off, from one run.
double budget(const gf::Case& c, const std::string& tensor, const char* format, const Results& reference) {
  const OperatorInfo& info = info_of(c.op);
  const gf::EmulatedFormat use(gf::number_format(format), gf::Accumulation::f32);
  const gf::Rounding round(gf::number_format(format));
  const auto in = gf::changed(info, gf::make_inputs(c, info), [&](const std::string&, double x, Index) { return round(x); });
  const auto emulated = gf::run_operator<gf::Emulated>(c.op, in);
  return gf::budget_factor * gf::relative_error(gf::find(emulated, tensor)->data, gf::find(reference, tensor)->data);
}

}  // namespace

TEST_CASE("Cases have names and streams of their own, flags, and inputs that are bfloat16 numbers") {
  std::set<std::string> names;
  std::set<std::string> covered;
  std::size_t bytes = 0;
  for (const auto& c : gf::reference_cases()) {
    INFO(c.name);
    CHECK(names.insert(c.name).second);
    CHECK(c.name.starts_with(c.op + "."));
    CHECK(!c.catches.empty());
    for (const auto& flag : c.catches) {
      INFO(flag);
      const gf::Mistake* const mistake = gf::find_mistake(flag);
      REQUIRE(mistake);
      const auto& tensors = info_of(c.op).tensors;
      CHECK(std::any_of(tensors.begin(), tensors.end(), [&](const auto& tensor) { return gf::begins_at(*mistake, tensor.equation); }));
    }
    CHECK(std::set<std::string>(c.catches.begin(), c.catches.end()).size() == c.catches.size());
    covered.insert(c.op);
    const OperatorInfo& info = info_of(c.op);
    const auto in = gf::make_inputs(c, info);
    for (const auto& [name, tensor] : in.tensors) {
      bytes += c.on_demand ? 0 : static_cast<std::size_t>(gf::element_count(tensor.shape) * size_of(tensor.dtype));
      if (info.find(name)->exact) continue;
      INFO(name);
      CHECK(tensor.dtype == gf::DType::bf16);
    }
    if (c.on_demand) continue;
    for (const auto& result : run(c.op, in)) {
      bytes += result.data.size() * 8;
      INFO(result.name);
      CHECK(info.find(result.name));
      CHECK(std::all_of(result.data.begin(), result.data.end(), [](long double x) { return std::isfinite(x); }));
    }
  }
  CHECK(bytes < 2'200'000);
  for (const auto& info : gf::operator_list())
    if (info.kind != "model") CHECK(covered.count(info.name) == 1);
}

TEST_CASE("Mistakes have flags and words of their own, and begin at equations that a tensor of the kit or of a trace has") {
  std::set<std::string_view> flags, words;
  const auto list = gf::operator_list();
  for (const auto& mistake : gf::mistakes) {
    INFO(mistake.flag);
    CHECK(flags.insert(mistake.flag).second);
    CHECK(words.insert(mistake.words).second);
    for (const auto& label : gf::labels_in(mistake.begins)) {
      INFO(label);
      const auto has = [&](const auto& equation) {
        const auto labels = gf::labels_in(equation);
        return std::find(labels.begin(), labels.end(), label) != labels.end();
      };
      bool found = std::any_of(std::begin(gf::known_tensors), std::end(gf::known_tensors), [&](const auto& t) { return has(t.equation); });
      for (const auto& info : list)
        for (const auto& tensor : info.tensors) found = found || has(tensor.equation);
      CHECK(found);
    }
  }
}

TEST_CASE("Golden models name mistakes of the table, each once") {
  for (const auto& model : gf::golden_models(GOLDFINCH_REFERENCE_DIR "/models")) {
    INFO(model.name);
    const auto flags = gf::mistakes_caught_by(model.config);
    CHECK(std::set<std::string>(flags.begin(), flags.end()).size() == flags.size());
    for (const auto& flag : flags) {
      INFO(flag);
      CHECK(gf::find_mistake(flag));
    }
  }
}

TEST_CASE("Each mistake is caught by the case that names it, within the budget of bfloat16") {
  for (const auto& [flag, name, tensor, mistake] : mutants()) {
    INFO(flag << " in " << name);
    const gf::Case& c = named(name);
    CHECK(std::count(c.catches.begin(), c.catches.end(), flag) == 1);
    const auto in = gf::make_inputs(c, info_of(c.op));
    const auto reference = run(c.op, in);
    const double error = gf::relative_error(gf::find(mistake(in), tensor)->data, gf::find(reference, tensor)->data);
    CHECK(error > budget(c, tensor, "bf16", reference));
  }
}

TEST_CASE("Budgets: rounded up to two digits, nothing for copies, room for every format, more room for fewer bits") {
  CHECK(gf::two_digits_up(0) == 0);
  CHECK(gf::two_digits_up(1.2) == 1.2);
  CHECK(gf::two_digits_up(1.21) == 1.3);
  CHECK(gf::two_digits_up(9.99e-5) == 1e-4);
  CHECK(gf::two_digits_up(3.0000001e-17) == 3.1e-17);
  const gf::MeasuringKit kit{gf::run_operator<double>, gf::run_operator<long double>, gf::run_operator<gf::Emulated>};
  const auto measure = [&](const char* name) {
    const gf::Case& c = named(name);
    const auto in = gf::make_inputs(c, info_of(c.op));
    return gf::measure(kit, info_of(c.op), in, run(c.op, in));
  };
  const auto copy = measure("token_shift.carried").at("before");
  CHECK(copy.error == 0);
  CHECK(copy.budgets.at("bf16").local == 0);
  CHECK(copy.budgets.at("bf16").end_to_end > 0);  // the input itself may be off by half an ulp
  CHECK(copy.budgets.at("e4m3").local > 0);       // which cannot hold bfloat16 numbers
  const auto out = measure("finch_c2_time_mix.first").at("out");
  CHECK((out.error > 1e-17 && out.error < 1e-14));
  double before = 1e-8;
  for (const char* format : {"f32", "fp16", "bf16", "e4m3"}) {
    INFO(format);
    const auto& budget = out.budgets.at(format);
    CHECK(budget.local > 0);
    CHECK(budget.end_to_end > before);
    CHECK(budget.end_to_end > budget.local);
    before = 3 * budget.end_to_end;
  }
  CHECK(out.budgets.at("bf16_own").end_to_end > out.budgets.at("bf16").end_to_end);
}
