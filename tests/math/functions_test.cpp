#include "goldfinch/math/functions.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "goldfinch/core/parallel.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double least = std::numeric_limits<double>::denorm_min();

#define FUNCTION(f)                                                        \
  struct f##_function {                                                    \
    static constexpr const char* name = #f;                                \
    template <class S>                                                     \
    S operator()(S x) const {                                              \
      return gf::f(x);                                                     \
    }                                                                      \
    template <class S>                                                     \
    void operator()(const S* x, S* y, Index n) const {                     \
      gf::f(x, y, n);                                                      \
    }                                                                      \
  }
FUNCTION(exp);
FUNCTION(expm1);
FUNCTION(log);
FUNCTION(tanh);
FUNCTION(sigmoid);
FUNCTION(silu);
FUNCTION(sin);
FUNCTION(cos);
#undef FUNCTION

template <class Visitor>
void for_each_function(Visitor&& visit) {
  visit(exp_function{}), visit(expm1_function{}), visit(log_function{}), visit(tanh_function{});
  visit(sigmoid_function{}), visit(silu_function{}), visit(sin_function{}), visit(cos_function{});
}

template <class S>
bool same(S a, S b) {
  using Word = std::conditional_t<sizeof(S) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Word>(a) == std::bit_cast<Word>(b) || (a != a && b != b);
}

/// Uniform in [0, 1); any generator does.
double random_unit(std::uint64_t& state) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<double>(state >> 11) * 0x1p-53;
}

template <class S>
std::vector<S> hostile_values() {
  using limits = std::numeric_limits<S>;
  std::vector<S> values;
  for (const double x : {0.0,   1.0,   0.5,   0.3465735902, 0.3465735903, 1.5707963267948966, 3.0,   19.06, 22.0, 36.7,
                         37.5,  40.0,  88.72, 88.73,        103.9,        104.0,              709.78, 709.79, 710.0, 744.4,
                         745.2, 746.0, 760.0, 1e5,          2147483648.0, 2147483649.0,       1e30,  1e-5,  1e-20})
    values.push_back(static_cast<S>(x));
  for (const S x : {limits::denorm_min(), S(3) * limits::denorm_min(), limits::min() / S(2), limits::min(), limits::max(),
                    limits::infinity()})
    values.push_back(x);
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i) values.push_back(-values[i]);
  values.push_back(limits::quiet_NaN());
  return values;
}

#if GOLDFINCH_FLOAT128
using Reference = gf::Float128;
#else
using Reference = long double;
#endif

/// |y - reference| in units of the last place of a double of that size, 2^-1074 where that is subnormal.
double ulps(double y, Reference reference) {
  const double rounded = static_cast<double>(reference);
  if (std::isinf(rounded) || rounded != rounded) return same(y, rounded) ? 0 : inf;
  const double size = std::fabs(rounded), unit = size < 0x1p-1021 ? least : std::ldexp(1.0, std::ilogb(size) - 52);
  const double error = static_cast<double>((static_cast<Reference>(y) - reference) / static_cast<Reference>(unit));
  return std::fabs(error);
}

struct Range {
  double from, to;  // both of one sign: spread evenly over the exponents; otherwise evenly
};

template <class F>
double worst_error(F f, std::vector<Range> ranges, int points) {
  double worst = 0, where = 0;
  std::uint64_t state = 1;
  for (const Range& range : ranges) {
    std::vector<double> x(static_cast<std::size_t>(points)), y(x.size());
    const bool even = range.from * range.to <= 0 || range.to / range.from < 4;
    for (double& v : x) {
      const double u = random_unit(state), w = random_unit(state);
      v = even ? range.from + (range.to - range.from) * u
               : range.from * std::exp2(std::log2(range.to / range.from) * u) * (1 + w * 1e-9);
    }
    f(x.data(), y.data(), points);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = ulps(y[i], f(static_cast<Reference>(x[i])));
      if (!(error <= worst)) worst = error, where = x[i];
    }
  }
  INFO(F::name << " is off by " << worst << " ulp at " << where);
  CHECK(worst < 0.85);
  return worst;
}

