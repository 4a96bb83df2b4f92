// The entrances of math/: what does not fit is refused, in words, before anything is read or written; and linear takes any layout of rows.
#include <limits>

#include "bits.hpp"
#include "goldfinch/math/attention.hpp"
#include "goldfinch/math/linear.hpp"
#include "goldfinch/math/loss.hpp"
#include "goldfinch/math/norms.hpp"
#include "goldfinch/math/quantise.hpp"
#include "goldfinch/math/rotary.hpp"
#include "goldfinch/math/softmax.hpp"
#include "goldfinch/math/token_shift.hpp"
#include "goldfinch/math/wkv6.hpp"
#include "refused.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

using Rows = gf::Matrix<double>;
using Row = gf::Vector<double>;

Rows rows(Index n, Index cols) { return Rows::Constant(n, cols, 0.5); }
Row row(Index n) { return Row::Constant(n, 0.5); }

struct State {
  gf::Matrix<double> S;
  gf::Vector<double> last;
};

}  // namespace

TEMPLATE_TEST_CASE("linear gives the same bits for every layout of x", "", float, double, long double) {
  using S = TestType;
  bits::Random random;
  for (const Index T : {1, 3, 40})
    for (const Index K : {1, 7, 70, 130}) {
      INFO("[" << T << ", " << K << "]");
      const gf::Matrix<S> x = gf::Matrix<S>::NullaryExpr(T, K, [&] { return static_cast<S>(random.number()); });
      const auto W = gf::Weight::out_in(random.matrix<float>(37, K));
      const gf::Matrix<S> y = gf::linear(x, W);
      const auto same = [&](const auto& given) { return gf::Matrix<S>(gf::linear(given, W)) == y; };
      const Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic> column_major = x, turned = x.transpose();
      CHECK(same(column_major));
      CHECK(same(turned.transpose()));
      CHECK(same(x * S(1)));  // an expression
      gf::Matrix<S> wide = gf::Matrix<S>::Constant(T + 2, K + 9, S(7));
      wide.block(1, 5, T, K) = x;
      CHECK(same(wide.block(1, 5, T, K)));
      CHECK(same(wide.middleRows(1, T).middleCols(5, K)));
      std::vector<S> apart(static_cast<std::size_t>(2 * T * K), S(9));
      Eigen::Map<gf::Matrix<S>, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>> every_second(apart.data(), T, K, {2 * K, 2});
      every_second = x;
      CHECK(same(every_second));
      const auto [a, b] = gf::linear_each<S>({{column_major, W}, {wide.block(1, 5, T, K), W}});
      CHECK(a == y);
      CHECK(b == y);
      if (T == 1) CHECK(same(gf::Vector<S>(x.transpose()).transpose()));
      if (K == 1) CHECK(same(gf::Vector<S>(x)));
    }
}

TEST_CASE("linear copies no rows that lie as they should") {
  Rows x = rows(5, 90);
  const auto at = [](const auto& given) { return gf::RowsOf<double>(given).data(); };
  CHECK(at(x) == x.data());
  CHECK(at(x.middleCols(7, 50)) == x.data() + 7);
  CHECK(at(x.row(3)) == x.row(3).data());
  CHECK(at(x.middleRows(2, 2)) == x.row(2).data());
}

TEST_CASE("linear refuses shapes that do not fit") {
  const auto W = gf::Weight::out_in(rows(4, 6)), other = gf::Weight::out_in(rows(3, 6));
  REFUSED(gf::linear(rows(2, 5), W), "the input of a linear layer has 5 columns, expected 6");
  Rows y = rows(2, 3);
  REFUSED(gf::linear_onto(rows(2, 6), W, y), "the output of a linear layer is [2, 3], expected [2, 4]");
  y = rows(3, 4);
  REFUSED(gf::linear_onto(rows(2, 6), W, y), "is [3, 4], expected [2, 4]");
  const Rows two = rows(2, 6), three = rows(3, 6), narrow = rows(2, 5);
  REFUSED((gf::linear_each<double>({{two, W}, {three, other}})), "the inputs have 2 and 3 rows");
  REFUSED((gf::linear_each<double>({{two, W}, {narrow, other}})), "has 5 columns, expected 6");
  REFUSED(gf::linear(rows(2, 6), gf::Weight()), "has 6 columns, expected 0");
}

