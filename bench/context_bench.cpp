// Decoding against the length of the context: GoldFinch with three budgets for its memo, and Llama of the same shape.
//
//   context_bench [--svg FILE] [Google Benchmark's flags]
//
// Float32, L12 D768, vocabulary 8192 (so that the head does not hide what is measured). Contexts are filled with random numbers.
// A step is timed after one that is not: a budget's memo is full by then. Every budget must give the logits of every other. Beside the
// time stands the least that a step can take with what the memo holds (decode_bound.hpp), at the limits measured between the steps,
// and the time over it.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <map>

#include "decode_bound.hpp"
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

/// Whether keys and values of such a context fit in this machine, where all of them are kept.
bool fits(const Line& line, Index context) {
  const auto n = line.config.dimensions();
  const Index layers = line.config.has_gold() ? line.config.n_layer - line.config.split() : line.config.n_layer;
  const double kept = static_cast<double>(context * layers * 2 * n.D) * sizeof(float);
  const double memory = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  return (line.config.has_gold() && line.memo != goldfinch::unlimited_memory) || kept < memory / 2;
}

void decode(benchmark::State& run, const Line& line, Index context) {
  if (!fits(line, context)) return run.SkipWithError("keys and values do not fit in half of the memory");
  const auto model = random_model::make(line.config, {goldfinch::KeyFormat::native, line.memo});
  auto state = random_model::state_with_context(model, context);
  const int token = 1;
  std::vector<double> seconds;
  limits::ArithmeticLimit<float> peak;
  limits::Work work;
  std::unique_ptr<limits::ReadLimit> read;
  goldfinch::with_workers([&] {
    const auto logits = model.forward({{std::span(&token, 1), &state}});
    if (line.config.has_gold()) {
      auto& first = gold_logits.try_emplace(context, logits).first->second;
      if (std::memcmp(first.data(), logits.data(), static_cast<std::size_t>(logits.size()) * sizeof(float)) != 0) return run.SkipWithError("logits depend on the memo");
    }
    const auto& n = model.dimensions();
    work = limits::decode_work(line.config, n, {.matrix = sizeof(float), .other = sizeof(float), .scalar = sizeof(float)}, context, std::min(context, n.V), static_cast<double>(model.memo_bytes()));
    read = std::make_unique<limits::ReadLimit>(std::min(static_cast<std::size_t>(work.bytes), std::size_t{1} << 30));
    for (auto _ : run) {
      read->probe();
      peak.probe();
      const double start = limits::now();
      benchmark::DoNotOptimize(model.forward({{std::span(&token, 1), &state}}));
      seconds.push_back(limits::now() - start);
      run.SetIterationTime(seconds.back());
    }
  });
  if (seconds.empty()) return;
  const double median = limits::median(seconds), bandwidth = read->limit(), arithmetic = peak.limit();
  run.counters["median ms"] = median * 1e3;
  run.counters["read ms"] = work.seconds_of_reading(bandwidth) * 1e3;
  run.counters["compute ms"] = work.seconds_of_arithmetic(arithmetic) * 1e3;
  run.counters["time / bound"] = median / work.seconds(bandwidth, arithmetic);
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
                        {"GoldFinch, memo 512 MiB", gold, goldfinch::CacheSettings().memo_bytes},
                        {"GoldFinch, memo max", gold, goldfinch::unlimited_memory},
                        {"Llama", shape("llama", "", "llama"), 0}};
  for (const Line& line : lines)
    for (Index context : {1024, 4096, 16384, 65536, 262144})
      benchmark::RegisterBenchmark((line.name + std::string("/") + std::to_string(context)).c_str(), [&line, context](benchmark::State& run) { decode(run, line, context); })
          ->Iterations(context < 262144 ? 7 : 3)->UseManualTime()->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  if (svg.empty()) return 0;
  goldfinch::Plot plot{"Decoding against context: L12 D768, float32", {"tokens of context", true}, {"ms a token", true}, {}};
  for (const Line& line : lines) plot.series.push_back({line.name, times[line.name]});
  goldfinch::write_file(svg, goldfinch::to_svg(plot));
}
