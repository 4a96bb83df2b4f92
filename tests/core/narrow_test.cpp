#include <catch2/catch.hpp>

#include <cmath>

#include "goldfinch/core/narrow.hpp"

using goldfinch::BFloat16;
using goldfinch::Float16;
using goldfinch::narrow;

namespace {

/// Around every boundary between two neighbouring 16-bit numbers: below it, on it and above it, by the smallest steps of double.
template <class Stored>
void require_nearest(std::uint16_t infinity) {
  for (std::uint16_t low = 0; low < infinity; ++low) {
    const auto high = static_cast<std::uint16_t>(low + 1);
    const double a = goldfinch::widen(Stored{low});
    const double b = high < infinity ? static_cast<double>(goldfinch::widen(Stored{high}))
                                     : a + (a - static_cast<double>(goldfinch::widen(Stored{static_cast<std::uint16_t>(low - 1)})));
    const double middle = a + (b - a) / 2;
    const auto even = low % 2 == 0 ? low : high;
    for (const double sign : {1.0, -1.0}) {
      const std::uint16_t bit = sign < 0 ? 0x8000 : 0;
      const bool right = narrow<Stored>(sign * a).bits == (low | bit) && narrow<Stored>(sign * middle).bits == (even | bit) &&
                         narrow<Stored>(sign * std::nextafter(middle, 0.0)).bits == (low | bit) &&
                         narrow<Stored>(sign * std::nextafter(middle, 1e308)).bits == (high | bit);
      if (!right) FAIL("wrong near " << sign * middle);
    }
  }
}

}  // namespace

TEST_CASE("narrow gives the nearest 16-bit number, ties to even, at every boundary, denormals and overflow included") {
  require_nearest<BFloat16>(0x7f80);
  require_nearest<Float16>(0x7c00);
}

TEST_CASE("narrow rounds once, where rounding to float first would make a tie") {
  const double x = 1 + 0x1p-8 + 0x1p-40;  // above the middle of two bfloat16 neighbours, by less than a float can tell
  REQUIRE(narrow<BFloat16>(x).bits == 0x3f81);
  REQUIRE(goldfinch::to_bfloat16(static_cast<float>(x)).bits == 0x3f80);
}

TEST_CASE("narrow keeps zeros, infinities and NaN") {
  const double infinity = std::numeric_limits<double>::infinity();
  REQUIRE(narrow<BFloat16>(-0.0).bits == 0x8000);
  REQUIRE(narrow<BFloat16>(infinity).bits == 0x7f80);
  REQUIRE(narrow<Float16>(-infinity).bits == 0xfc00);
  REQUIRE(narrow<Float16>(1e308).bits == 0x7c00);
  REQUIRE(narrow<BFloat16>(1e-320).bits == 0);
  REQUIRE(std::isnan(goldfinch::widen(narrow<BFloat16>(std::nan("")))));
  REQUIRE(std::isnan(narrow<float>(std::nan(""))));
  REQUIRE(narrow<double>(0.1) == 0.1);
}
