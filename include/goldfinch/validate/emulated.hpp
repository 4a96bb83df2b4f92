// A scalar that computes in an emulated number format (number_format.hpp): the layers and models of this library run in bfloat16,
// binary16, TF32 or 8-bit floats as they are written, on any processor, and show what such a format costs.
//
//   const EmulatedFormat use(number_format("bf16"), Accumulation::f32);      until it goes out of scope
//   Model<Emulated> model(…);
//
// Where results are rounded:
//   own format      every operation, sums included, rounds to the format: one rounding an operation, as for float and double
//   f32             inside an operator every operation rounds to float32, and what the operator returns (a matrix: of linear, a norm,
//                   lerp, tanh, wkv, attention, a residual sum, …) rounds once more, to the format. So products have operands in the
//                   format and sums are of float32, as matrix units have it; recurrent states and the weights of softmax stay float32.
//                   decay, one_minus_decay, rotary and losses are no operators of their own here: kernels form them on the fly.
// Weights and inputs are whatever they are filled with: round them first (in_format). exp and the like are those of double, rounded once,
// or, on request, as far off as other libraries' may be.
//
// Emulated is one type; the format is data of the process, because layers make scalars from constants, with no place to hand a
// format through. Set it while nothing else computes with Emulated. With f32 in f32, results are those of float, bit for bit.
#pragma once

#include <bit>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "goldfinch/core/random.hpp"
#include "goldfinch/math/attention.hpp"
#include "goldfinch/math/linear.hpp"
#include "goldfinch/math/loss.hpp"
#include "goldfinch/math/norms.hpp"
#include "goldfinch/math/softmax.hpp"
#include "goldfinch/math/wkv6.hpp"
#include "goldfinch/validate/number_format.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {
/// A namespace of its own, so that the operators below are found by their arguments, in front of the templates that they wrap.
namespace emulated {

inline Rounding operation_rounding(number_formats[0]), stored_rounding(number_formats[0]);
inline double function_error = 0;  // of exp and the like, relative, before they are rounded

class Emulated {
 public:
  explicit Emulated(double value = 0) : x_(operation_rounding(value)) {}
  explicit operator double() const { return x_; }

  friend Emulated operator+(Emulated a, Emulated b) { return Emulated(a.x_ + b.x_); }
  friend Emulated operator-(Emulated a, Emulated b) { return Emulated(a.x_ - b.x_); }
  friend Emulated operator*(Emulated a, Emulated b) { return Emulated(a.x_ * b.x_); }
  friend Emulated operator/(Emulated a, Emulated b) { return Emulated(a.x_ / b.x_); }
  friend Emulated operator-(Emulated a) { return Emulated(-a.x_); }
  friend bool operator<(Emulated a, Emulated b) { return a.x_ < b.x_; }

  friend Emulated sqrt(Emulated a) { return Emulated(std::sqrt(a.x_)); }
  friend Emulated exp(Emulated a) { return function(goldfinch::exp(a.x_)); }
  friend Emulated expm1(Emulated a) { return function(goldfinch::expm1(a.x_)); }
  friend Emulated log(Emulated a) { return function(goldfinch::log(a.x_)); }
  friend Emulated tanh(Emulated a) { return function(goldfinch::tanh(a.x_)); }
  friend Emulated sigmoid(Emulated a) { return function(goldfinch::sigmoid(a.x_)); }
  friend Emulated silu(Emulated a) { return function(goldfinch::silu(a.x_)); }
  friend Emulated sin(Emulated a) { return function(goldfinch::sin(a.x_)); }
  friend Emulated cos(Emulated a) { return function(goldfinch::cos(a.x_)); }

  /// Rounded as what an operator returns.
  Emulated stored() const { return Emulated(stored_rounding(x_)); }

 private:
  /// y, off by up to function_error: at random, and always the same for the same y.
  static Emulated function(double y) {
    if (function_error == 0) return Emulated(y);
    static const RandomStream errors(1, "errors of functions");
    return Emulated(y * (1 + function_error * (2 * errors.uniform(std::bit_cast<std::uint64_t>(y)) - 1)));
  }

  double x_;
};

}  // namespace emulated
using emulated::Emulated;

/// Angles are in double whatever the format, as they are for float.
template <>
struct AtLeastDouble<Emulated> {
  using type = double;
};
}  // namespace goldfinch::inline GOLDFINCH_ISA

template <>
struct Eigen::NumTraits<goldfinch::Emulated> : Eigen::GenericNumTraits<goldfinch::Emulated> {};

