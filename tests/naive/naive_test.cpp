// The naive second implementation agrees with the golden cases and with goldfinch; and its mutants are caught, each at the tensor
// where it begins, in float64, float32 and bfloat16, while nothing right is flagged. The last test prints the whole matrix.

#include <catch2/catch.hpp>

#include <cstdio>
#include <set>
#include <sstream>

#include "goldfinch/validate/known_tensors.hpp"
#include "goldfinch/validate/mistakes.hpp"
#include "model/golden.hpp"
#include "naive/budgets.hpp"

namespace gf = goldfinch;
using naive::Array;

namespace {

/// Every tensor of `expected`, which may be the first rows only.
void check_agrees(const naive::Trace& actual, const std::string& name, const Array<double>& expected, double tolerance) {
  INFO(name);
  const Array<double>* const whole = actual.find(name);
  REQUIRE(whole);
  REQUIRE(whole->x.size() >= expected.x.size());
  Array<double> same_rows = expected;
  std::copy_n(whole->x.begin(), expected.x.size(), same_rows.x.begin());
  CHECK(naive::error_of(&same_rows, expected) <= tolerance);
}

template <class S>
naive::Trace goldfinch_trace(const gf::Model<S>& model, const std::vector<int>& tokens, const std::vector<int>& calls,
                             typename gf::Model<S>::State& state) {
  gf::Recording<S> recording;
  std::size_t done = 0;
  for (const int n : calls) {
    const auto part = std::span(tokens).subspan(done, static_cast<std::size_t>(n));
    model.forward({{part, &state}}, gf::Trace<S>(&recording));
    done += part.size();
  }
  return naive::trace_of(recording);
}

}  // namespace

// Two implementations in double differ by 4e-14 of the rms on these cases, PyTorch's and goldfinch's; this is a third.
TEST_CASE("Naive: every intermediate of every golden case is exact to 1e-13 of its rms") {
  for (const std::string name : golden::names) {
    INFO(name);
    const auto checkpoint = golden::weights(name);
    naive::Model<double> model(naive::config_of(gf::resolve_shape(checkpoint).config), naive::weights_of(checkpoint));
    auto state = model.initial_state();
    model.forward(golden::tokens(name), state);
    const auto golden = gf::read_safetensors(golden::path(name) + ".trace.safetensors");
    for (const auto& [tensor, expected] : naive::weights_of(golden)) check_agrees(model.trace(), tensor, expected, 1e-13);
  }
}

namespace {

template <class S>
void check_close(const Array<S>& actual, const Array<double>& expected, double tolerance) {
  const Array<double> widened = actual.template as<double>();
  CHECK(naive::error_of(&widened, expected) <= tolerance);
}
Array<double> row_of(const gf::Vector<double>& x) { return naive::array_of(gf::Matrix<double>(x.transpose())); }

/// All that a sequence carries: naive keeps keys in front of rotary, goldfinch behind it.
void check_same_state(const naive::State<double>& state, const gf::Model<double>::State& theirs, const naive::Config& config, double tolerance) {
  REQUIRE(static_cast<gf::Index>(state.ids.size()) == theirs.position);
  for (std::size_t i = 0; i < state.blocks.size(); ++i) {
    INFO("the state of block " << i);
    const auto& block = state.blocks[i];
    std::visit([&](const auto& mix) {
      if constexpr (requires { mix.last_z; }) check_close(block.time_row, row_of(mix.last_z), tolerance);
      if constexpr (requires { mix.S; }) check_close(block.wkv, naive::array_of(mix.S), tolerance);
      if constexpr (requires { mix.stored; }) {
        const auto turned = naive::Operators<double>({}).rotary(block.k, config.N, state.positions, config.rope_base, config.rope_rescale, false);
        check_close(turned, naive::array_of(mix.stored.k.rows(0, mix.stored.k.size())), tolerance);
        check_close(block.v, naive::array_of(mix.stored.v.rows(0, mix.stored.v.size())), tolerance);
      }
    }, theirs.blocks[i].time_mix);
    std::visit([&](const auto& mix) {
      if constexpr (requires { mix.last_z; }) check_close(block.channel_row, row_of(mix.last_z), tolerance);
    }, theirs.blocks[i].channel_mix);
  }
  if (theirs.keys.size() > 0) {
    check_close(state.compressed, naive::array_of(theirs.keys.compressed(0, theirs.keys.size())), tolerance);
    const auto ids = theirs.keys.ids(0, theirs.keys.size());
    CHECK(std::equal(ids.begin(), ids.end(), state.ids.begin(), state.ids.end()));
  }
}

}  // namespace

