// Emulated formats: rounding against the library's own narrowing and against every number of the small formats; arithmetic against
// float; layers and models, which in emulated f32 give the bits of float.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "bits.hpp"
#include "goldfinch/core/narrow.hpp"
#include "goldfinch/validate/emulated.hpp"
#include "goldfinch/validate/recording.hpp"
#include "model/golden.hpp"

namespace gf = goldfinch;
using gf::Accumulation, gf::Emulated, gf::EmulatedFormat, gf::Index, gf::NumberFormat, gf::Rounding;

namespace {

/// All numbers of a small format that are not negative, in order, by what exponent and fraction mean.
std::vector<double> numbers_of(const NumberFormat& format) {
  std::vector<double> numbers;
  const int fractions = 1 << format.fraction_bits;
  for (int e = 0; e < 1 << format.exponent_bits; ++e)
    for (int f = 0; f < fractions; ++f) {
      const double fraction = static_cast<double>(f) / fractions;
      if (e == 0) numbers.push_back(std::ldexp(fraction, 1 - format.bias()));
      else numbers.push_back(std::ldexp(1 + fraction, e - format.bias()));
    }
  numbers.resize(numbers.size() - (format.has_infinity ? static_cast<std::size_t>(fractions) : 1));
  return numbers;
}

double number(Emulated x) { return static_cast<double>(x); }

/// Doubles of every size that matters to a format, ties among them.
double test_number(bits::Random& random, const NumberFormat& format) {
  const int exponent = static_cast<int>(random.below(2 * format.bias() + format.fraction_bits + 10)) - format.bias() - format.fraction_bits - 4;
  double x = std::ldexp(1 + random.number() / 2, exponent);
  if (random.below(2)) x = std::ldexp(std::rint(std::ldexp(x, format.fraction_bits + 1 - exponent)), exponent - format.fraction_bits - 1);
  return random.below(2) ? x : -x;
}

}  // namespace

TEST_CASE("Rounding gives the library's own float32, bfloat16 and binary16 numbers") {
  bits::Random random(1);
  const Rounding f32(gf::number_format("f32")), bf16(gf::number_format("bf16")), fp16(gf::number_format("fp16"));
  for (int i = 0; i < 200000; ++i) {
    const double x = i % 3 ? test_number(random, gf::number_format(i % 3 == 1 ? "fp16" : "bf16")) : random.hostile<double>();
    CAPTURE(x);
    REQUIRE(bits::same(f32(x), static_cast<double>(static_cast<float>(x))));
    REQUIRE(bits::same(bf16(x), static_cast<double>(gf::widen(gf::narrow<gf::BFloat16>(x)))));
    REQUIRE(bits::same(fp16(x), static_cast<double>(gf::widen(gf::narrow<gf::Float16>(x)))));
  }
}

TEST_CASE("Rounding to 8 bits finds the nearest of all numbers, the even one on a tie") {
  for (const char* name : {"e4m3", "e5m2"}) {
    const NumberFormat& format = gf::number_format(name);
    const auto numbers = numbers_of(format);
    const Rounding round(format);
    CHECK(numbers.back() == (std::string(name) == "e4m3" ? 448 : 57344));
    CHECK(format.largest() == numbers.back());
    for (const double x : numbers) REQUIRE(round(x) == x);
    for (std::size_t i = 0; i + 1 < numbers.size(); ++i) {
      const double middle = (numbers[i] + numbers[i + 1]) / 2;
      CAPTURE(name, middle);
      REQUIRE(round(middle) == numbers[i % 2 ? i + 1 : i]);
      REQUIRE(round(-std::nextafter(middle, 0)) == -numbers[i]);
      REQUIRE(round(std::nextafter(middle, 1e9)) == numbers[i + 1]);
    }
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(round(1e9) == (format.has_infinity ? infinity : 448));
    CHECK(round(-infinity) == (format.has_infinity ? -infinity : -448));
    CHECK(std::isnan(round(std::nan(""))));
    CHECK(std::signbit(round(-0.0)));
  }
  CHECK_THROWS_WITH(gf::number_format("fp4"), Catch::Contains("'fp4'") && Catch::Contains("tf32"));
}

TEST_CASE("Emulated f32 operations and functions are those of float") {
  const EmulatedFormat use(gf::number_format("f32"), Accumulation::own);
  bits::Random random(2);
  for (int i = 0; i < 100000; ++i) {
    const float a = random.hostile<float>(), b = random.hostile<float>();
    const Emulated x{static_cast<double>(a)}, y{static_cast<double>(b)};
    CAPTURE(a, b);
    REQUIRE(bits::same(number(x + y), static_cast<double>(a + b)));
    REQUIRE(bits::same(number(x - y), static_cast<double>(a - b)));
    REQUIRE(bits::same(number(x * y), static_cast<double>(a * b)));
    REQUIRE(bits::same(number(x / y), static_cast<double>(a / b)));
    REQUIRE(bits::same(number(sqrt(x)), static_cast<double>(std::sqrt(a))));
    REQUIRE(bits::same(number(gf::exp(x)), static_cast<double>(gf::exp(a))));
    REQUIRE(bits::same(number(silu(x)), static_cast<double>(gf::silu(a))));
    REQUIRE((x < y) == (a < b));
  }
}

