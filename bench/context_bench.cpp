// Decoding against the length of the context: GoldFinch with three budgets for its memo, and Llama of the same shape.
//
//   context_bench [--svg FILE] [Google Benchmark's flags]
//
// Float32, L12 D768, vocabulary 8192 (so that the head does not hide what is measured). Contexts are filled with random numbers.
// A step is timed after one that is not: a budget's memo is full by then. Every budget must give the logits of every other.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <map>

#include "goldfinch/validate/plot.hpp"
#include "limits.hpp"
#include "random_model.hpp"

namespace {

using goldfinch::Index;

goldfinch::Config shape(const char* lower, const char* upper, const char* channel_mix) {
  goldfinch::Config config;
  config.vocab_size = 8192, config.n_layer = 12, config.n_embd = 768;
  config.tmix = lower, config.tmix2 = upper, config.cmix = config.cmix2 = channel_mix;
  if (config.tmix == "llama") config.rope_base = 10000;
  return config;
}

struct Line {
  const char* name;
  goldfinch::Config config;
  std::size_t memo;
};

std::map<std::string, std::vector<std::pair<double, double>>> times, bytes;
std::map<Index, goldfinch::Matrix<float>> gold_logits;

void decode(benchmark::State& run, const Line& line, Index context) {
  const auto model = random_model::make(line.config, {goldfinch::KeyFormat::native, line.memo});
  auto state = random_model::state_with_context(model, context);
  const int token = 1;
  std::vector<double> seconds;
  goldfinch::with_workers([&] {
    const auto logits = model.forward({{std::span(&token, 1), &state}});
    if (line.config.has_gold()) {
      auto& first = gold_logits.try_emplace(context, logits).first->second;
      if (std::memcmp(first.data(), logits.data(), static_cast<std::size_t>(logits.size()) * sizeof(float)) != 0) return run.SkipWithError("logits depend on the memo");
    }
    for (auto _ : run) {
      const double start = limits::now();
      benchmark::DoNotOptimize(model.forward({{std::span(&token, 1), &state}}));
      seconds.push_back(limits::now() - start);
      run.SetIterationTime(seconds.back());
    }
  });
  if (seconds.empty()) return;
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  run.counters["cache MB"] = static_cast<double>(state.cache_bytes()) / 1e6;
  run.counters["memo MB"] = static_cast<double>(model.memo_bytes()) / 1e6;
  times[line.name].emplace_back(static_cast<double>(context), median * 1e3);
  bytes[line.name].emplace_back(static_cast<double>(context), static_cast<double>(state.cache_bytes() + model.memo_bytes()) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  goldfinch::keep_freed_memory();
  std::string svg;
  if (argc > 2 && std::string(argv[1]) == "--svg") {
    svg = argv[2];
    argv[2] = argv[0];
    argc -= 2, argv += 2;
  }
  const auto gold = shape("x060c2", "gold", "x060");
  const Line lines[] = {{"GoldFinch, memo 0", gold, 0},
                        {"GoldFinch, memo 64 MiB", gold, std::size_t{64} << 20},
                        {"GoldFinch, memo max", gold, goldfinch::unlimited_memory},
                        {"Llama", shape("llama", "", "llama"), 0}};
  for (const Line& line : lines)
    for (Index context : {1024, 4096, 16384, 65536})
      benchmark::RegisterBenchmark((line.name + std::string("/") + std::to_string(context)).c_str(), [&line, context](benchmark::State& run) { decode(run, line, context); })
          ->Iterations(7)->UseManualTime()->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  if (svg.empty()) return 0;
  goldfinch::Plot plot{"Decoding against context: L12 D768, float32", {"tokens of context", true}, {"ms a token", true}, {}};
  for (const Line& line : lines) plot.series.push_back({line.name, times[line.name]});
  goldfinch::write_file(svg, goldfinch::to_svg(plot));
}
