#include "goldfinch/math/quantise.hpp"

#include <catch2/catch.hpp>

#include "bits.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

/// Q8.3 and Q8.4 for one scale, with libm's rounding to the nearest integer.
double squared_error(const std::vector<double>& w, double s, std::vector<int>* q = nullptr) {
  double sum = 0;
  for (const double x : w) {
    const double nearest = std::clamp(std::nearbyint(x * (1 / s)), -127.0, 127.0), d = x - s * nearest;
    sum += d * d;
    if (q) q->push_back(static_cast<int>(nearest));
  }
  return sum;
}

double number(int bits) { return static_cast<double>(gf::widen(gf::BFloat16{static_cast<std::uint16_t>(bits)})); }

struct Quantised {
  gf::BFloat16 scale;
  std::vector<int> q;
};

Quantised quantise(const std::vector<double>& w) {
  std::vector<gf::Q8> numbers(w.size());
  Quantised result{gf::quantise(w.data(), static_cast<Index>(w.size()), numbers.data()), {}};
  for (const gf::Q8 x : numbers) result.q.push_back(x.q);
  return result;
}

std::vector<double> random_numbers(bits::Random& random, Index n, double size) {
  std::vector<double> w;
  for (Index i = 0; i < n; ++i) w.push_back(size * random.number());
  return w;
}

}  // namespace

TEST_CASE("Q8.1 to Q8.4: the scale is the first of the 32 candidates with the least squared error, and q goes with it") {
  bits::Random random(3);
  for (const double size : {1.0, 0.01, 1e-39, 1e-44, 3e37})
    for (const Index n : {1, 2, 7, 63, 64})
      for (int repeat = 0; repeat < 20; ++repeat) {
        auto w = random_numbers(random, n, size);
        const auto [scale, q] = quantise(w);
        const auto largest = std::abs(*std::max_element(w.begin(), w.end(), [](double a, double b) { return std::abs(a) < std::abs(b); }));
        if (largest == 0) continue;
        const int b = gf::to_bfloat16(static_cast<float>(largest / 127)).bits;
        int best = 0;
        for (int bits = b + 29; bits >= b - 2; --bits)
          if (const int c = std::max(bits, 1); best == 0 || squared_error(w, number(c)) <= squared_error(w, number(best))) best = c;
        std::vector<int> expected;
        squared_error(w, number(best), &expected);
        INFO("size " << size << ", n = " << n);
        REQUIRE(scale.bits == best);
        REQUIRE(q == expected);
      }
}

TEST_CASE("Q8: the error is less than with max / 127, and hardly more than with the best scale of all") {
  bits::Random random(4);
  double ours = 0, largest_scale = 0, best = 0;
  for (int repeat = 0; repeat < 300; ++repeat) {
    const auto w = random_numbers(random, 64, 1);
    const double base = std::abs(*std::max_element(w.begin(), w.end(), [](double a, double b) { return std::abs(a) < std::abs(b); })) / 127;
    double least = 1e300;
    for (int bits = gf::to_bfloat16(static_cast<float>(base)).bits - 30, i = 0; i < 130; ++i) least = std::min(least, squared_error(w, number(bits + i)));
    ours += squared_error(w, static_cast<double>(gf::widen(quantise(w).scale)));
    largest_scale += squared_error(w, base);
    best += least;
  }
  CHECK(ours < 0.92 * largest_scale);  // 0.87 for normal numbers; these are nearer to uniform
  CHECK(ours < 1.01 * best);
}

TEST_CASE("Q8: zeros, numbers that are in q8 already, and the ends of the range of float") {
  CHECK(quantise({0, -0.0, 0}).scale.bits == 0);
  CHECK(quantise({0, -0.0, 0}).q == std::vector<int>{0, 0, 0});
  CHECK(quantise({}).scale.bits == 0);
  const auto exact = quantise({127 * 0.25, -3 * 0.25, 0, -127 * 0.25});
  CHECK(gf::widen(exact.scale) == 0.25f);
  CHECK(exact.q == std::vector<int>{127, -3, 0, -127});
  const double most = std::numeric_limits<float>::max(), least = std::numeric_limits<float>::denorm_min();
  const auto large = quantise({most, -most}), small = quantise({least, 0});
  CHECK(large.q[0] == -large.q[1]);
  CHECK(gf::widen(large.scale) * static_cast<double>(large.q[0]) == Approx(most).epsilon(0.01));
  CHECK(small.q == std::vector<int>{0, 0});
  CHECK(std::isfinite(gf::widen(small.scale)));
}