// All with one namespace's own functions, as automatic differentiation or interval types have.
namespace counting {
struct Number {
  explicit Number(double v = 0) : value(v) {}
  double value;
};
int calls = 0;
Number exp(Number x) { return ++calls, Number(std::exp(x.value)); }
Number expm1(Number x) { return ++calls, Number(std::expm1(x.value)); }
Number operator+(Number a, Number b) { return Number(a.value + b.value); }
Number operator*(Number a, Number b) { return Number(a.value * b.value); }
Number operator/(Number a, Number b) { return Number(a.value / b.value); }
Number operator-(Number a) { return Number(-a.value); }
bool operator<(Number a, Number b) { return a.value < b.value; }
}  // namespace counting

}  // namespace

TEST_CASE("functions: known values are correctly rounded") {
  CHECK(gf::exp(0.0) == 1.0);
  CHECK(gf::exp(1.0) == 0x1.5bf0a8b145769p+1);
  CHECK(gf::exp(-1.0) == 0x1.78b56362cef38p-2);
  CHECK(gf::expm1(1.0) == 0x1.b7e151628aed3p+0);
  CHECK(gf::log(1.0) == 0.0);
  CHECK(gf::log(2.0) == 0x1.62e42fefa39efp-1);
  CHECK(gf::log(10.0) == 0x1.26bb1bbb55516p+1);
  CHECK(gf::tanh(1.0) == 0x1.85efab514f394p-1);
  CHECK(gf::sigmoid(0.0) == 0.5);
  CHECK(gf::sigmoid(1.0) == 0x1.764d4f5d5a2bdp-1);
  CHECK(gf::silu(1.0) == gf::sigmoid(1.0));
  CHECK(gf::sin(1.0) == 0x1.aed548f090ceep-1);
  CHECK(gf::cos(1.0) == 0x1.14a280fb5068cp-1);
  CHECK(gf::exp(1.0f) == 0x1.5bf0a8p+1f);
  CHECK(gf::sin(0x1.921fb54442d18p+1) == 0x1.1a62633145c07p-53);  // what pi lacks as a double
}

TEST_CASE("functions: limits are exact, zeros keep their sign, NaN stays NaN") {
  for_each_function([](auto f) {
    INFO(f.name);
    CHECK(f(not_a_number) != f(not_a_number));
    CHECK(f(std::numeric_limits<float>::quiet_NaN()) != f(std::numeric_limits<float>::quiet_NaN()));
  });
  CHECK(same(gf::exp(-inf), 0.0));
  CHECK(gf::exp(inf) == inf);
  CHECK(gf::exp(709.782712893384) == 0x1.fffffffffff2ap+1023);
  CHECK(gf::exp(0x1.62e42fefa39f0p+9) == inf);
  CHECK(gf::exp(-745.13) == least);
  CHECK(same(gf::exp(-745.14), 0.0));
  CHECK(gf::exp(-740.0) == 85 * least);

  CHECK(gf::expm1(-inf) == -1.0);
  CHECK(gf::expm1(inf) == inf);
  CHECK(gf::expm1(709.782712893384) == 0x1.fffffffffff2ap+1023);
  CHECK(gf::expm1(709.79) == inf);

  CHECK(same(gf::log(0.0), -inf));
  CHECK(same(gf::log(-0.0), -inf));
  CHECK(gf::log(inf) == inf);
  for (const double x : {-inf, -1.0, -least}) CHECK(gf::log(x) != gf::log(x));
  CHECK(gf::log(least) == -0x1.74385446d71c3p+9);

  CHECK(gf::tanh(inf) == 1.0);
  CHECK(gf::tanh(-inf) == -1.0);
  CHECK(gf::sigmoid(inf) == 1.0);
  CHECK(same(gf::sigmoid(-inf), 0.0));
  CHECK(gf::sigmoid(-740.0) == 85 * least);
  CHECK(gf::silu(inf) == inf);
  CHECK(gf::silu(std::numeric_limits<double>::max()) == std::numeric_limits<double>::max());
  CHECK(same(gf::silu(-inf), -0.0));
  CHECK(same(gf::silu(-std::numeric_limits<double>::max()), -0.0));
  CHECK(gf::silu(-751.0) == -1 * least);

  for (const double x : {0.0, least, 3 * least, 0x1.8p-1023, 1e-300, 1e-17}) {
    for (const double signed_x : {x, -x}) {
      INFO(signed_x);
      CHECK(same(gf::expm1(signed_x), signed_x));
      CHECK(same(gf::tanh(signed_x), signed_x));
      CHECK(same(gf::sin(signed_x), signed_x));
      CHECK(gf::cos(signed_x) == 1.0);
      CHECK(same(gf::silu(signed_x), signed_x * 0.5));
    }
  }
  for (const double x : {inf, -inf, 0x1.0000000000001p31, -1e300}) {
    CHECK(gf::sin(x) != gf::sin(x));
    CHECK(gf::cos(x) != gf::cos(x));
  }
  CHECK(std::fabs(gf::sin(0x1p31)) <= 1.0);

  CHECK(gf::exp(89.0f) == std::numeric_limits<float>::infinity());
  CHECK(gf::exp(-103.9f) == std::numeric_limits<float>::denorm_min());
  CHECK(same(gf::exp(-104.0f), 0.0f));
}

