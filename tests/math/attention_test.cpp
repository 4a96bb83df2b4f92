#include "goldfinch/math/attention.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "bits.hpp"
#include "threads.hpp"

namespace gf = goldfinch;
using gf::Index, gf::Matrix, gf::SoftmaxState;

namespace {

/// Keys and values held as matrices [T, H N].
template <class Scalar>
struct Held {
  Matrix<Scalar> all_k, all_v;
  Index size() const { return all_k.rows(); }
  Index tiles(Index first, std::vector<std::vector<gf::KeyTile<Scalar>>>& out) const {  // two at a time
    for (Index t = first; t < std::min(first + 128, size()); t += 64)
      out[0].push_back({all_k.row(t).data(), all_v.row(t).data(), all_k.cols()});
    return first + 128;
  }
};

template <class Scalar>
Held<Scalar> held(bits::Random& random, Index T, Index D, bool hostile) {
  return hostile ? Held<Scalar>{random.hostile_matrix<Scalar>(T, D), random.hostile_matrix<Scalar>(T, D)}
                 : Held<Scalar>{random.matrix<Scalar>(T, D, 3), random.matrix<Scalar>(T, D)};
}

/// ATT.1 to ATT.4 by the plain tile, each query alone.
template <class Scalar>
Matrix<Scalar> by_plain_tiles(const Matrix<Scalar>& q, Index N, const Held<Scalar>& source) {
  const Index D = q.cols(), first_position = source.size() - q.rows();
  const Scalar scale = Scalar(1) / std::sqrt(static_cast<Scalar>(N));
  Matrix<Scalar> y = Matrix<Scalar>::Zero(q.rows(), D);
  for (Index t = 0; t < q.rows(); ++t)
    for (Index h = 0; h < D; h += N) {
      SoftmaxState<Scalar> s;
      const Index seen = first_position + t + 1;
      for (Index tile = 0; tile < seen; tile += 64)
        gf::plain::attention_tile(N, std::min<Index>(64, seen - tile), q.row(t).data() + h, source.all_k.row(tile).data() + h,
                                  source.all_v.row(tile).data() + h, D, scale, s, y.row(t).data() + h);
      for (Index j = h; j < h + N; ++j) y(t, j) = y(t, j) / s.l;
    }
  return y;
}

template <class Scalar>
Matrix<Scalar> attend(const Matrix<Scalar>& q, Index N, const Held<Scalar>& source) {
  Matrix<Scalar> y(q.rows(), q.cols());
  gf::causal_attention(q, {{0, q.rows(), source.size()}}, N, source, y);
  return y;
}

}  // namespace

TEMPLATE_TEST_CASE("ATT: vectors across keys and channels give the bits of the plain tile, for ragged sizes and hostile numbers",
                   "", float, double) {
  bits::Random random;
  for (const bool hostile : {false, true})
    for (const Index N : {1, 7, 8, 16, 33, 64, 65, 130})
      for (const Index context : {1, 2, 31, 63, 64, 65, 128, 130}) {
        const auto source = held<TestType>(random, context, 2 * N, hostile);
        for (const Index rows : {Index{1}, Index{2}, context}) {
          if (rows > context) continue;
          INFO("N = " << N << ", " << rows << " queries over " << context << " keys" << (hostile ? ", hostile" : ""));
          const auto q = hostile ? random.hostile_matrix<TestType>(rows, 2 * N) : random.matrix<TestType>(rows, 2 * N, 3);
          REQUIRE(bits::same(attend(q, N, source), by_plain_tiles(q, N, source)));
        }
      }
}

TEMPLATE_TEST_CASE("ATT: chunks of queries at any offset into a context, and any number of threads, give the bits of the whole",
                   "", float, double) {
  bits::Random random;
  const Index T = 300, N = 8, D = 24;
  const auto source = held<TestType>(random, T, D, false);
  const auto q = random.matrix<TestType>(T, D, 3);
  const auto whole = attend(q, N, source);
  CHECK(bits::same(whole, by_plain_tiles(q, N, source)));
  threads::on_1_2_and_5([&] {
    for (const auto& [first, rows] : {std::pair<Index, Index>{0, 1},
                                      {0, 64},
                                      {1, 63},
                                      {60, 10},
                                      {63, 2},
                                      {64, 64},
                                      {127, 1},
                                      {128, 130},
                                      {255, 45},
                                      {299, 1},
                                      {0, 300}}) {
      const Held<TestType> prefix{source.all_k.topRows(first + rows), source.all_v.topRows(first + rows)};
      CHECK(bits::same(attend(Matrix<TestType>(q.middleRows(first, rows)), N, prefix), whole.middleRows(first, rows)));
    }
  });
}

