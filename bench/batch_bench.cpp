// Decoding B sequences together against the limits of the machine, measured side by side:
//
//   batch_bench [--layers=12] [--embd=768] [--vocab=65536] [--context=64] [Google Benchmark's flags]
//
// GoldFinch with random weights, stored as float32 and as bfloat16, in float32; sequences of context and more tokens, all of other
// lengths. A step takes a token of each. No machine does it faster than it reads the weights once, nor than it multiplies and adds:
//
//   bound = max(bytes of weights / bytes a second, operations / operations a second)
//
// both rates measured between the steps, by the best of several ways (limits.hpp). Weights: all but the embedding, of
// which rows are looked up. Operations: twice the multiplications of model/cost.hpp. What sequences carry is not counted.
// Nothing is timed before the rows of a batch have given the bits that each gives alone.
#include <benchmark/benchmark.h>

#include <cstdio>

#include "goldfinch/generate/sampler.hpp"
#include "goldfinch/model/cost.hpp"
#include "limits.hpp"
#include "random_model.hpp"

namespace {

using goldfinch::Index;
using Model = goldfinch::Model<float>;

struct Shape {
  Index layers = 12, embd = 768, vocab = 65536, context = 64;
};

/// A model, and what a step reads of it: bytes of every weight but the embedding.
struct Measured {
  Model model;
  double weights = 0;

  Measured(const goldfinch::Config& config, goldfinch::DType stored) : model(random_model::make(config, {}, stored)) {
    model.parameters([&](const std::string&, auto&, const goldfinch::Shape& shape, goldfinch::Role role) {
      if (role != goldfinch::Role::embedding) weights += static_cast<double>(goldfinch::element_count(shape) * size_of(stored));
    });
  }
};

/// B sequences, the b-th of context + b tokens.
std::vector<Model::State> sequences(const Model& model, Index B, Index context) {
  std::vector<Model::State> states;
  for (Index b = 0; b < B; ++b) {
    std::vector<int> tokens;
    for (Index t = 0; t < context + b; ++t) tokens.push_back(static_cast<int>((t * 7919 + b * 104729) % model.vocabulary_size()));
    model.prefill({{tokens, &states.emplace_back(model.initial_state())}});
  }
  return states;
}

std::vector<int> next_tokens(const Model& model, Index B, Index step) {
  std::vector<int> tokens;
  for (Index b = 0; b < B; ++b) tokens.push_back(static_cast<int>((step * 611953 + b * 15485863) % model.vocabulary_size()));
  return tokens;
}

goldfinch::Matrix<float> step(const Model& model, std::vector<Model::State>& states, const std::vector<int>& tokens) {
  std::vector<Model::Input> inputs;
  for (std::size_t b = 0; b < tokens.size(); ++b) inputs.push_back({std::span(&tokens[b], 1), &states[b]});
  return model.forward(inputs);
}

/// Two steps of B rows give the bits of each row alone.
bool is_right(const Model& model, Index B, Index context) {
  auto together = sequences(model, B, context), alone = together;
  for (Index i = 0; i < 2; ++i) {
    const auto tokens = next_tokens(model, B, i);
    const auto logits = step(model, together, tokens);
    for (Index b = 0; b < B; ++b) {
      const auto row = model.forward({{std::span(&tokens[static_cast<std::size_t>(b)], 1), &alone[static_cast<std::size_t>(b)]}});
      if (std::memcmp(row.data(), logits.row(b).data(), static_cast<std::size_t>(row.size()) * sizeof(float)) != 0) return false;
    }
  }
  return true;
}

void decode(benchmark::State& run, const Measured& measured, Index B, Index context) {
  const Model& model = measured.model;
  if (!is_right(model, B, context)) return run.SkipWithError("a row of the batch does not have the bits of that row alone");
  auto states = sequences(model, B, context);
  std::vector<goldfinch::Sampler> samplers;
  for (Index b = 0; b < B; ++b) samplers.emplace_back(goldfinch::SamplerSettings());
  limits::ReadLimit read(std::min<std::size_t>(static_cast<std::size_t>(measured.weights), std::size_t{1} << 30));
  std::vector<double> seconds, drawing;
  limits::ArithmeticLimit<float> peak;
  Index done = 0;
  goldfinch::with_workers([&] {
    step(model, states, next_tokens(model, B, done++));
    for (auto _ : run) {
      read.probe();
      peak.probe();
      const auto tokens = next_tokens(model, B, done++);
      const double start = limits::now();
      const auto logits = step(model, states, tokens);
      const double end = limits::now();
      goldfinch::parallel_for(B, 1, [&](Index begin, Index last) {
        for (Index b = begin; b < last; ++b) samplers[static_cast<std::size_t>(b)].draw(logits.row(b).data(), logits.cols());
      });
      drawing.push_back(limits::now() - end);
      seconds.push_back(end - start);
      run.SetIterationTime(seconds.back());
    }
    read.probe();
  });
  const double time = limits::median(seconds);
  const auto multiplications = goldfinch::OperationCost(model.config(), model.dimensions()).decode(goldfinch::Remembered::everything);
  const double operations = 2 * static_cast<double>(B) * multiplications.at(context + B / 2);
  const double reading = measured.weights / read.limit(), computing = operations / peak.limit();
  run.counters["tokens/s"] = static_cast<double>(B) / time;
  run.counters["of bound"] = std::max(reading, computing) / time;
  run.counters["bound: read ms"] = reading * 1e3;
  run.counters["compute ms"] = computing * 1e3;
  run.counters["limit GB/s"] = read.limit() / 1e9;
  run.counters["limit GFLOP/s"] = peak.limit() / 1e9;
  run.counters["drawing ms"] = limits::median(drawing) * 1e3;  // tokens from the logits, after the step
}

}  // namespace

int main(int argc, char** argv) {
  goldfinch::keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  Shape shape;
  const std::pair<std::string, Index*> flags[] = {
      {"--layers=", &shape.layers}, {"--embd=", &shape.embd}, {"--vocab=", &shape.vocab}, {"--context=", &shape.context}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto flag = std::find_if(std::begin(flags), std::end(flags), [&](const auto& f) { return argument.starts_with(f.first); });
    if (flag == std::end(flags) || (*flag->second = std::atol(argument.c_str() + flag->first.size())) < 1)
      return std::fprintf(stderr, "usage: batch_bench [--layers=L] [--embd=D] [--vocab=V] [--context=T] [--benchmark_…]\n"), 2;
  }
  goldfinch::Config config;
  config.vocab_size = shape.vocab, config.n_layer = shape.layers, config.n_embd = shape.embd;
  config.tmix = "x060c2", config.tmix2 = "gold", config.cmix = config.cmix2 = "x060";
  config.validate("batch_bench");

  const Measured models[] = {{config, goldfinch::DType::f32}, {config, goldfinch::DType::bf16}};
  for (const Measured& measured : models)
    for (const Index B : {1, 2, 4, 8, 16, 32})
      benchmark::RegisterBenchmark(((&measured == models ? "f32/" : "bf16/") + std::to_string(B)).c_str(),
                                   [&, B](benchmark::State& run) { decode(run, measured, B, shape.context); })
          ->Iterations(11)->UseManualTime()->Unit(benchmark::kMillisecond);
  benchmark::RunSpecifiedBenchmarks();
}