TEST_CASE("Elementwise primitives refuse shapes that differ") {
  const Rows z = rows(3, 8), tall = rows(4, 8), wide = rows(3, 9);
  for (const Rows& other : {tall, wide}) {
    REFUSED(gf::add(z, other), "add: the second matrix is [");
    REFUSED(gf::hadamard(z, other), "hadamard: the second matrix is [");
    REFUSED(gf::lerp(z, other, row(8)), "lerp: the row before each row is [");
    REFUSED(gf::lerp(z, other, row(8), z), "lerp: the row before each row is [");
    REFUSED(gf::lerp(z, z, row(8), other), "lerp: the offset of the rates is [");
  }
  for (const Index n : {0, 7, 9}) {
    REFUSED(gf::lerp(z, z, row(n)), "lerp: the vector of rates has " + std::to_string(n) + " numbers, expected 8");
    REFUSED(gf::lerp(z, z, row(n), z), "lerp: the vector of rates");
    REFUSED(gf::add_to_rows(row(n), z), "add_to_rows: the vector has " + std::to_string(n) + " numbers");
  }
}

TEST_CASE("Norms refuse weights of other sizes, heads that do not divide a row, and softmax rows without numbers") {
  const Rows x = rows(3, 8);
  for (const Index n : {0, 7, 9}) {
    REFUSED(gf::layer_norm(x, {row(n), row(8)}), "the weight of a norm has " + std::to_string(n) + " numbers, expected 8");
    REFUSED(gf::layer_norm(x, {row(8), row(n)}), "the bias of a norm has");
    REFUSED(gf::group_norm(x, 4, {row(n), row(8)}, 1e-5), "the weight of a norm");
    REFUSED(gf::group_norm(x, 4, {row(8), row(n)}, 1e-5), "the bias of a norm");
  }
  for (const Index N : {0, -1, 3, 16}) REFUSED(gf::group_norm(x, N, {row(8), row(8)}, 1e-5), "group_norm: a row has 8 channels, which are no whole heads of");
  REFUSED(gf::softmax(rows(3, 0)), "softmax: the rows have no numbers");
  CHECK(gf::softmax(rows(0, 0)).size() == 0);
}

TEST_CASE("quantise refuses blocks that are too long and numbers that are not") {
  double w[65] = {1, 2, 3};
  gf::Q8 q[64];
  REFUSED(gf::quantise(w, 65, q), "65 numbers for one scale, expected 0 to 64");
  REFUSED(gf::quantise(w, -1, q), "-1 numbers");
  for (const double bad : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), 1e39}) {
    w[2] = bad;
    REFUSED(gf::quantise(w, 3, q), "number 2 is");
  }
}

TEST_CASE("Losses refuse rows without logits and targets that are none of them") {
  const int targets[] = {0, 2, 1};
  REFUSED(gf::cross_entropy(rows(3, 0), targets), "target 0 is out of range: there are 0 logits");
  REFUSED(gf::cross_entropy(rows(3, 2), targets), "target 2 is out of range");
  REFUSED(gf::cross_entropy(rows(2, 3), targets), "3 targets for 2 rows");
}

TEST_CASE("wkv6 refuses shapes, heads, segments and states that do not fit, and leaves the state as it was") {
  const Rows x = rows(5, 8), tall = rows(6, 8), wide = rows(5, 12);
  State state{rows(8, 4), {}}, another = state;
  const Rows before = state.S;
  const gf::Segments<State> one = {{0, 5, &state}};
  const auto wkv = [&](const Rows& r, const Rows& k, const Rows& v, const Rows& d, const Row* u, Index N, const gf::Segments<State>& segments) {
    return gf::wkv6(r, k, v, d, u, N, segments, &State::S);
  };
  for (const Rows& other : {tall, wide}) {
    REFUSED(wkv(x, other, x, x, nullptr, 4, one), "wkv6: k is [");
    REFUSED(wkv(x, x, other, x, nullptr, 4, one), "wkv6: v is [");
    REFUSED(wkv(x, x, x, other, nullptr, 4, one), "wkv6: d is [");
  }
  const Row u = row(7);
  REFUSED(wkv(x, x, x, x, &u, 4, one), "wkv6: the bonus u has 7 numbers, expected 8");
  for (const Index N : {0, -4, 3}) REFUSED(wkv(x, x, x, x, nullptr, N, one), "no whole heads of");
  REFUSED(wkv(x, x, x, x, nullptr, 2, one), "wkv6: the state S of a sequence is [8, 4], expected [8, 2]");
  REFUSED(wkv(x, x, x, x, nullptr, 4, {{0, 4, &state}}), "expected the 5 of the call");
  REFUSED(wkv(x, x, x, x, nullptr, 4, {{0, 3, &state}, {2, 3, &another}}), "segment 1");
  REFUSED(wkv(x, x, x, x, nullptr, 4, {{0, 3, &state}, {3, 2, &state}}), "have the same state");
  REFUSED(wkv(x, x, x, x, nullptr, 4, {{0, 3, &state}, {3, 2, nullptr}}), "null");
  another.S.resize(0, 0);
  REFUSED(wkv(x, x, x, x, nullptr, 4, {{0, 3, &state}, {3, 2, &another}}), "is [0, 0], expected [8, 4]");
  CHECK(bits::same(state.S, before));
}

