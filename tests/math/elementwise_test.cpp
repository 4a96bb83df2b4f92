#include "goldfinch/math/elementwise.hpp"

#include <catch2/catch.hpp>

#include "bits.hpp"
#include "threads.hpp"

namespace gf = goldfinch;
using gf::Index, gf::Matrix, gf::Vector;

namespace {

/// Whether y(t, i) is f(t, i) everywhere, bit for bit.
template <class Scalar, class F>
bool is(const Matrix<Scalar>& y, F&& f) {
  return bits::same(y,
                    Matrix<Scalar>(Matrix<Scalar>::NullaryExpr(y.rows(), y.cols(), [&](Index t, Index i) { return f(t, i); })));
}

}  // namespace

TEMPLATE_TEST_CASE("Elementwise primitives round every operation, in the order written, hostile numbers too", "", float, double) {
  for (const Index n : {0, 1, 3, 4, 7, 8, 15, 16, 17, 33, 100}) {
    bits::Random random;
    const auto z = random.hostile_matrix<TestType>(5, n), b = random.hostile_matrix<TestType>(5, n),
               offset = random.hostile_matrix<TestType>(5, n);
    const Vector<TestType> m = random.vector<TestType>(n);
    INFO("n = " << n);
    CHECK(is(gf::lerp(z, b, m), [&](Index t, Index i) {
      const TestType difference = b(t, i) - z(t, i), moved = difference * m[i];
      return z(t, i) + moved;
    }));
    CHECK(is(gf::lerp(z, b, m, offset), [&](Index t, Index i) {
      const TestType difference = b(t, i) - z(t, i), rate = m[i] + offset(t, i), moved = difference * rate;
      return z(t, i) + moved;
    }));
    CHECK(is(gf::add(z, b), [&](Index t, Index i) { return z(t, i) + b(t, i); }));
    CHECK(is(gf::add_to_rows(m, z), [&](Index t, Index i) { return m[i] + z(t, i); }));
    CHECK(is(gf::hadamard(z, b), [&](Index t, Index i) { return z(t, i) * b(t, i); }));
    CHECK(is(gf::relu_squared(z), [&](Index t, Index i) { return z(t, i) < 0 ? TestType(0) : z(t, i) * z(t, i); }));
    CHECK(is(gf::tanh(z), [&](Index t, Index i) { return gf::tanh(z(t, i)); }));
    CHECK(is(gf::sigmoid(z), [&](Index t, Index i) { return gf::sigmoid(z(t, i)); }));
    CHECK(is(gf::silu(z), [&](Index t, Index i) { return gf::silu(z(t, i)); }));
  }
}

TEMPLATE_TEST_CASE("A NaN survives relu squared, wherever it stands", "", float, double) {
  for (Index at = 0; at < 37; ++at) {
    Matrix<TestType> x = Matrix<TestType>::Constant(1, 37, -TestType(0));
    x(0, at) = std::numeric_limits<TestType>::quiet_NaN();
    const auto y = gf::relu_squared(x);
    for (Index i = 0; i < 37; ++i) CHECK((i == at ? y(0, i) != y(0, i) : y(0, i) == 0 && !std::signbit(y(0, i))));
  }
}

TEST_CASE("A lerp is contracted nowhere: (1 + e)(1 - e) - 1 is 0, not -e squared") {
  const double e = std::numeric_limits<double>::epsilon();
  const Matrix<double> z = Matrix<double>::Constant(1, 9, -1.0), before = Matrix<double>::Constant(1, 9, e);
  const Vector<double> m = Vector<double>::Constant(9, 1 - e);
  CHECK(gf::lerp(z, before, m).isZero(0));
}

TEST_CASE("Elementwise primitives do not depend on the number of threads") {
  bits::Random random;
  const auto z = random.matrix<float>(300, 1000), b = random.matrix<float>(300, 1000);
  const Matrix<float> expected = gf::lerp(z, b, Vector<float>(Vector<float>::Constant(1000, 0.3f)));
  threads::on_1_2_and_5([&] { CHECK(bits::same(gf::lerp(z, b, Vector<float>(Vector<float>::Constant(1000, 0.3f))), expected)); });
}
