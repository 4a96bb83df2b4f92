#include "goldfinch/math/rotary.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "bits.hpp"
#include "threads.hpp"

namespace gf = goldfinch;
using gf::Index, gf::Matrix, gf::Rotary;

namespace {

/// ROPE.1 to ROPE.3 in long double.
Matrix<long double> turned(const Matrix<double>& x, Index N, Index position, long double base, long double rescale) {
  Matrix<long double> y(x.rows(), x.cols());
  for (Index t = 0; t < x.rows(); ++t)
    for (Index i = 0; i < x.cols(); i += 2) {
      const long double angle = static_cast<long double>(position + t) *
                                std::pow(base, -static_cast<long double>(i % N) / static_cast<long double>(N)) / rescale;
      const long double c = std::cos(angle), s = std::sin(angle);
      y(t, i) = x(t, i) * c - x(t, i + 1) * s;
      y(t, i + 1) = x(t, i) * s + x(t, i + 1) * c;
    }
  return y;
}

}  // namespace

TEST_CASE("ROPE turns channels 2j and 2j + 1 of every head by the angle of its position") {
  bits::Random random;
  for (const Index N : {2, 8, 64})
    for (const double rescale : {1.0, 4.0}) {
      const auto x = random.matrix<double>(5, 3 * N);
      const Rotary<double> rotary({10000, rescale}, N);
      auto y = x;
      rotary.turn(y, 0, 5, 7);
      const auto expected = turned(x, N, 7, 10000, rescale);
      for (Index i = 0; i < x.size(); ++i) CHECK(std::abs(y.data()[i] - static_cast<double>(expected.data()[i])) < 1e-14);
      const Rotary<float> narrow({10000, rescale}, N);
      Matrix<float> z = x.cast<float>();
      narrow.turn(z, 0, 5, 7);
      for (Index i = 0; i < x.size(); ++i) CHECK(std::abs(z.data()[i] - static_cast<float>(expected.data()[i])) < 4e-7f);
    }
}

TEST_CASE("ROPE.2 angles are exact to a rounding of the frequency up to position 2^31, in float as well") {
  bits::Random random;
  const Index N = 16;
  for (const Index position : {Index{262144}, Index{1} << 24, (Index{1} << 31) - 1}) {
    const auto x = random.matrix<double>(1, N);
    const auto expected = turned(x, N, position, 10000, 1);
    auto y = x;
    Rotary<double>({10000, 1}, N).turn(y, 0, 1, position);
    Matrix<float> z = x.cast<float>();
    Rotary<float>({10000, 1}, N).turn(z, 0, 1, position);
    // The frequency is off by a few 2^-53 of itself, the angle by as much: below position * 2^-51.
    const double allowed = static_cast<double>(position) * 0x1p-51;
    for (Index i = 0; i < N; ++i) {
      INFO("position " << position << ", channel " << i);
      CHECK(std::abs(y(0, i) - static_cast<double>(expected(0, i))) < 1e-14 + allowed);
      CHECK(std::abs(z(0, i) - static_cast<float>(expected(0, i))) < 4e-7 + allowed);
    }
  }
}

TEST_CASE("ROPE: only differences of positions matter to a dot product") {
  bits::Random random;
  const Rotary<double> rotary({10000, 1}, 16);
  const auto q = random.matrix<double>(1, 16), k = random.matrix<double>(1, 16);
  const auto score = [&](Index at_q, Index at_k) {
    auto a = q, b = k;
    rotary.turn(a, 0, 1, at_q);
    rotary.turn(b, 0, 1, at_k);
    double sum = 0;
    for (Index i = 0; i < 16; ++i) sum += a(0, i) * b(0, i);
    return sum;
  };
  CHECK(std::abs(score(9, 4) - score(1009, 1004)) < 1e-12);
  CHECK(std::abs(score(9, 4) - score(9, 5)) > 1e-3);
}

TEMPLATE_TEST_CASE("ROPE turns the rows it is given, each by its own position alone, on any number of threads", "", float,
                   double) {
  bits::Random random;
  const auto x = random.matrix<TestType>(700, 32);
  const Rotary<TestType> rotary({10000, 1}, 8);
  auto whole = x;
  rotary.turn(whole, 0, 700, 3);
  threads::on_1_2_and_5([&] {
    auto y = x;
    rotary.turn(y, 0, 100, 3);
    rotary.turn(y, 100, 0, 103);
    rotary.turn(y, 100, 600, 103);
    CHECK(bits::same(y, whole));
  });
  auto part = x;
  rotary.turn(part, 5, 2, 8);
  CHECK(bits::same(part.topRows(5), x.topRows(5)));
  CHECK(bits::same(part.middleRows(5, 2), whole.middleRows(5, 2)));
  CHECK(bits::same(part.bottomRows(693), x.bottomRows(693)));
}

TEST_CASE("ROPE: a base of 0 means no rotation, and an odd head size is refused only with one") {
  bits::Random random;
  const auto x = random.matrix<double>(3, 9);
  auto y = x;
  const Rotary<double> none({0, 1}, 3);
  none.turn(y, 0, 3, 100);
  CHECK(!none.active());
  CHECK(bits::same(x, y));
  CHECK_THROWS_WITH(Rotary<double>({10000, 1}, 3), Catch::Contains("even head size, not 3"));
}
