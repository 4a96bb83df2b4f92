#include "goldfinch/math/wkv6.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "bits.hpp"
#include "threads.hpp"

namespace gf = goldfinch;
using gf::Index, gf::Matrix, gf::Segments, gf::Vector;

namespace {

template <class Scalar>
struct State {
  Matrix<Scalar> S;  // [H N, N]
};

template <class Scalar>
struct Inputs {
  Matrix<Scalar> r, k, v, d;
  Vector<Scalar> u;

  Inputs(Index T, Index D, bool hostile) {
    bits::Random random(static_cast<std::uint64_t>(T + D));
    const auto make = [&] { return hostile ? random.hostile_matrix<Scalar>(T, D) : random.matrix<Scalar>(T, D); };
    r = make(), k = make(), v = make(), u = random.vector<Scalar>(D);
    // Decays: forget at once, keep for ever, nearly either, and ordinary ones.
    d = Matrix<Scalar>::NullaryExpr(T, D, [&] {
      constexpr double extremes[] = {0, 1, 1e-300, 5e-324, 1 - 1e-16, 1e-20};
      return static_cast<Scalar>(random.below(3) ? std::abs(random.number()) : extremes[random.below(6)]);
    });
  }
};

/// WKV.1 and WKV.2 word for word, one token and one head at a time.
template <class Scalar>
Matrix<Scalar> by_the_rule(const Inputs<Scalar>& in, bool bonus, Index N, Index first, Index rows, Matrix<Scalar>& S) {
  Matrix<Scalar> y(rows, in.r.cols());
  for (Index t = 0; t < rows; ++t)
    for (Index h = 0; h < in.r.cols(); h += N) {
      const auto at = [&](const Matrix<Scalar>& x) { return x.row(first + t).data() + h; };
      const Scalar *r = at(in.r), *k = at(in.k), *v = at(in.v), *d = at(in.d), *u = in.u.data() + h;
      const Scalar b = gf::plain::blocked_sum<Scalar>(N, [&](Index i) { return (r[i] * u[i]) * k[i]; });
      for (Index j = 0; j < N; ++j) {
        Scalar sum = bonus ? b * v[j] : Scalar(0);
        for (Index i = 0; i < N; ++i) {
          Scalar& s = S(h + i, j);
          const Scalar read = r[i] * s, kept = d[i] * s, added = k[i] * v[j];
          sum = sum + read;  // read before the update
          s = kept + added;
        }
        y(t, h + j) = sum;
      }
    }
  return y;
}

}  // namespace

TEMPLATE_TEST_CASE("WKV: vectors and two tokens a pass give the bits of one number and one token at a time", "", float, double) {
  for (const Index N : {1, 7, 8, 16, 32, 33, 64, 65, 72})
    for (const Index T : {0, 1, 2, 3, 6})
      for (const bool bonus : {false, true})
        for (const bool hostile : {false, true}) {
          INFO("N = " << N << ", T = " << T << (bonus ? ", with bonus" : "") << (hostile ? ", hostile" : ""));
          const Index D = 2 * N;
          const Inputs<TestType> in(T, D, hostile);
          bits::Random random;
          State<TestType> state{random.matrix<TestType>(D, N)};
          auto S = state.S;
          const auto y = gf::wkv6(in.r, in.k, in.v, in.d, bonus ? &in.u : nullptr, N, Segments<State<TestType>>{{0, T, &state}},
                                  &State<TestType>::S);
          REQUIRE(bits::same(y, by_the_rule(in, bonus, N, 0, T, S)));
          REQUIRE(bits::same(state.S, S));
        }
}

TEMPLATE_TEST_CASE("WKV: the plain step is the rule", "", float, double) {
  for (const bool bonus : {false, true}) {
    const Index N = 7;
    const Inputs<TestType> in(1, N, false);
    bits::Random random;
    auto S = random.matrix<TestType>(N, N);
    auto expected_S = S;
    Matrix<TestType> y(1, N);
    gf::plain::wkv6_step(N, in.r.data(), in.k.data(), in.v.data(), in.d.data(), bonus ? in.u.data() : nullptr, S.data(),
                         y.data());
    CHECK(bits::same(y, by_the_rule(in, bonus, N, 0, 1, expected_S)));
    CHECK(bits::same(S, expected_S));
  }
}