TEST_CASE("Functions that are a unit in the last place off are off by no more, of either sign, and always alike") {
  const EmulatedFormat use(gf::number_format("f32"), Accumulation::f32, 1);
  bits::Random random(4);
  int off[2] = {0, 0}, all[2] = {0, 0};
  for (int i = 0; i < 20000; ++i) {
    const Emulated x(random.number() * 3);
    const Emulated y[] = {tanh(x), expm1(x), silu(x)}, again[] = {tanh(x), expm1(x), silu(x)};
    const double exact[] = {gf::tanh(number(x)), gf::expm1(number(x)), gf::silu(number(x))};
    for (int f = 0; f < 3; ++f) {
      CAPTURE(number(x), f);
      const bool negative = exact[f] < 0;
      // One unit in the last place is at most 2^-23 of the number; rounding to float adds half a one.
      REQUIRE(std::abs(number(y[f]) - exact[f]) <= 1.5 * 0x1p-23 * std::abs(exact[f]));
      REQUIRE(bits::same(number(y[f]), number(again[f])));
      ++all[negative];
      off[negative] += number(y[f]) != static_cast<double>(static_cast<float>(exact[f]));
    }
  }
  for (const int sign : {0, 1}) {
    CAPTURE(sign);
    CHECK(all[sign] > 10000);
    CHECK(off[sign] > all[sign] / 4);  // up to a unit off, evenly: more than half of them are nearer to another float
  }
}

TEST_CASE("Whole models in emulated f32 give the bits of float, by either accumulation") {
  for (const char* name : {"goldfinch_rope", "finch", "gptalpha_rope", "llama_rope", "finchc2_no_v2"}) {
    INFO(name);
    const auto checkpoint = golden::weights(name);
    const auto tokens = golden::tokens(name);
    const auto record = [&]<class Scalar>(gf::Recording<Scalar>& recording) {
      const auto model = gf::load_model<Scalar>(checkpoint);
      auto state = model.initial_state();
      model.forward({{tokens, &state}}, gf::Trace<Scalar>(&recording));
    };
    gf::Recording<float> expected;
    record(expected);
    for (const auto accumulation : {Accumulation::own, Accumulation::f32}) {
      const EmulatedFormat use(gf::number_format("f32"), accumulation);
      gf::Recording<Emulated> actual;
      record(actual);
      REQUIRE(actual.tensors().size() == expected.tensors().size());
      for (const auto& tensor : expected.tensors()) {
        INFO(tensor.name);
        REQUIRE(bits::same(actual.find(tensor.name)->data.data(), tensor.data.data(), static_cast<Index>(tensor.data.size())));
      }
    }
  }
}

TEST_CASE("What operators return is in the format; sums are in it only with own accumulation") {
  bits::Random random(3);
  const NumberFormat& bf16 = gf::number_format("bf16");
  const Rounding round(bf16);
  const Index K = 4096;
  auto x = random.matrix<double>(1, K), W = random.matrix<double>(8, K);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = round(x.data()[i]);
  for (Index i = 0; i < W.size(); ++i) W.data()[i] = round(W.data()[i]);
  const auto weight = gf::Weight::out_in(W);
  const gf::Matrix<double> exact = gf::linear(x, weight);
  const auto errors = [&](Accumulation accumulation) {
    const EmulatedFormat use(bf16, accumulation);
    gf::Matrix<Emulated> narrow(1, K);
    for (Index i = 0; i < K; ++i) narrow.data()[i] = Emulated(x.data()[i]);
    const gf::Matrix<Emulated> y = linear(narrow, weight);
    double largest = 0;
    for (Index n = 0; n < 8; ++n) {
      CHECK(number(y(0, n)) == round(number(y(0, n))));
      largest = std::max(largest, std::abs(number(y(0, n)) - exact(0, n)));
    }
    return largest;
  };
  double scale = 0;
  for (Index n = 0; n < 8; ++n) scale = std::max(scale, std::abs(exact(0, n)));
  const double own = errors(Accumulation::own), wide = errors(Accumulation::f32);
  CHECK(wide <= scale * 0x1p-8);  // one rounding at the end; what float32 adds is far below it
  CHECK(own > 4 * wide);          // 64 roundings a block, each of up to 2^-8 of the running sum
}
