#include "goldfinch/math/sum.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "bits.hpp"

namespace gf = goldfinch;
using gf::Index;

TEMPLATE_TEST_CASE("A sum with blocks side by side is the plain sum, for lengths around blocks and their groups", "", float,
                   double) {
  bits::Random random;
  for (const Index n : {0, 1, 2, 63, 64, 65, 127, 128, 129, 511, 512, 513, 575, 576, 1023, 1024, 1025, 2000})
    for (const bool hostile : {false, true}) {
      const auto x = hostile ? random.hostile_matrix<TestType>(1, n) : random.matrix<TestType>(1, n);
      const auto term = [&](Index i) { return x(0, i); };
      INFO("n = " << n);
      CHECK(bits::same(gf::blocked_sum<TestType>(n, term), gf::plain::blocked_sum<TestType>(n, term)));
    }
}

TEST_CASE("A sum adds 64 terms in order, then the blocks in order") {
  const float small = 0x1p-24f;  // half a unit in the last place of 1: lost when added to 1, kept when added up first
  std::vector<float> x(128, small);
  x[0] = 1;
  CHECK(gf::blocked_sum<float>(64, [&](Index i) { return x[static_cast<std::size_t>(i)]; }) == 1);
  CHECK(gf::blocked_sum<float>(128, [&](Index i) { return x[static_cast<std::size_t>(i)]; }) == 1 + 64 * small);
  std::swap(x[0], x[63]);
  CHECK(gf::blocked_sum<float>(64, [&](Index i) { return x[static_cast<std::size_t>(i)]; }) ==
        1 + 64 * small);  // 63 of them; the tie goes to even
}

TEST_CASE("An empty sum is +0, and so is a sum of -0") {
  CHECK(!std::signbit(gf::blocked_sum<double>(0, [](Index) { return 1.0; })));
  CHECK(!std::signbit(gf::blocked_sum<double>(3, [](Index) { return -0.0; })));
}
