// Nanoseconds an element of the elementary functions on arrays of 1024: goldfinch's array form, a loop over std's function, and
// Eigen's array expression. Columns: time of a whole call, and `per element`. What is compared is speed only: std's bits change
// with the processor and Eigen's with the instruction set (docs/numerics.md, rule 6).
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 says so of its own AVX-512 intrinsics, wherever Eigen uses them.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <cmath>
#include <string>

#include "goldfinch/math/functions.hpp"

namespace {

using goldfinch::Index;
constexpr Index count = 1024;

template <class Scalar>
using Array = Eigen::Array<Scalar, Eigen::Dynamic, 1>;

template <class Scalar, class Body>
void add(const std::string& name, double from, double to, Body body) {
  benchmark::RegisterBenchmark((name + (sizeof(Scalar) == 4 ? "/f32" : "/f64")).c_str(), [=](benchmark::State& state) {
    const Array<Scalar> x = Array<double>::LinSpaced(count, from, to).template cast<Scalar>();
    Array<Scalar> y(count);
    for (auto _ : state) {
      body(x, y);
      benchmark::DoNotOptimize(y.data());
      benchmark::ClobberMemory();
    }
    using benchmark::Counter;
    state.counters["per element"] = Counter(count, Counter::kIsIterationInvariantRate | Counter::kInvert);
  });
}

/// Registers ours(x, y, n), std's number by number, and Eigen's for whole arrays, on arguments spread over [from, to].
template <class Ours, class Std, class InEigen>
void compare(const std::string& name, double from, double to, Ours ours, Std standard, InEigen in_eigen) {
  const auto for_scalar = [&](auto zero) {
    using Scalar = decltype(zero);
    add<Scalar>(name + "/goldfinch", from, to, [=](const auto& x, auto& y) { ours(x.data(), y.data(), count); });
    add<Scalar>(name + "/std", from, to, [=](const auto& x, auto& y) {
      for (Index i = 0; i < count; ++i) y[i] = standard(x[i]);
    });
    add<Scalar>(name + "/Eigen", from, to, [=](const auto& x, auto& y) { y = in_eigen(x); });
  };
  for_scalar(0.0), for_scalar(0.0f);
}

}  // namespace

int main(int argc, char** argv) {
  namespace gf = goldfinch;
#define OURS(f) [](auto* x, auto* y, Index n) { gf::f(x, y, n); }
#define STD(f) [](auto x) { return std::f(x); }
#define EIGEN(f) [](const auto& x) { return x.f(); }
  const auto sigmoid = [](auto x) { return decltype(x)(1) / (decltype(x)(1) + std::exp(-x)); };
  compare("exp", -10, 10, OURS(exp), STD(exp), EIGEN(exp));
  compare("expm1", -10, 10, OURS(expm1), STD(expm1), EIGEN(expm1));
  compare("log", 0.001, 1000, OURS(log), STD(log), EIGEN(log));
  compare("tanh", -5, 5, OURS(tanh), STD(tanh), EIGEN(tanh));
  compare("sigmoid", -10, 10, OURS(sigmoid), sigmoid, EIGEN(logistic));
  compare("silu", -10, 10, OURS(silu), [=](auto x) { return x * sigmoid(x); }, [](const auto& x) { return x * x.logistic(); });
  compare("sin", -100, 100, OURS(sin), STD(sin), EIGEN(sin));
  compare("cos", -100, 100, OURS(cos), STD(cos), EIGEN(cos));
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
