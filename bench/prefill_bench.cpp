// Pre-fill against the length of the prompt: its time a token does not depend on it, and its memory grows by the cache alone.
//
//   prefill_bench MODEL [Google Benchmark's flags]
//
// Float32, nothing remembered (memo 0), random tokens. Time is that of the whole prompt over its tokens; the tail, the GOLD layers
// on the last 2 G rows and the head, is given by itself. The lengths take turns at random, since machines have slower and faster
// minutes: look at the medians. Memory is the process's peak during the pre-fill over what it held before, beside what the cache holds.
#include <benchmark/benchmark.h>

#include <cstdio>

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/core/random.hpp"
#include "limits.hpp"
#include "process_memory.hpp"

namespace {

using goldfinch::Index;
using Model = goldfinch::Model<float>;

void prefill(benchmark::State& run, const Model& model, Index length) {
  const goldfinch::RandomStream random(1, "tokens");
  std::vector<int> tokens;
  for (Index t = 0; t < length; ++t) tokens.push_back(static_cast<int>(random.uniform(t) * static_cast<double>(model.vocabulary_size())));
  std::vector<double> seconds, tails;
  double memory = 0, cache = 0;
  for (auto _ : run) {
    process_memory::forget_peak();
    const double held = process_memory::status_bytes("VmRSS"), start = limits::now();
    double lower = start;
    auto state = model.initial_state();
    benchmark::DoNotOptimize(model.prefill({{tokens, &state}}, Model::default_chunk, [&](Index) { lower = limits::now(); }));
    const double end = limits::now();
    seconds.push_back(end - start), tails.push_back(end - lower);
    run.SetIterationTime(end - start);
    memory = std::max(memory, process_memory::status_bytes("VmHWM") - held);
    cache = static_cast<double>(state.cache_bytes());
  }
  run.counters["us/token"] = limits::median(seconds) / static_cast<double>(length) * 1e6;
  run.counters["tail us/token"] = limits::median(tails) / static_cast<double>(length) * 1e6;
  run.counters["memory MB"] = memory / 1e6;
  run.counters["cache MB"] = cache / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: prefill_bench MODEL [--benchmark_…]\n"), 2;
  goldfinch::keep_freed_memory();
  const auto model = goldfinch::load_model<float>(goldfinch::open_checkpoint(argv[1]), {}, false, {goldfinch::KeyFormat::native, 0});
  for (const Index length : {1024, 4096, 16384, 65536, 262144})
    benchmark::RegisterBenchmark(("prefill/" + std::to_string(length)).c_str(), [&model, length](benchmark::State& run) { prefill(run, model, length); })
        ->Iterations(std::max<Index>(1, 65536 / length))->Repetitions(7)->ReportAggregatesOnly()->UseManualTime()->Unit(benchmark::kMillisecond);
  std::string in_turns = "--benchmark_enable_random_interleaving=true";
  argv[1] = in_turns.data();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
