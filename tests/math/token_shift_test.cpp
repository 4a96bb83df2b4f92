#include "goldfinch/math/token_shift.hpp"

#include <catch2/catch.hpp>

#include "bits.hpp"

namespace gf = goldfinch;
using gf::Index, gf::Matrix, gf::Segments, gf::Vector;

namespace {

struct State {
  Vector<double> last = Vector<double>::Zero(3);
};

}  // namespace

TEST_CASE("SHIFT.1 a row is compared with the row before it, the first with zeros or with the last row of the call before") {
  bits::Random random;
  const auto z = random.matrix<double>(5, 3);
  State state;
  const auto before = gf::token_shift(z, Segments<State>{{0, 5, &state}}, &State::last);
  CHECK(before.row(0).isZero(0));
  CHECK(bits::same(before.bottomRows(4), z.topRows(4)));
  CHECK(bits::same(state.last.transpose(), z.row(4)));

  State carried;
  for (const auto& [first, n] : {std::pair<Index, Index>{0, 2}, {2, 1}, {3, 0}, {3, 2}}) {
    const Matrix<double> part = z.middleRows(first, n);
    CHECK(bits::same(gf::token_shift(part, Segments<State>{{0, n, &carried}}, &State::last), before.middleRows(first, n)));
  }
  CHECK(bits::same(carried.last, state.last));
}

TEST_CASE("SHIFT.1 sequences of a batch do not see each other, and one without rows keeps what it carried") {
  bits::Random random;
  const auto z = random.matrix<double>(4, 3);
  State a, b, c;
  b.last << 1, 2, 3;
  const auto before = gf::token_shift(z, Segments<State>{{0, 3, &a}, {3, 0, &b}, {3, 1, &c}}, &State::last);
  CHECK(before.row(3).isZero(0));
  CHECK(bits::same(before.middleRows(1, 2), z.topRows(2)));
  CHECK(bits::same(a.last.transpose(), z.row(2)));
  CHECK(b.last == Vector<double>(Eigen::Vector3d(1, 2, 3)));
  CHECK(bits::same(c.last.transpose(), z.row(3)));
}
