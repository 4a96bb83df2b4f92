// Loading a checkpoint that is in the page cache: checked, packed and ready to run, in float.
//
//   load_bench MODEL [Google Benchmark's flags]
//
// The file's bytes over the time, beside reading as many bytes from memory as fast as this machine can; and the peak of memory over
// the bytes of the file. Nothing is timed before every packed number has been found equal to the file's.
#include <benchmark/benchmark.h>

#include <cstdio>

#include "goldfinch/checkpoint/load.hpp"
#include "limits.hpp"
#include "process_memory.hpp"

namespace {

using goldfinch::Index;

/// Every element of every projection is where it belongs (the other kinds of parameters are small).
bool is_right(goldfinch::Model<float>& model, const goldfinch::Checkpoint& checkpoint) {
  bool right = true;
  model.parameters([&]<class Member>(const std::string& name, Member& member, const goldfinch::Shape& shape, goldfinch::Role role) {
    if constexpr (std::is_same_v<Member, goldfinch::Weight>) {
      if (role != goldfinch::Role::matrix) return;
      const goldfinch::Tensor& tensor = checkpoint.tensors.at(name);
      for (Index n = 0; n < shape[0]; ++n)
        for (Index k = 0; k < shape[1]; ++k) {
          const Index i = n * shape[1] + k;
          const double number = tensor.dtype == goldfinch::DType::q8 ? static_cast<signed char>(tensor.data[i]) : goldfinch::number_at(tensor, i);  // in q8 without its scale
          right = right && member.template element<float>(n, k) == static_cast<float>(number);
        }
    }
  });
  return right;
}

void load(benchmark::State& run, const char* path) {
  const goldfinch::MappedFile file(path);
  {
    auto model = goldfinch::load_model<float>(goldfinch::open_checkpoint(path));  // the file is in the page cache from here on
    if (!is_right(model, goldfinch::open_checkpoint(path))) return run.SkipWithError("a packed number is not the file's");
  }
  limits::ReadLimit read(std::min(file.size(), std::size_t{1} << 30));
  std::vector<double> seconds;
  double peak = 0;
  for (auto _ : run) {
    read.probe();
    process_memory::forget_peak();
    const double held = process_memory::status_bytes("VmRSS"), start = limits::now();
    const auto model = goldfinch::load_model<float>(goldfinch::open_checkpoint(path));
    seconds.push_back(limits::now() - start);
    run.SetIterationTime(seconds.back());
    peak = std::max(peak, process_memory::status_bytes("VmHWM") - held);
  }
  const double rate = static_cast<double>(file.size()) / limits::median(seconds);
  run.counters["median s"] = limits::median(seconds);
  run.counters["GB/s"] = rate / 1e9;
  run.counters["limit GB/s"] = read.limit() / 1e9;
  run.counters["of limit"] = rate / read.limit();
  run.counters["peak MB"] = peak / 1e6;
  run.counters["peak / file"] = peak / static_cast<double>(file.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: load_bench MODEL [--benchmark_…]\n"), 2;
  goldfinch::keep_freed_memory();
  const char* const path = argv[1];
  benchmark::RegisterBenchmark("load", [path](benchmark::State& run) { load(run, path); })->Iterations(5)->UseManualTime()->Unit(benchmark::kMillisecond);
  --argc;
  argv[1] = argv[0];
  char** arguments = argv + 1;
  benchmark::Initialize(&argc, arguments);
  benchmark::RunSpecifiedBenchmarks();
}