TEST_CASE("ATT: query i of n over a context of T sees keys 0 .. T - n + i, each by softmax of its scaled score") {
  bits::Random random;
  for (const Index context : {1, 5, 64, 100, 200})
    for (const Index rows : {Index{1}, Index{3}, context}) {
      if (rows > context) continue;
      const Index N = 16, D = 32;
      const auto source = held<double>(random, context, D, false);
      const auto q = random.matrix<double>(rows, D, 3);
      const auto y = attend(q, N, source);
      for (Index t = 0; t < rows; ++t)
        for (Index h = 0; h < D; h += N) {
          std::vector<long double> weight;
          long double total = 0;
          for (Index i = 0; i <= context - rows + t; ++i) {
            long double score = 0;
            for (Index j = h; j < h + N; ++j) score += static_cast<long double>(q(t, j)) * source.all_k(i, j);
            weight.push_back(std::exp(score / 4));
            total += weight.back();
          }
          for (Index j = h; j < h + N; ++j) {
            long double expected = 0;
            for (std::size_t i = 0; i < weight.size(); ++i)
              expected += weight[i] / total * source.all_v(static_cast<Index>(i), j);
            REQUIRE(std::abs(static_cast<double>(expected) - y(t, j)) < 1e-14);
          }
        }
    }
}

TEST_CASE("ATT: keys that a query may not see do not touch it, not even as NaN") {
  bits::Random random;
  const Index T = 100, N = 8;
  auto source = held<double>(random, T, N, false);
  const auto q = random.matrix<double>(T, N);
  const auto clean = attend(q, N, source);
  source.all_k.bottomRows(30).setConstant(std::numeric_limits<double>::quiet_NaN());
  source.all_v.bottomRows(30).setConstant(std::numeric_limits<double>::infinity());
  const auto spoilt = attend(q, N, source);
  CHECK(bits::same(spoilt.topRows(70), clean.topRows(70)));
  for (Index t = 70; t < T; ++t) CHECK(std::isnan(spoilt(t, 0)));
}

TEST_CASE("ATT: scores of a thousand neither overflow nor lose the other keys' order") {
  Held<double> source{Matrix<double>::Zero(3, 1), Matrix<double>::Zero(3, 1)};
  source.all_k << 1, -1, 1;
  source.all_v << 2, 100, 4;
  const Matrix<double> q = Matrix<double>::Constant(1, 1, 1000.0);
  CHECK(attend(q, 1, source)(0, 0) == 3);
}

TEST_CASE("ATT: rows of the result that belong to others are left alone, and no rows are no work") {
  bits::Random random;
  const auto source = held<float>(random, 10, 8, false);
  const auto q = random.matrix<float>(6, 8);
  Matrix<float> y = Matrix<float>::Constant(6, 8, 7.0f);
  gf::causal_attention(q, {{2, 3, 10}}, 8, source, y);
  CHECK(bits::same(y.middleRows(2, 3), attend(Matrix<float>(q.middleRows(2, 3)), 8, source)));
  CHECK((y.topRows(2).array() == 7.0f).all());
  CHECK((y.bottomRows(1).array() == 7.0f).all());
  gf::causal_attention(q, {{0, 0, 10}}, 8, source, y);
  CHECK((y.topRows(2).array() == 7.0f).all());
}

TEMPLATE_TEST_CASE("ATT: sequences of different lengths in one call give the bits of each alone", "", float, double) {
  struct Several {
    std::vector<Held<TestType>> each;
    Index tiles(Index first, std::vector<std::vector<gf::KeyTile<TestType>>>& out) const {  // one at a time
      for (std::size_t i = 0; i < each.size(); ++i)
        if (first < each[i].size()) out[i].push_back({each[i].all_k.row(first).data(), each[i].all_v.row(first).data(), each[i].all_k.cols()});
      return first + 64;
    }
  };
  bits::Random random;
  const Index N = 16, D = 32;
  Several several;
  std::vector<gf::Queries> queries;
  Index rows = 0;
  for (const auto& [n, context] : {std::pair<Index, Index>{1, 200}, {3, 64}, {0, 10}, {70, 70}, {1, 1}}) {
    several.each.push_back(held<TestType>(random, context, D, false));
    queries.push_back({rows, n, context});
    rows += n;
  }
  const auto q = random.matrix<TestType>(rows, D, 3);
  threads::on_1_2_and_5([&] {
    Matrix<TestType> y(rows, D);
    gf::causal_attention(q, queries, N, several, y);
    for (std::size_t i = 0; i < queries.size(); ++i)
      CHECK(bits::same(y.middleRows(queries[i].first, queries[i].rows), attend(Matrix<TestType>(q.middleRows(queries[i].first, queries[i].rows)), N, several.each[i])));
  });
}
