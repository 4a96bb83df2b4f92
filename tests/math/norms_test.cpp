#include "goldfinch/math/norms.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "bits.hpp"
#include "threads.hpp"

namespace gf = goldfinch;
using gf::Affine, gf::Index, gf::Matrix, gf::Vector;

namespace {

constexpr Index lengths[] = {1, 2, 3, 8, 63, 64, 65, 100, 511, 512, 513, 1100};

/// NORM.1 word for word, on plain sums.
template <class Scalar>
std::vector<Scalar> by_the_rule(const Scalar* x, Index n, const Scalar* weight, const Scalar* bias, double eps) {
  const auto sum = [&](auto term) { return gf::plain::blocked_sum<Scalar>(n, term); };
  const Scalar m = sum([&](Index i) { return x[i]; }) / static_cast<Scalar>(n);
  std::vector<Scalar> e, y;
  for (Index i = 0; i < n; ++i) e.push_back(x[i] - m);
  const Scalar v =
      sum([&](Index i) { return e[static_cast<std::size_t>(i)] * e[static_cast<std::size_t>(i)]; }) / static_cast<Scalar>(n);
  const Scalar root = std::sqrt(v + static_cast<Scalar>(eps));
  for (Index i = 0; i < n; ++i) {
    const Scalar scaled = (e[static_cast<std::size_t>(i)] / root) * weight[i];
    y.push_back(scaled + bias[i]);
  }
  return y;
}

template <class Scalar>
Affine<Scalar> affine(bits::Random& random, Index n) {
  return {random.vector<Scalar>(n), random.vector<Scalar>(n)};
}

}  // namespace

TEMPLATE_TEST_CASE("NORM.1 layer norm follows its definition operation by operation, hostile numbers too", "", float, double) {
  bits::Random random;
  for (const Index n : lengths)
    for (const bool hostile : {false, true}) {
      INFO("n = " << n);
      const auto x = hostile ? random.hostile_matrix<TestType>(3, n) : random.matrix<TestType>(3, n, 5);
      const auto norm = affine<TestType>(random, n);
      const auto y = gf::layer_norm(x, norm);
      for (Index t = 0; t < 3; ++t) {
        const auto expected = by_the_rule(x.row(t).data(), n, norm.weight.data(), norm.bias.data(), 1e-5);
        REQUIRE(bits::same(y.row(t).data(), expected.data(), n));
      }
    }
}

TEMPLATE_TEST_CASE("NORM.2 group norm is a layer norm over each head's channels, with its own eps", "", float, double) {
  bits::Random random;
  for (const Index N : {1, 2, 8, 16, 64, 100}) {
    const auto x = random.matrix<TestType>(4, 3 * N, 5);
    const auto norm = affine<TestType>(random, 3 * N);
    const auto y = gf::group_norm(x, N, norm, static_cast<TestType>(6.4e-4));
    for (Index t = 0; t < 4; ++t)
      for (Index h = 0; h < 3 * N; h += N) {
        const auto expected = by_the_rule(x.row(t).data() + h, N, norm.weight.data() + h, norm.bias.data() + h, 6.4e-4);
        REQUIRE(bits::same(y.row(t).data() + h, expected.data(), N));
      }
  }
}

TEMPLATE_TEST_CASE("NORM.3 rms norm adds its eps to the root, not under it", "", float, double) {
  bits::Random random;
  for (const Index n : lengths)
    for (const bool hostile : {false, true}) {
      const auto x = hostile ? random.hostile_matrix<TestType>(2, n) : random.matrix<TestType>(2, n, 5);
      const auto y = gf::rms_norm(x);
      for (Index t = 0; t < 2; ++t) {
        const TestType mean =
            gf::plain::blocked_sum<TestType>(n, [&](Index i) { return x(t, i) * x(t, i); }) / static_cast<TestType>(n);
        const TestType root = std::sqrt(mean) + TestType(1e-8);
        for (Index i = 0; i < n; ++i) REQUIRE(bits::same(y(t, i), x(t, i) / root));
      }
    }
  CHECK(gf::rms_norm(Matrix<double>(Matrix<double>::Constant(1, 4, 1e-8)))(0, 0) == Approx(0.5));
  CHECK(gf::rms_norm(Matrix<double>(Matrix<double>::Zero(1, 4)))(0, 0) == 0);
}

TEST_CASE("NORM.1 in double agrees with long double on the biased variance") {
  bits::Random random;
  const Index n = 700;
  const auto x = random.matrix<double>(1, n, 3);
  const auto norm = affine<double>(random, n);
  const auto y = gf::layer_norm(x, norm);
  long double m = 0, v = 0;
  for (Index i = 0; i < n; ++i) m += static_cast<long double>(x(0, i)) / n;
  for (Index i = 0; i < n; ++i) v += (x(0, i) - m) * (x(0, i) - m) / n;
  for (Index i = 0; i < n; ++i)
    CHECK(std::abs(static_cast<double>((x(0, i) - m) / std::sqrt(v + 1e-5L) * norm.weight[i] + norm.bias[i]) - y(0, i)) < 1e-14);
}

TEST_CASE("Norms do not depend on the number of threads") {
  bits::Random random;
  const auto x = random.matrix<float>(70, 1000);
  const auto norm = affine<float>(random, 1000);
  const Matrix<float> one_by_one = [&] {
    Matrix<float> y(70, 1000);
    for (Index t = 0; t < 70; ++t) y.row(t) = gf::layer_norm(Matrix<float>(x.row(t)), norm);
    return y;
  }();
  threads::on_1_2_and_5([&] { CHECK(bits::same(gf::layer_norm(x, norm), one_by_one)); });
}
