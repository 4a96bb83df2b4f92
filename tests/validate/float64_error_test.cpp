// float64's own error, which the manifest states from a run in long double, once more from a run in 128 bits: the kit in a wrapper of
// __float128, which itself has no namespace in which layers could find its functions.
#include "goldfinch/math/float128.hpp"

#if GOLDFINCH_FLOAT128

#include <catch2/catch.hpp>

#include "goldfinch/core/matrix.hpp"

namespace quad {

struct Number {
  goldfinch::Float128 x;
  explicit Number(double value = 0) : x(value) {}
  static Number of(goldfinch::Float128 value) {
    Number number;
    number.x = value;
    return number;
  }
  explicit operator long double() const { return static_cast<long double>(x); }
  friend Number operator+(Number a, Number b) { return of(a.x + b.x); }
  friend Number operator-(Number a, Number b) { return of(a.x - b.x); }
  friend Number operator*(Number a, Number b) { return of(a.x * b.x); }
  friend Number operator/(Number a, Number b) { return of(a.x / b.x); }
  friend Number operator-(Number a) { return of(-a.x); }
  friend bool operator<(Number a, Number b) { return a.x < b.x; }
  friend Number sqrt(Number a) { return of(::sqrtq(a.x)); }
  friend Number exp(Number a) { return of(::expq(a.x)); }
  friend Number expm1(Number a) { return of(::expm1q(a.x)); }
  friend Number log(Number a) { return of(::logq(a.x)); }
  friend Number tanh(Number a) { return of(::tanhq(a.x)); }
  friend Number sin(Number a) { return of(::sinq(a.x)); }
  friend Number cos(Number a) { return of(::cosq(a.x)); }
};

}  // namespace quad

template <>
struct Eigen::NumTraits<quad::Number> : Eigen::GenericNumTraits<quad::Number> {};

#include "goldfinch/validate/budgets.hpp"
#include "goldfinch/validate/cases.hpp"
#include "goldfinch/validate/operators.hpp"

namespace gf = goldfinch;

TEST_CASE("float64's own error is the same seen from long double and from 128 bits") {
  const auto infos = gf::operator_list();
  int compared = 0;
  for (const auto& c : gf::reference_cases()) {
    if (c.on_demand || c.name == "wkv6.long") continue;
    INFO(c.name);
    const auto info = std::find_if(infos.begin(), infos.end(), [&](const auto& one) { return one.name == c.op; });
    const auto in = gf::make_inputs(c, *info);
    const auto reference = gf::run_operator<double>(c.op, in), wider = gf::run_operator<long double>(c.op, in),
        widest = gf::run_operator<quad::Number>(c.op, in);
    for (const auto& tensor : reference) {
      INFO(tensor.name);
      const double seen = gf::relative_error(tensor.data, gf::find(wider, tensor.name)->data),
          exact = gf::relative_error(tensor.data, gf::find(widest, tensor.name)->data);
      CHECK(seen <= 1.1 * exact + 0x1p-62);  // long double's own error is some 2^-11 of double's, and its result is rounded to 2^-64
      CHECK(exact <= 1.1 * seen + 0x1p-62);
      CHECK(exact < (c.name == "rotary.far" ? 1e-7 : 1e-13));  // an angle of 10^9 is rounded to 2^-24
      compared += exact > 0;
    }
  }
  CHECK(compared > 100);
}

#endif
