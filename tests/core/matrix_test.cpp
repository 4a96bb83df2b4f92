// Shapes: how many elements they have, and which have too many; the checks that entrances are made of.
#include "goldfinch/core/matrix.hpp"

#include <limits>

#include "refused.hpp"

using namespace goldfinch;

TEST_CASE("A shape's number of elements is exact, or -1 where it does not fit or a dimension is no size") {
  constexpr Index most = std::numeric_limits<Index>::max(), k = Index{1} << 40, b = Index{1} << 62;
  CHECK(element_count({}) == 1);
  CHECK(element_count({0}) == 0);
  CHECK(element_count({2, 3, 4}) == 24);
  CHECK(element_count({k}) == k);
  CHECK(element_count({k + 1}) == -1);
  CHECK(element_count({k, k}) == -1);
  CHECK(element_count({k, Index{1} << 19}) == -1);
  CHECK(element_count({k, (Index{1} << 19) - 1}) == k * ((Index{1} << 19) - 1));
  CHECK(element_count({-1}) == -1);
  // What has no elements has sizes all the same, and they are multiplied elsewhere, to strides for example.
  CHECK(element_count({0, k, k}) == -1);
  CHECK(element_count({k, 0, k}) == -1);
  CHECK(element_count({0, k, 7}) == 0);
  CHECK(element_count({0, b, b}) == -1);
  CHECK(element_count({b, b, 0}) == -1);
  CHECK(element_count({0, most}) == -1);
  CHECK(element_count({0, -1}) == -1);
  CHECK(element_count({-1, 0}) == -1);
}

TEST_CASE("The checks of entrances say what was given and what was expected") {
  const Matrix<float> x(2, 3);
  CHECK_NOTHROW(require_cols(x, 3, "x"));
  REFUSED(require_cols(x, 4, "x"), "x has 3 columns, expected 4");
  CHECK_NOTHROW(require_shape(x, 2, 3, "x"));
  REFUSED(require_shape(x, 2, 4, "x"), "x is [2, 3], expected [2, 4]");
  REFUSED(require_shape(x, 3, 3, "x"), "x is [2, 3], expected [3, 3]");
  CHECK_NOTHROW(require_size(std::vector<int>(3), 3, "v"));
  REFUSED(require_size(std::vector<int>(3), 2, "v"), "v has 3 numbers, expected 2");
  CHECK_NOTHROW(require_heads(12, 4, "x"));
  CHECK_NOTHROW(require_heads(0, 4, "x"));
  for (const Index N : {0, -4, 5, 24}) REFUSED(require_heads(12, N, "x"), "no whole heads of " + std::to_string(N));
  CHECK_NOTHROW(require_range(0, 3, 3, "rows"));
  CHECK_NOTHROW(require_range(3, 0, 3, "rows"));
  constexpr Index most = std::numeric_limits<Index>::max();
  for (const auto& [first, n] : std::vector<std::pair<Index, Index>>{{0, 4}, {3, 1}, {4, 0}, {-1, 2}, {1, -1}, {most, most}, {1, most}})
    REFUSED(require_range(first, n, 3, "rows"), "but there are 3");
}