// The tolerance is a hundred times the golden cases' because some of these families are made to be ill-conditioned.
TEST_CASE("Naive: goldfinch gives the same intermediates and carries the same states, however a text is cut into calls") {
  for (const naive::Family& family : naive::families()) {
    if (family.first_position != 0) continue;  // goldfinch's texts begin at 0
    INFO(family.name);
    const auto weights = naive::weights_of(family);
    const auto config = naive::config_of(family.shape.config);
    const auto theirs = naive::goldfinch_of<double>(family.shape, weights);
    for (const auto& c : family.others) {
      const auto tokens = naive::tokens_of(family, c);
      auto their_state = theirs.initial_state();
      const auto their_trace = goldfinch_trace(theirs, tokens, c.calls, their_state);
      naive::Model<double> model(config, weights);
      auto state = model.initial_state();
      auto at = tokens.begin();
      for (const int n : c.calls) {
        model.forward(std::vector<int>(at, at + n), state);
        at += n;
      }
      for (const auto& [name, value] : their_trace.entries()) check_agrees(model.trace(), name, value, 1e-11);
      CHECK(model.trace().entries().size() == their_trace.entries().size());
      check_same_state(state, their_state, config, 1e-11);
    }
  }
}

// Positions to which no text of a test could come. The angle has a relative error of some 2^-53, so 1e-15 of the position absolutely.
TEST_CASE("Naive: rotary at far positions is goldfinch's") {
  const gf::Rotary<double> theirs({10000, 1}, 8);
  for (const std::int64_t position : {std::int64_t{0}, std::int64_t{1}, std::int64_t{262144}, std::int64_t{5000000}, std::int64_t{1} << 31}) {
    Array<double> x(1, 16);
    for (int j = 0; j < 16; ++j) x(0, j) = 1 + j;
    gf::Matrix<double> y = Eigen::Map<gf::Matrix<double>>(x.x.data(), 1, 16);
    theirs.turn(y, 0, 1, position);
    const auto ours = naive::Operators<double>({}).rotary(x, 8, {position}, 10000, 1, true);
    check_close(ours, naive::array_of(y), 1e-15 * (1 + static_cast<double>(position)));
  }
}

namespace {

/// Budgets are so many times the largest error of the ways that they are fitted on. In f64 and f32 the nearest mutant is
/// a thousand times further off than anything right, so a wide budget costs nothing; in bf16 faults and roundings are closer.
double factor_of(naive::Format format) { return format == naive::Format::bf16 ? 5 : 16; }

/// In budgets: what other right ways may need on other texts, and what a mutant must exceed where it begins.
constexpr double right_at_most = 0.5, mutant_at_least = 3;

/// A family's cases, run once in double by the reference.
struct Prepared {
  naive::Family family;
  std::vector<naive::Reference> fitting, others;

  explicit Prepared(const naive::Family& f) : family(f) {
    for (const auto& c : family.fitting) fitting.emplace_back(family, c);
    for (const auto& c : family.others) others.emplace_back(family, c);
  }
  naive::Budgets budgets(naive::Format format) const {
    std::vector<std::vector<naive::Deviation>> right;
    for (std::size_t i = 0; i < fitting.size(); ++i)
      for (const auto& way : naive::right_ways(format, true))
        right.push_back(fitting[i].deviations(fitting[i].run(format, way, family.fitting[i].calls)));
    return naive::budgets_of(format, right, factor_of(format));
  }
};

bool contains_word(const std::string& words, const std::string& word) {
  return (" " + words + " ").find(" " + word + " ") != std::string::npos;
}

/// The worst of what was seen so far.
struct Extreme {
  double value;
  std::string where;
  void raise(double x, const std::string& w) { if (x > value) value = x, where = w; }
  void lower(double x, const std::string& w) { if (x < value) value = x, where = w; }
};

template <class S>
naive::Verdict judge_goldfinch(const Prepared& prepared, std::size_t i, const naive::Budgets& budgets) {
  const naive::Reference& reference = prepared.others[i];
  const auto model = naive::goldfinch_of<S>(prepared.family.shape, reference.weights);
  auto state = model.initial_state();
  return naive::judge(reference.deviations(goldfinch_trace(model, reference.tokens, prepared.family.others[i].calls, state)), budgets);
}

void check_right(const naive::Verdict& verdict, const std::string& what, Extreme& largest) {
  INFO(what << ": " << verdict.worst_local.name << " has " << verdict.worst_local.of_budget << " of its local budget, "
            << verdict.worst_end_to_end.name << " " << verdict.worst_end_to_end.of_budget << " of that end to end");
  CHECK(verdict.worst_local.of_budget <= right_at_most);
  CHECK(verdict.worst_end_to_end.of_budget <= right_at_most);
  largest.raise(verdict.worst_local.of_budget, what + " " + verdict.worst_local.name + " locally");
  largest.raise(verdict.worst_end_to_end.of_budget, what + " " + verdict.worst_end_to_end.name + " end to end");
}

void check_caught(const naive::Finding& first, const char* begins, const char* how, const std::string& what, Extreme& smallest) {
  INFO(what << ", " << how << ": the first tensor over its budget is '" << first.name << "' by " << first.of_budget << ", expected " << begins);
  CHECK(naive::matches(begins, first.name.c_str()));
  CHECK(first.of_budget >= mutant_at_least);
  smallest.lower(first.of_budget, what + " " + first.name + " " + how);
}

}  // namespace