TEST_CASE("functions: an array has the bits of the scalar function, whatever its length, also in place") {
  const auto check = [](auto f, auto zero) {
    using S = decltype(zero);
    const std::vector<S> values = hostile_values<S>();
    bool equal = true, in_place = true, beyond = false;
    for (Index n = 0; n <= 40; ++n) {
      for (std::size_t first = 0; first + static_cast<std::size_t>(n) <= values.size(); first += 7) {
        const S* x = values.data() + first;
        std::vector<S> y(static_cast<std::size_t>(n) + 1, S(7)), z(x, x + n);
        f(x, y.data(), n);
        f(z.data(), z.data(), n);
        for (Index i = 0; i < n; ++i) {
          equal = equal && same(y[static_cast<std::size_t>(i)], f(x[i]));
          in_place = in_place && same(z[static_cast<std::size_t>(i)], f(x[i]));
        }
        beyond = beyond || y.back() != S(7);
      }
    }
    INFO(f.name << (sizeof(S) == 4 ? " of float" : " of double"));
    CHECK(equal);
    CHECK(in_place);
    CHECK_FALSE(beyond);
  };
  for_each_function([&](auto f) { check(f, 0.0f), check(f, 0.0); });
}

TEST_CASE("functions: of float are those of double, rounded once") {
  for_each_function([](auto f) {
    INFO(f.name);
    bool equal = true;
    for (const float x : hostile_values<float>()) equal = equal && same(f(x), static_cast<float>(f(static_cast<double>(x))));
    CHECK(equal);
  });
}

TEST_CASE("functions: the error in double is below 0.85 ulp") {
  constexpr int points = 100000;
  worst_error(exp_function{}, {{-1, 1}, {-746, 709.78}, {-745.2, -707}}, points);
  worst_error(expm1_function{}, {{-0.35, 0.35}, {-2, 2}, {36, 39}, {40, 709.78}, {1e-20, 1}, {-1e-20, -40}}, points);
  worst_error(log_function{}, {{0.7, 1.42}, {1 - 1e-6, 1 + 1e-6}, {1e-300, 1e300}, {0x1p-1060, 0x1p-1020}}, points);
  worst_error(tanh_function{}, {{-0.2, 0.2}, {-3, 3}, {5, 23}, {1e-20, 1}}, points);
  worst_error(sigmoid_function{}, {{-1, 1}, {-40, 40}, {-746, 0}, {-745.2, -707}, {-1e-20, -1}}, points);
  worst_error(silu_function{}, {{-1, 1}, {-40, 42}, {-756, 0}, {-718, -705}, {-1e-20, -1}, {0x1p-1060, 0x1p-1000}}, points);
  const std::vector<Range> angles = {{-0.8, 0.8}, {-100, 100}, {1e-20, 1}, {1, 0x1.fffffp30}, {-0x1p31, 0x1p31}};
  worst_error(sin_function{}, angles, points);
  worst_error(cos_function{}, angles, points);
}

