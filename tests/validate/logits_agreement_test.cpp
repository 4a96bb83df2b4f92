#include "goldfinch/validate/logits_agreement.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <limits>

#include "bits.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

/// The best agreement over all ways to break the ties: by trying every order of the tied tokens.
double by_trying(const std::vector<double>& e, const std::vector<double>& g, Index k) {
  const auto sets = [&](const std::vector<double>& x) {
    std::vector<std::vector<std::size_t>> all;
    for (unsigned subset = 0; subset < 1u << x.size(); ++subset) {
      if (std::popcount(subset) != k) continue;
      double least_in = std::numeric_limits<double>::infinity(), most_out = -least_in;
      std::vector<std::size_t> members;
      for (std::size_t v = 0; v < x.size(); ++v) {
        if (subset >> v & 1) members.push_back(v), least_in = std::min(least_in, x[v]);
        else most_out = std::max(most_out, x[v]);
      }
      if (least_in >= most_out) all.push_back(members);
    }
    return all;
  };
  std::size_t most = 0;
  for (const auto& a : sets(e))
    for (const auto& b : sets(g)) {
      std::vector<std::size_t> common;
      std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
      most = std::max(most, common.size());
    }
  return static_cast<double>(most) / static_cast<double>(k);
}

}  // namespace

TEST_CASE("KL is the sum of p log(p / q), and does not mind a constant on all logits") {
  const std::vector<double> e = {std::log(0.5), std::log(0.25), std::log(0.25)}, g = {std::log(0.25), std::log(0.5), std::log(0.25)};
  const double expected = 0.5 * std::log(2) + 0.25 * std::log(0.5);
  CHECK(gf::kl_divergence(e, g) == Approx(expected));
  auto raised = g;
  for (double& x : raised) x += 700;
  CHECK(gf::kl_divergence(e, raised) == Approx(expected));
  CHECK(gf::kl_divergence(e, e) == 0);
  CHECK(gf::kl_divergence({1000, 0}, {0, 1000}) == Approx(1000));
}

TEST_CASE("Top-k agreement is the best over all ways to break ties") {
  bits::Random random(2);
  for (int i = 0; i < 300; ++i) {
    const auto few = [&] {  // of four values, so that ties abound
      std::vector<double> x(7);
      for (double& v : x) v = static_cast<double>(random.below(4));
      return x;
    };
    const auto e = few(), g = few();
    for (Index k = 1; k <= 7; ++k) REQUIRE(gf::top_agreement(e, g, k) == by_trying(e, g, k));
  }
}

TEST_CASE("KL and top-1 alone notice that two likely tokens changed places among large logits") {
  gf::Matrix<double> e = gf::Matrix<double>::Constant(3, 40, -100), g;
  e.col(5).setConstant(10), e.col(6).setConstant(9.5);
  g = e;
  g.row(1)(5) = 9.5, g.row(1)(6) = 10;
  const auto l = gf::logits_agreement(gf::Array::view(e), gf::Array::view(g));
  CHECK((g - e).norm() / e.norm() < 1e-3);
  CHECK(l.rows == 3);
  CHECK(l.kl_max_at == 1);
  CHECK(l.kl_max == Approx(0.5 * std::tanh(0.25)));
  CHECK(l.kl_mean == Approx(l.kl_max / 3));
  CHECK(l.top[0] == Approx(2.0 / 3));
  CHECK(l.top[1] == 1);
}

TEST_CASE("Rows that are not finite are left out, and k is at most the vocabulary") {
  gf::Matrix<double> e = bits::Random(1).matrix<double>(4, 3), g = e;
  g(2, 1) = std::numeric_limits<double>::quiet_NaN();
  const auto l = gf::logits_agreement(gf::Array::view(e), gf::Array::view(g));
  CHECK(l.rows == 3);
  CHECK(l.kl_mean == 0);
  CHECK(l.top[2] == 1);
}