namespace goldfinch::inline GOLDFINCH_ISA {
namespace emulated {

using Numbers = Matrix<Emulated>;

inline Numbers stored(Numbers x) {
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = x.data()[i].stored();
  return x;
}

// The operators: those of math/, whose results are then stored.
template <class X>
  requires std::is_same_v<typename X::Scalar, Emulated>
Matrix<typename X::Scalar> linear(const X& x, const Weight& W, ArrayFunction<typename X::Scalar> f = nullptr) {
  auto y = stored(goldfinch::linear(x, W));
  if (!f) return y;
  f(y.data(), y.data(), y.size());
  return stored(std::move(y));
}
inline Numbers tanh(Numbers x) { return stored(goldfinch::tanh<Emulated>(std::move(x))); }
inline Numbers sigmoid(Numbers x) { return stored(goldfinch::sigmoid<Emulated>(std::move(x))); }
inline Numbers silu(Numbers x) { return stored(goldfinch::silu<Emulated>(std::move(x))); }
inline Numbers softmax(Numbers x) { return stored(goldfinch::softmax<Emulated>(std::move(x))); }
inline Numbers relu_squared(Numbers x) { return stored(goldfinch::relu_squared<Emulated>(std::move(x))); }
inline Numbers lerp(const Numbers& z, const Numbers& before, const Vector<Emulated>& m) { return stored(goldfinch::lerp<Emulated>(z, before, m)); }
inline Numbers lerp(const Numbers& z, const Numbers& before, const Vector<Emulated>& m, Numbers offset) {
  return stored(goldfinch::lerp<Emulated>(z, before, m, std::move(offset)));
}
inline Numbers add(Numbers x, const Numbers& y) { return stored(goldfinch::add<Emulated>(std::move(x), y)); }
inline Numbers add_to_rows(const Vector<Emulated>& v, Numbers x) { return stored(goldfinch::add_to_rows<Emulated>(v, std::move(x))); }
inline Numbers hadamard(Numbers x, const Numbers& y) { return stored(goldfinch::hadamard<Emulated>(std::move(x), y)); }
inline Numbers layer_norm(const Numbers& x, const Affine<Emulated>& affine) { return stored(goldfinch::layer_norm<Emulated>(x, affine)); }
inline Numbers group_norm(Numbers x, Index N, const Affine<Emulated>& affine, Emulated eps) {
  return stored(goldfinch::group_norm<Emulated>(std::move(x), N, affine, eps));
}
inline Numbers rms_norm(Numbers x) { return stored(goldfinch::rms_norm<Emulated>(std::move(x))); }
template <class State>
Numbers wkv6(const Numbers& r, const Numbers& k, const Numbers& v, const Numbers& d, const Vector<Emulated>* u, Index N,
             const Segments<State>& segments, Numbers State::*state) {
  return stored(goldfinch::wkv6<Emulated, State>(r, k, v, d, u, N, segments, state));
}
template <class Source>
void causal_attention(const Numbers& q, const std::vector<Queries>& sequences, Index N, Source&& source, Numbers& y) {
  goldfinch::causal_attention<Emulated>(q, sequences, N, source, y);
  y = stored(std::move(y));
}

/// Losses in the numbers of the computation: the library's are of double for every scalar, other right backends' are not.
inline Vector<Emulated> cross_entropy(const Numbers& logits, std::span<const int> targets) {
  require_targets(targets, logits.rows(), logits.cols());
  Vector<Emulated> losses(logits.rows());
  for (Index t = 0; t < logits.rows(); ++t) {
    const auto row = logits.row(t);
    Emulated m = row[0], sum(0);
    for (Index v = 1; v < row.size(); ++v) m = m < row[v] ? row[v] : m;
    for (Index v = 0; v < row.size(); ++v) sum = sum + exp(row[v] - m);
    losses[t] = (m + log(sum)) - row[targets[static_cast<std::size_t>(t)]];
  }
  return losses;
}

}  // namespace emulated

enum class Accumulation { own, f32 };

/// The format of Emulated, until this goes out of scope. Elementary functions are off by up to `function_ulps` units in the last place of the
/// numbers of the computation.
class EmulatedFormat {
 public:
  EmulatedFormat(const NumberFormat& format, Accumulation accumulation, double function_ulps = 0) {
    const NumberFormat& operation = accumulation == Accumulation::f32 ? number_formats[0] : format;
    emulated::operation_rounding = Rounding(operation);
    emulated::stored_rounding = Rounding(format);
    emulated::function_error = function_ulps * 2 * operation.unit_roundoff();
  }
  ~EmulatedFormat() {
    emulated::operation_rounding = operation_;
    emulated::stored_rounding = stored_;
    emulated::function_error = function_error_;
  }
  EmulatedFormat(const EmulatedFormat&) = delete;
  EmulatedFormat& operator=(const EmulatedFormat&) = delete;

 private:
  Rounding operation_ = emulated::operation_rounding, stored_ = emulated::stored_rounding;
  double function_error_ = emulated::function_error;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
