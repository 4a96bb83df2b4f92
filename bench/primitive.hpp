// A primitive held against the machine: its result against the plain loops first, then its time beside the bytes or operations a
// second that the same run finds possible.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

#include "goldfinch/core/random.hpp"
#include "limits.hpp"

namespace primitive {

using goldfinch::Index;
using Matrix = goldfinch::Matrix<float>;

inline Matrix random(const std::string& name, Index rows, Index cols) {
  Matrix x(rows, cols);
  goldfinch::RandomStream(1, name).normals(0, rows * cols, x.data());
  return x;
}

/// What limits a primitive: bytes that it reads and writes, or operations that it does. Bytes are held against reading a buffer of as
/// many, from whichever cache or memory that fits in.
struct Cost {
  double bytes = 0, operations = 0;
};

/// Counters: G/s and limit G/s, of bytes or operations as the label says, and the one over the other.
/// run takes a copy of `x`, made outside the time that is measured, and gives the result; the first must have the bits of plain().
inline void add(const std::string& name, const Cost& cost, const Matrix& x, std::function<Matrix(Matrix)> run, std::function<Matrix()> plain) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    const Matrix first = run(x), expected = plain();
    if (first.size() != expected.size() || std::memcmp(first.data(), expected.data(), static_cast<std::size_t>(first.size()) * sizeof(float)) != 0)
      return state.SkipWithError("not the bits of the plain loops");
    limits::ReadLimit read(static_cast<std::size_t>(cost.bytes));
    std::vector<double> seconds;
    limits::ArithmeticLimit<float> peak;
    goldfinch::with_workers([&] {
      for (auto _ : state) {
        if (cost.operations > 0) peak.probe();
        else read.probe();
        Matrix input = x;
        const double start = limits::now();
        benchmark::DoNotOptimize(run(std::move(input)));
        seconds.push_back(limits::now() - start);
        state.SetIterationTime(seconds.back());
      }
    });
    const bool computes = cost.operations > 0;
    const double rate = (computes ? cost.operations : cost.bytes) / limits::median(seconds), limit = computes ? peak.limit() : read.limit();
    state.counters["median us"] = limits::median(seconds) * 1e6;
    state.SetLabel(computes ? "operations" : "bytes");
    state.counters["G/s"] = rate / 1e9;
    state.counters["limit G/s"] = limit / 1e9;
    state.counters["of limit"] = rate / limit;
  })->Iterations(41)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

}  // namespace primitive
