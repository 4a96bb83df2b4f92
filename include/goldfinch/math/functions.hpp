// exp, expm1, log, tanh, sigmoid, silu, sin and cos, of one number and of arrays. For double they are the kernels of
// exponential.hpp and trigonometric.hpp; for float those, rounded once; arrays are vectorised and give the bits of the scalar
// function for every element. Any other scalar uses its own functions: exp(x) found in its namespace, std's for long double,
// float128.hpp's; its sigmoid and silu are formed from its exp (and silu(-infinity) is NaN there, not -0).
//
//   sigmoid(x) = 1 / (1 + e^-x)        silu(x) = x sigmoid(x)        expm1(x) = e^x - 1
//
// Inside namespace goldfinch a plain exp(x) means these; elsewhere write goldfinch::exp(x) and do not import the namespace, since
// <math.h> may have put ::exp beside it. Integers are refused. In arrays y may be x, but must not overlap it otherwise.
#pragma once

#include <cmath>
#include <cstring>
#include <type_traits>

#include "goldfinch/core/matrix.hpp"
#include "goldfinch/math/exponential.hpp"
#include "goldfinch/math/float128.hpp"
#include "goldfinch/math/trigonometric.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace elementary {

template <class Scalar>
inline constexpr bool has_kernel = std::is_same_v<Scalar, float> || std::is_same_v<Scalar, double>;

template <class Scalar>
concept Number = !std::is_integral_v<Scalar> && requires(const Scalar& x) { x / x; };  // what texts and lists lack

/// y[i] = f(x[i]) for i < n: by kernel, on vectors, where the scalar has one; otherwise by function, one at a time.
template <class Scalar, class Kernel, class Function>
void apply(const Scalar* x, Scalar* y, Index n, [[maybe_unused]] Kernel kernel, [[maybe_unused]] Function function) {
#if GOLDFINCH_SIMD
  if constexpr (has_kernel<Scalar>) {
    constexpr int width = lanes<double>;
    using Wide = Simd<double, width>;
    using Narrow = Simd<Scalar, width>;
    for (Index i = 0; i < n; i += width) {
      const bool whole = n - i >= width;
      Narrow v{};
      if (whole) v = load_vector<Narrow>(x + i);
      else std::memcpy(&v, x + i, static_cast<std::size_t>(n - i) * sizeof(Scalar));
      v = __builtin_convertvector(kernel(__builtin_convertvector(v, Wide)), Narrow);
      if (whole) store_vector(y + i, v);
      else std::memcpy(y + i, &v, static_cast<std::size_t>(n - i) * sizeof(Scalar));
    }
    return;
  }
#endif
  for (Index i = 0; i < n; ++i) y[i] = function(x[i]);
}

}  // namespace elementary

/// The wider of double and a scalar: for angles and losses, which must not be formed in fewer bits than double's. A type of your own
/// that has fewer says so by a specialisation.
template <class Scalar>
struct AtLeastDouble {
  using type = std::conditional_t<std::is_same_v<Scalar, float>, double, Scalar>;
};

/// y[i] = f(x[i]) for i < n; x and y may be the same array.
template <class Scalar>
using ArrayFunction = void (*)(const Scalar* x, Scalar* y, Index n);

template <elementary::Number Scalar>
Scalar exp(Scalar x) {
  using std::exp;
  if constexpr (elementary::has_kernel<Scalar>) return static_cast<Scalar>(elementary::exp_kernel<double>(x));
  else return exp(x);
}
template <class Scalar>
void exp(const Scalar* x, Scalar* y, Index n) {
  elementary::apply(x, y, n, [](auto v) { return elementary::exp_kernel(v); }, [](const Scalar& v) { return exp(v); });
}

template <elementary::Number Scalar>
Scalar expm1(Scalar x) {
  using std::expm1;
  if constexpr (elementary::has_kernel<Scalar>) return static_cast<Scalar>(elementary::expm1_kernel<double>(x));
  else return expm1(x);
}
template <class Scalar>
void expm1(const Scalar* x, Scalar* y, Index n) {
  elementary::apply(x, y, n, [](auto v) { return elementary::expm1_kernel(v); }, [](const Scalar& v) { return expm1(v); });
}

template <elementary::Number Scalar>
Scalar log(Scalar x) {
  using std::log;
  if constexpr (elementary::has_kernel<Scalar>) return static_cast<Scalar>(elementary::log_kernel<double>(x));
  else return log(x);
}
template <class Scalar>
void log(const Scalar* x, Scalar* y, Index n) {
  elementary::apply(x, y, n, [](auto v) { return elementary::log_kernel(v); }, [](const Scalar& v) { return log(v); });
}

template <elementary::Number Scalar>
Scalar tanh(Scalar x) {
  using std::tanh;
  if constexpr (elementary::has_kernel<Scalar>) return static_cast<Scalar>(elementary::tanh_kernel<double>(x));
  else return tanh(x);
}
template <class Scalar>
void tanh(const Scalar* x, Scalar* y, Index n) {
  elementary::apply(x, y, n, [](auto v) { return elementary::tanh_kernel(v); }, [](const Scalar& v) { return tanh(v); });
}

template <elementary::Number Scalar>
Scalar sin(Scalar x) {
  using std::sin;
  if constexpr (elementary::has_kernel<Scalar>) return static_cast<Scalar>(elementary::sin_kernel<double>(x));
  else return sin(x);
}
template <class Scalar>
void sin(const Scalar* x, Scalar* y, Index n) {
  elementary::apply(x, y, n, [](auto v) { return elementary::sin_kernel(v); }, [](const Scalar& v) { return sin(v); });
}

template <elementary::Number Scalar>
Scalar cos(Scalar x) {
  using std::cos;
  if constexpr (elementary::has_kernel<Scalar>) return static_cast<Scalar>(elementary::cos_kernel<double>(x));
  else return cos(x);
}
template <class Scalar>
void cos(const Scalar* x, Scalar* y, Index n) {
  elementary::apply(x, y, n, [](auto v) { return elementary::cos_kernel(v); }, [](const Scalar& v) { return cos(v); });
}

template <elementary::Number Scalar>
Scalar sigmoid(Scalar x) {
  if constexpr (elementary::has_kernel<Scalar>) return static_cast<Scalar>(elementary::sigmoid_kernel<double>(x));
  else if (x < Scalar(0)) {
    const Scalar e = exp(x);
    return e / (Scalar(1) + e);
  } else {
    return Scalar(1) / (Scalar(1) + exp(Scalar(-x)));
  }
}
template <class Scalar>
void sigmoid(const Scalar* x, Scalar* y, Index n) {
  elementary::apply(x, y, n, [](auto v) { return elementary::sigmoid_kernel(v); }, [](const Scalar& v) { return sigmoid(v); });
}

template <elementary::Number Scalar>
Scalar silu(Scalar x) {
  if constexpr (elementary::has_kernel<Scalar>) return static_cast<Scalar>(elementary::silu_kernel<double>(x));
  else return x * sigmoid(x);
}
template <class Scalar>
void silu(const Scalar* x, Scalar* y, Index n) {
  elementary::apply(x, y, n, [](auto v) { return elementary::silu_kernel(v); }, [](const Scalar& v) { return silu(v); });
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
