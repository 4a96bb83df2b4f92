#include "goldfinch/validate/verify.hpp"

#include <catch2/catch.hpp>

namespace gf = goldfinch;

#ifdef _OPENMP
TEST_CASE("Verifying leaves the caller's number of threads as it was, also where something throws") {
  const int before = omp_get_max_threads();
  omp_set_num_threads(3);
  std::vector<int> seen;
  const auto one = [&](int threads) {
    CHECK(omp_get_max_threads() == threads);
    seen.push_back(threads);
    if (seen.size() == 5) gf::fail("enough");
  };
  gf::verify_detail::on_1_2_and_5(one);
  CHECK(omp_get_max_threads() == 3);
  CHECK_THROWS_AS(gf::verify_detail::on_1_2_and_5(one), gf::Error);
  CHECK(omp_get_max_threads() == 3);
  CHECK(seen == std::vector<int>{1, 2, 5, 1, 2});
  omp_set_num_threads(before);
}
#endif
