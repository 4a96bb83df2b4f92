#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>

#include "bits.hpp"
#include "goldfinch/math/loss.hpp"
#include "model/golden.hpp"

using goldfinch::Index;
using goldfinch::Matrix;

namespace {

/// LOSS.1 by the words of the rule: all exponentials first, then one sum.
template <class Scalar>
auto by_the_rule(const Scalar* l, Index V, Index target) {
  using Wide = goldfinch::LossScalar<Scalar>;
  Wide m = l[0];
  for (Index v = 0; v < V; ++v) m = std::max(m, Wide(l[v]));
  const Wide sum = goldfinch::plain::blocked_sum<Wide>(V, [&](Index v) { return goldfinch::exp(Wide(Wide(l[v]) - m)); });
  return m + goldfinch::log(sum) - Wide(l[target]);
}

template <class Scalar>
void require_rule() {
  bits::Random random;
  for (const Index V : {1, 2, 63, 64, 65, 127, 128, 1000, 4097}) {
    const auto logits = random.matrix<Scalar>(3, V, 20);
    std::vector<int> targets;
    for (int t = 0; t < 3; ++t) targets.push_back(static_cast<int>(random.below(V)));
    const auto losses = goldfinch::cross_entropy(logits, std::span<const int>(targets));
    for (Index t = 0; t < 3; ++t) REQUIRE(losses[t] == by_the_rule(logits.row(t).data(), V, targets[static_cast<std::size_t>(t)]));
  }
}

}  // namespace

TEST_CASE("LOSS.1 is the rule, to the bit, for every length of a row and every scalar") {
  require_rule<float>();
  require_rule<double>();
  require_rule<long double>();
}

TEST_CASE("LOSS.1 of float logits is that of the same numbers in double") {
  bits::Random random;
  const auto narrow = random.matrix<float>(5, 777, 30);
  const std::vector<int> targets = {0, 776, 5, 100, 64};
  REQUIRE(bits::same(goldfinch::cross_entropy(narrow, std::span<const int>(targets)),
                     goldfinch::cross_entropy(Matrix<double>(narrow.cast<double>()), std::span<const int>(targets))));
}

TEST_CASE("LOSS.1 of equal logits is log V, however large they are") {
  for (const double level : {0.0, 1e300, -1e300, 700.0}) {
    const std::vector<double> logits(1000, level);
    REQUIRE(goldfinch::cross_entropy_row(logits.data(), 1000, 3) == Approx(std::abs(level) > 1e100 ? 0 : std::log(1000.0)).epsilon(1e-14));
  }
}

TEST_CASE("LOSS.1: an impossible target costs infinitely much, the only possible one nothing, and NaN stays NaN") {
  const double infinity = std::numeric_limits<double>::infinity();
  double logits[] = {-infinity, 4, -infinity};
  REQUIRE(goldfinch::cross_entropy_row(logits, 3, 1) == 0);
  REQUIRE(goldfinch::cross_entropy_row(logits, 3, 0) == infinity);
  for (int where = 0; where < 3; ++where) {
    double broken[] = {1, 2, 3};
    broken[where] = std::numeric_limits<double>::quiet_NaN();
    REQUIRE(std::isnan(goldfinch::cross_entropy_row(broken, 3, 1)));
  }
}

TEST_CASE("LOSS.1 refuses targets that are no logits, and other than one a row") {
  const Matrix<double> logits = Matrix<double>::Zero(2, 7);
  for (const std::vector<int>& targets : {std::vector{0, 7}, {-1, 0}, {0}, {0, 1, 2}})
    REQUIRE_THROWS_AS(goldfinch::cross_entropy(logits, std::span<const int>(targets)), goldfinch::Error);
}

TEST_CASE("LOSS.2 is the blocked sum of the losses over their number") {
  bits::Random random;
  const auto losses = random.vector<double>(1000);
  REQUIRE(goldfinch::mean_loss(losses.data(), 1000) == goldfinch::plain::blocked_sum<double>(1000, [&](Index t) { return losses[t]; }) / 1000);
  REQUIRE(std::isnan(goldfinch::mean_loss(losses.data(), 0)));
}

TEST_CASE("LOSS.2 of the golden logits is the golden loss") {
  for (const std::string name : {"goldfinch", "finchc2", "finch", "gptalpha_rope", "llama_rope"}) {
    const std::string gradients = std::string(GOLDFINCH_SHARED) + "/oracle/" + name + ".grad.safetensors";
    if (!std::filesystem::exists(gradients)) {
      WARN("skipped: " + gradients + " is not there");
      return;
    }
    const double golden = goldfinch::load<double>(goldfinch::read_safetensors(gradients).tensors.at("loss").data, 0);
    const auto trace = goldfinch::read_safetensors(golden::path(name) + ".trace.safetensors");
    const auto& logits = trace.tensors.at("logits");
    const auto tokens = golden::tokens(name);
    Matrix<double> rows(static_cast<Index>(tokens.size()) - 1, logits.shape[1]);
    std::memcpy(rows.data(), logits.data, static_cast<std::size_t>(rows.size()) * sizeof(double));
    const auto losses = goldfinch::cross_entropy(rows, std::span(tokens).subspan(1));
    REQUIRE(goldfinch::mean_loss(losses.data(), losses.size()) == Approx(golden).epsilon(1e-14));
  }
}