TEST_CASE("token_shift refuses rows of other widths and segments that are not the rows, and leaves the states as they were") {
  const Rows z = rows(5, 8);
  State a{{}, row(8)}, b{{}, row(7)};
  const Row before = a.last;
  const auto shift = [&](const gf::Segments<State>& segments) { return gf::token_shift(z, segments, &State::last); };
  REFUSED(shift({{0, 3, &a}, {3, 2, &b}}), "token_shift: the last row of a sequence has 7 numbers, expected 8");
  REFUSED(shift({{0, 6, &a}}), "segment 0 is 6 rows");
  REFUSED(shift({{0, 4, &a}}), "expected the 5 of the call");
  REFUSED(shift({{0, 3, &a}, {3, 2, nullptr}}), "null");
  REFUSED(shift({{0, 3, &a}, {3, 2, &a}}), "have the same state");
  CHECK(bits::same(a.last, before));
}

TEST_CASE("Rotary embeddings refuse heads, rows, positions and settings that do not fit") {
  const gf::Rotary<double> rotary({10000, 1}, 4), none({0, 1}, 4);
  Rows x = rows(5, 8), odd = rows(5, 6);
  for (const auto* const one : {&rotary, &none}) {
    REFUSED(one->turn(x, 3, 3, 0), "3 rows to turn from 3 on, but there are 5");
    REFUSED(one->turn(x, -1, 3, 0), "rows to turn from -1 on");
    REFUSED(one->turn(x, 0, -1, 0), "-1 rows to turn");
    REFUSED(one->turn(x, 0, 5, -1), "at position -1");
    REFUSED(one->turn(odd, 0, 5, 0), "a row has 6 channels, which are no whole heads of 4");
  }
  REFUSED(gf::Rotary<float>({10000, 1}, 0), "heads of 0 channels");
  REFUSED(gf::Rotary<float>({10000, 1}, -2), "heads of -2 channels");
  REFUSED(gf::Rotary<float>({10000, 1}, 5), "an even head size, not 5");
  for (const double base : {1.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) REFUSED(gf::Rotary<float>({base, 1}, 4), "rotary embedding: base is");
  for (const double rescale : {0.0, -1.0}) REFUSED(gf::Rotary<float>({10000, rescale}, 4), "rescale");
}

TEST_CASE("Attention refuses queries, results and sources of keys that do not fit") {
  const Index N = 4;
  const Rows q = rows(5, 8), keys = rows(70, 8);
  Rows y = rows(5, 8);
  struct Source {
    const Rows& keys;
    Index tiles_given = 2, end = 128;
    bool by_head = false;
    Index tiles(Index first, std::vector<std::vector<gf::KeyTile<double>>>& out) const {
      for (Index i = 0; i < tiles_given; ++i) out[0].push_back({keys.row(first + i * 64).data(), keys.row(first + i * 64).data(), 8, by_head});
      return end;
    }
  };
  const auto attend = [&](const std::vector<gf::Queries>& queries, const Source& source) { gf::causal_attention(q, queries, N, source, y); };
  CHECK_NOTHROW(attend({{0, 5, 70}}, {keys}));
  REFUSED(attend({{0, 6, 70}}, {keys}), "attention: sequence 0 has 6 queries from row 0 on");
  REFUSED(attend({{-1, 5, 70}}, {keys}), "from row -1 on");
  REFUSED(attend({{0, -1, 70}}, {keys}), "has -1 queries");
  REFUSED(attend({{0, 5, 4}}, {keys}), "a context of 4");
  REFUSED(attend({{0, 3, 70}, {2, 3, 70}}, {keys}), "attention: sequence 1 has 3 queries from row 2 on");
  REFUSED(attend({{0, 5, 70}}, {keys, 1}), "has 1 tiles of sequence 0 from position 0 to 128, expected 2");
  REFUSED(attend({{0, 5, 64}}, {keys, 2}), "has 2 tiles of sequence 0 from position 0 to 128, expected 1");
  REFUSED(attend({{0, 5, 70}}, {keys, 2, 0}), "came from position 0 to 0");
  REFUSED(attend({{0, 5, 70}}, {keys, 2, 100}), "came from position 0 to 100");
  Rows narrow = rows(5, 4), flat = rows(4, 8);
  REFUSED(gf::causal_attention(q, {{0, 5, 70}}, N, Source{keys}, narrow), "attention: the result is [5, 4], expected [5, 8]");
  REFUSED(gf::causal_attention(q, {{0, 5, 70}}, N, Source{keys}, flat), "attention: the result is [4, 8]");
  for (const Index bad : {0, -4, 3}) REFUSED(gf::causal_attention(q, {{0, 5, 70}}, bad, Source{keys}, y), "no whole heads of");
}