TEST_CASE("functions: sin and cos keep their accuracy at the doubles nearest to multiples of pi/2") {
  // One per distance 2^-50 to 2^-60.5, among all doubles below 2^31; times powers of two as far as they go.
  for (const double x : {0x1.921fb54442d18p+0, 0x1.2d97c7f3321d2p+2, 0x1.6c6cbc45dc8dep+5, 0x1.635e3d74befcap+14,
                         0x1.67e57cdd4dc54p+15, 0x1.65a1dd290660fp+16, 0x1.0dec1da5fa53fp+17, 0x1.39c6fd67805a7p+18,
                         0x1.9eb7148f354d6p+20, 0x1.b951f1572eba5p+23})
    for (double y = x; y < 0x1p31; y += y) {
      INFO(y);
      CHECK(ulps(gf::sin(y), gf::sin(Reference(y))) < 0.85);
      CHECK(ulps(gf::cos(-y), gf::cos(Reference(y))) < 0.85);
    }
}

TEST_CASE("functions: the monotone ones rise with their argument") {
  const auto check = [](auto f, double from, double to) {
    bool rising = true;
    double before = -inf;
    for (double x = from; x < to; x += 1.0 / 1024) {
      const double y = f(x);
      rising = rising && y >= before;
      before = y;
    }
    INFO(f.name);
    CHECK(rising);
  };
  check(exp_function{}, -750, 710);
  check(expm1_function{}, -70, 710);
  check(log_function{}, 0, 700);
  check(tanh_function{}, -25, 25);
  check(sigmoid_function{}, -750, 50);
  check(silu_function{}, -1.25, 50);
}

TEST_CASE("functions: another scalar brings its own, found in its namespace") {
  using counting::Number;
  counting::calls = 0;
  CHECK(gf::exp(Number(1)).value == std::exp(1.0));
  CHECK(gf::expm1(Number(1)).value == std::expm1(1.0));
  CHECK(gf::sigmoid(Number(-2)).value == Approx(gf::sigmoid(-2.0)));
  CHECK(gf::silu(Number(2)).value == Approx(gf::silu(2.0)));
  const Number x[3] = {Number(1), Number(2), Number(3)};
  Number y[3];
  gf::sigmoid(x, y, 3);
  CHECK(y[2].value == gf::sigmoid(Number(3)).value);
  CHECK(counting::calls == 8);

  CHECK(gf::exp(1.0L) == std::exp(1.0L));
  CHECK(gf::sigmoid(-20000.0L) == 0.0L);  // and not infinity / infinity
  CHECK(gf::sigmoid(20000.0L) == 1.0L);
}

TEST_CASE("functions: arrays equal the scalar function on all 2^32 floats", "[.full]") {
  constexpr Index piece = 4096, pieces = (Index{1} << 32) / piece;
  const auto check = [](auto f) {
    std::atomic<Index> different{0};
    gf::parallel_for(pieces, 1, [&](Index begin, Index end) {
      std::vector<float> x(piece), y(piece);
      Index found = 0;
      for (Index p = begin; p < end; ++p) {
        auto word = static_cast<std::uint32_t>(p * piece);
        for (float& v : x) v = std::bit_cast<float>(word++);
        f(x.data(), y.data(), piece);
        for (std::size_t i = 0; i < x.size(); ++i) found += !same(y[i], f(x[i]));
      }
      different += found;
    });
    INFO(f.name);
    CHECK(different == 0);
  };
  check(exp_function{}), check(expm1_function{}), check(tanh_function{});
  check(sigmoid_function{}), check(silu_function{}), check(log_function{});
}