TEST_CASE("Naive: the table of mutants lists every mutant once, in order") {
  int i = 0;
  std::set<std::string> names;
  for (const auto& info : naive::mutants) {
    CHECK(static_cast<int>(info.mutant) == ++i);
    CHECK(names.insert(info.name).second);
  }
}

TEST_CASE("Naive: every mutant is a known mistake, and begins at a tensor where the table says that it begins") {
  for (const auto& info : naive::mutants) {
    INFO(info.name << " " << info.flag);
    const gf::Mistake* const mistake = gf::find_mistake(info.flag);
    REQUIRE(mistake);
    const std::string begins = info.begins, within = begins.rfind("blocks.", 0) == 0 ? begins.substr(begins.find('.', 7) + 1) : begins;
    CHECK(std::any_of(std::begin(gf::known_tensors), std::end(gf::known_tensors), [&](const gf::KnownTensor& tensor) {
      return naive::matches(within.c_str(), std::string(tensor.name).c_str()) && gf::begins_at(*mistake, tensor.equation);
    }));
  }
}

TEST_CASE("Naive: every mutant is caught at the tensor where it begins, in every format, and nothing right is flagged") {
  std::vector<Prepared> families;
  for (const auto& family : naive::families()) families.emplace_back(family);
  std::map<std::string, std::string> lines;  // of the matrix, by mutant and family
  std::string summary;
  for (const naive::Format format : naive::formats) {
    const std::string format_name = naive::name_of(format);
    Extreme largest_right{0, "none"}, smallest_mutant{std::numeric_limits<double>::infinity(), "none"};
    for (const Prepared& prepared : families) {
      const naive::Family& family = prepared.family;
      const naive::Budgets budgets = prepared.budgets(format);
      for (std::size_t i = 0; i < family.others.size(); ++i) {
        const std::string what = format_name + " " + family.name + " text " + std::to_string(family.others[i].seed);
        for (const auto& way : naive::right_ways(format, false)) {
          const naive::Trace right = prepared.others[i].run(format, way, family.others[i].calls);
          check_right(naive::judge(prepared.others[i].deviations(right), budgets), what, largest_right);
        }
        if (family.first_position != 0) continue;
        if (format == naive::Format::f64) check_right(judge_goldfinch<double>(prepared, i, budgets), what + " goldfinch", largest_right);
        if (format == naive::Format::f32) check_right(judge_goldfinch<float>(prepared, i, budgets), what + " goldfinch", largest_right);
      }
      for (const auto& info : naive::mutants) {
        if (!contains_word(info.families, family.name)) continue;
        naive::Way way;
        way.mutant = info.mutant;
        if (format == naive::Format::bf16) way.rounding = naive::Rounding::operators;
        const naive::Trace wrong = prepared.others[0].run(format, way, family.others[0].calls);
        const naive::Verdict verdict = naive::judge(prepared.others[0].deviations(wrong), budgets);
        const std::string what = format_name + " " + info.name + " in " + family.name;
        check_caught(verdict.first_local, info.begins, "locally", what, smallest_mutant);
        check_caught(verdict.first_end_to_end, info.begins, "end to end", what, smallest_mutant);
        char text[200];
        std::string& line = lines[std::string(info.name) + "/" + family.name];
        if (line.empty()) {
          std::snprintf(text, sizeof text, "%-28s %-14s %-20s", info.name, family.name.c_str(), verdict.first_local.name.c_str());
          line = text;
        }
        std::snprintf(text, sizeof text, " | %8.2g %8.2g", verdict.first_local.of_budget, verdict.first_end_to_end.of_budget);
        line += text;
      }
    }
    summary += format_name + ": right implementations reach " + std::to_string(largest_right.value) + " of a budget (" + largest_right.where +
               "), mutants exceed one by " + std::to_string(smallest_mutant.value) + " or more (" + smallest_mutant.where + ")\n";
  }
  std::printf("Mutants: error of the tensor where each begins, in budgets, locally and end to end\n");
  std::printf("%-28s %-14s %-20s | %-17s | %-17s | %s\n", "mutant", "family", "tensor", "f64", "f32", "bf16");
  for (const auto& info : naive::mutants) {
    std::istringstream words(info.families);
    for (std::string family; words >> family;) {
      const auto line = lines.find(std::string(info.name) + "/" + family);
      REQUIRE(line != lines.end());  // else the table names a family that is none
      std::printf("%s\n", line->second.c_str());
    }
  }
  std::printf("%s", summary.c_str());
  std::fflush(stdout);
}
