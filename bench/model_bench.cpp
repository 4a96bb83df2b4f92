// Decoding and pre-fill of a whole model against the limits of the machine, measured side by side:
//
//   model_bench MODEL [--precision=f64] [Google Benchmark's flags]
//
//   decode    one token a step; bytes of weights read a step over the time, beside the best read of as many bytes between the steps
//   prefill   512 tokens; two operations a weight of a matrix and token over the time, beside multiply-and-add in registers
//
// Nothing is timed before decoding has given the bits of the plain forward pass over the same tokens.
#include <benchmark/benchmark.h>

#include <cstdio>

#include "goldfinch/checkpoint/load.hpp"
#include "limits.hpp"

namespace {

using goldfinch::Index;

std::vector<int> tokens_for(Index vocabulary, Index T) {
  std::vector<int> tokens(static_cast<std::size_t>(T));
  for (std::size_t t = 0; t < tokens.size(); ++t) tokens[t] = static_cast<int>(t * 2654435761u % static_cast<std::uint32_t>(vocabulary));
  return tokens;
}

/// Step by step gives the bits of one pass.
template <class Scalar>
bool is_right(const goldfinch::Model<Scalar>& model) {
  const auto tokens = tokens_for(model.vocabulary_size(), 9);
  auto state = model.initial_state(), whole_state = model.initial_state();
  const auto whole = model.forward({{tokens, &whole_state}});
  for (Index t = 0; t < whole.rows(); ++t) {
    const auto step = model.forward({{std::span(tokens).subspan(static_cast<std::size_t>(t), 1), &state}});
    if (std::memcmp(step.data(), whole.row(t).data(), static_cast<std::size_t>(step.size()) * sizeof(Scalar)) != 0) return false;
  }
  return true;
}

template <class Scalar>
void decode(benchmark::State& run, const goldfinch::Model<Scalar>& model, double weights, std::size_t probe_bytes) {
  auto state = model.initial_state();
  model.prefill({{tokens_for(model.vocabulary_size(), 64), &state}});
  const int token = 1;
  limits::ReadLimit read(probe_bytes);
  std::vector<double> seconds;
  goldfinch::with_workers([&] {
    for (auto _ : run) {
      read.probe();
      const double start = limits::now();
      benchmark::DoNotOptimize(model.forward({{std::span(&token, 1), &state}}));
      seconds.push_back(limits::now() - start);
      run.SetIterationTime(seconds.back());
    }
    read.probe();
  });
  const double rate = weights / limits::median(seconds);
  run.counters["tokens/s"] = 1 / limits::median(seconds);
  run.counters["GB/s"] = rate / 1e9;
  run.counters["limit GB/s"] = read.limit() / 1e9;
  run.counters["of limit"] = rate / read.limit();
  if (rate > 1.03 * read.limit()) run.SkipWithError("faster than the limit: the probe is bad");
}

template <class Scalar>
void prefill(benchmark::State& run, const goldfinch::Model<Scalar>& model, double matrix_numbers) {
  const auto tokens = tokens_for(model.vocabulary_size(), 512);
  std::vector<double> seconds;
  limits::ArithmeticLimit<Scalar> limit;
  for (auto _ : run) {
    limit.probe();
    auto state = model.initial_state();
    const double start = limits::now();
    benchmark::DoNotOptimize(model.prefill({{tokens, &state}}));
    seconds.push_back(limits::now() - start);
    run.SetIterationTime(seconds.back());
  }
  const double operations = 2 * matrix_numbers * static_cast<double>(tokens.size());
  run.counters["tokens/s"] = static_cast<double>(tokens.size()) / limits::median(seconds);
  run.counters["GFLOP/s"] = operations / limits::median(seconds) / 1e9;
  run.counters["limit GFLOP/s"] = limit.limit() / 1e9;
  run.counters["of limit"] = operations / limits::median(seconds) / limit.limit();
  run.counters["of fused"] = operations / limits::median(seconds) / limit.fused();
}

template <class Scalar>
int measure(const goldfinch::Checkpoint& checkpoint) {
  const auto shape = goldfinch::resolve_shape(checkpoint);
  auto model = goldfinch::load_model<Scalar>(checkpoint);
  if (!is_right(model)) return std::fprintf(stderr, "model_bench: decoding does not give the bits of the whole pass; nothing is timed\n"), 1;

  // Bytes that a step of decoding reads: every weight but the embedding. Numbers that pre-fill multiplies with every token: the
  // matrices of the lower layers and of key compression; upper layers and head see the tail alone.
  double weights = 0, lower = 0;
  model.parameters([&](const std::string& name, auto&, const goldfinch::Shape&, goldfinch::Role role) {
    const auto& tensor = checkpoint.tensors.at(name);
    const double count = static_cast<double>(goldfinch::element_count(tensor.shape));
    if (role != goldfinch::Role::embedding) weights += static_cast<double>(byte_count(tensor));
    const bool in_lower = name.starts_with("blocks.") && std::stol(name.substr(7)) < shape.config.split();
    const bool matrix = role == goldfinch::Role::matrix || role == goldfinch::Role::lora_in || role == goldfinch::Role::lora_out;
    if (matrix && (in_lower || name == "w_kv_cache_a.weight")) lower += count;
    if (matrix && in_lower && name.ends_with("value.weight") && shape.config.use_v2 && shape.config.time_mix(0) == "x060c2" && name.find(".att.") != std::string::npos) lower += count;  // two inputs
  });
  const auto probe_bytes = std::min<std::size_t>(static_cast<std::size_t>(weights), std::size_t{1} << 30);

  benchmark::RegisterBenchmark("decode", [&](benchmark::State& run) { decode(run, model, weights, probe_bytes); })->Iterations(21)->UseManualTime()->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("prefill 512", [&](benchmark::State& run) { prefill(run, model, lower); })->Iterations(5)->UseManualTime()->Unit(benchmark::kMillisecond);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const std::string precision = argc == 3 ? argv[2] : "--precision=f32";
  if ((argc != 2 && argc != 3) || (precision != "--precision=f32" && precision != "--precision=f64"))
    return std::fprintf(stderr, "usage: model_bench MODEL [--precision=f64] [--benchmark_…]\n"), 2;
  goldfinch::keep_freed_memory();
  const auto checkpoint = goldfinch::open_checkpoint(argv[1]);
  return precision == "--precision=f64" ? measure<double>(checkpoint) : measure<float>(checkpoint);
}