TEMPLATE_TEST_CASE("WKV: segments have states of their own, carried from call to call, on any number of threads", "", float,
                   double) {
  const Index N = 16, D = 48;
  const Inputs<TestType> in(23, D, false);
  const auto zero = [&] { return State<TestType>{Matrix<TestType>::Zero(D, N)}; };
  threads::on_1_2_and_5([&] {
    std::vector<State<TestType>> states(3, zero());
    const Segments<State<TestType>> segments = {{0, 11, &states[0]}, {11, 0, &states[1]}, {11, 12, &states[2]}};
    const auto y = gf::wkv6(in.r, in.k, in.v, in.d, &in.u, N, segments, &State<TestType>::S);
    for (const auto& s : segments) {
      auto expected = zero();
      CHECK(bits::same(y.middleRows(s.first, s.rows), by_the_rule(in, true, N, s.first, s.rows, expected.S)));
      CHECK(bits::same(s.state->S, expected.S));
    }
    auto carried = zero();
    for (Index t = 0; t < 11; ++t) {
      const auto row = [&](const Matrix<TestType>& x) { return Matrix<TestType>(x.row(t)); };
      CHECK(bits::same(gf::wkv6(row(in.r), row(in.k), row(in.v), row(in.d), &in.u, N, Segments<State<TestType>>{{0, 1, &carried}},
                                &State<TestType>::S),
                       y.row(t)));
    }
    CHECK(bits::same(carried.S, states[0].S));
  });
}

TEST_CASE("WKV.1 S is [key, value], read before the update; WKV.2 the decay is the key channel's") {
  const Index N = 2;
  State<double> state{Matrix<double>::Zero(N, N)};
  const auto row = [](double a, double b) {
    Matrix<double> x(1, 2);
    x << a, b;
    return x;
  };
  const auto call = [&](const Matrix<double>& r, const Matrix<double>& k, const Matrix<double>& v, const Matrix<double>& d,
                        const Vector<double>* u) {
    return gf::wkv6(r, k, v, d, u, N, Segments<State<double>>{{0, 1, &state}}, &State<double>::S);
  };
  CHECK(call(row(1, 1), row(2, 3), row(5, 7), row(0.5, 0.25), nullptr) == row(0, 0));
  CHECK(state.S(0, 1) == 14);  // key channel 0, value channel 1
  CHECK(state.S(1, 0) == 15);
  CHECK(call(row(1, 0), row(0, 0), row(0, 0), row(0.5, 0.25), nullptr) == row(10, 14));
  CHECK(state.S(0, 1) == 7);
  CHECK(state.S(1, 0) == 3.75);
  const Vector<double> u = Vector<double>::Constant(2, 2.0);
  CHECK(call(row(0, 1), row(0, 3), row(1, 1), row(1, 1), &u) == row(3.75 + 6, 5.25 + 6));
}

TEMPLATE_TEST_CASE("WKV: without a bonus the sum starts from +0, so that a result of nothing is +0", "", float, double) {
  for (const Index N : {1, 4, 8, 16, 32, 64})
    for (const Index T : {1, 2}) {
      State<TestType> state{Matrix<TestType>::Constant(N, N, TestType(-0.0))};
      const Matrix<TestType> one = Matrix<TestType>::Constant(T, N, TestType(1)),
                             zero = Matrix<TestType>::Constant(T, N, TestType(-0.0));
      const auto y =
          gf::wkv6<TestType>(one, zero, one, one, nullptr, N, Segments<State<TestType>>{{0, T, &state}}, &State<TestType>::S);
      CHECK(bits::same(y, Matrix<TestType>::Zero(T, N)));
    }
}
