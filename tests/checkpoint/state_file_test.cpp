#include "goldfinch/checkpoint/state_file.hpp"

#include <catch2/catch.hpp>

using namespace goldfinch;
using Catch::Contains;

namespace {

/// An engine of one Finch layer with two heads of two channels, which hands out what restore gets and computes nothing.
class Recorder : public Engine {
 public:
  struct Nothing : Sequence {
    std::vector<float> S = std::vector<float>(8), z = std::vector<float>(4, 0);
    std::unique_ptr<Sequence> fork() const override { return std::make_unique<Nothing>(*this); }
    Index position() const override { return 0; }
    std::size_t state_bytes() const override { return 0; }
    std::size_t cache_bytes() const override { return 0; }
    std::vector<StateArray> arrays() const override {
      return {{"blocks.0.att.last_z", DType::f32, {4}, {std::as_bytes(std::span(z))}}, {"blocks.0.att.S", DType::f32, {4, 2}, {std::as_bytes(std::span(S))}}};
    }
  };
  Recorder() { n_.N = 2; }
  const Config& config() const override { return config_; }
  const Dimensions& dimensions() const override { return n_; }
  std::size_t weights_bytes() const override { return 0; }
  std::size_t memo_bytes() const override { return 0; }
  std::unique_ptr<Sequence> start_with_zeros() const override { return std::make_unique<Nothing>(); }
  void require_own(const Sequence*) const override {}
  std::unique_ptr<Sequence> restore(const std::map<std::string, Tensor>& tensors, const std::string&, std::span<const int> ids, const std::string&, const Sequence*) const override {
    CHECK(ids.empty());
    for (const auto& [name, tensor] : tensors)
      for (Index i = 0; i < element_count(tensor.shape); ++i) given[name].push_back(number_at(tensor, i));
    return std::make_unique<Nothing>();
  }
  Matrix<double> forward(const std::vector<Step>&, TraceSink<double>*) const override { return {}; }
  Matrix<double> prefill(const std::vector<Step>&, Index, const Progress&) const override { return {}; }

  mutable std::map<std::string, std::vector<double>> given;

 private:
  Config config_;
  Dimensions n_;
};

}  // namespace

TEST_CASE("A state file's matrices, value channel by key channel, become states with key channels in rows") {
  Recorder engine;
  Checkpoint file;
  file.put("blocks.0.att.time_state", {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  start_with_states(engine, file);
  CHECK(engine.given.at("blocks.0.att.S") == std::vector<double>{1, 3, 2, 4, 5, 7, 6, 8});
  CHECK(engine.given.at("blocks.0.att.last_z") == std::vector<double>(4));
}

TEST_CASE("A state file that is not of the model is refused") {
  Recorder engine;
  const auto refused = [&](const std::function<void(Checkpoint&)>& spoil, const std::string& reason) {
    Checkpoint file;
    file.path = "the.file";
    file.put("blocks.0.att.time_state", {2, 2, 2}, std::vector<double>(8));
    spoil(file);
    CHECK_THROWS_WITH(start_with_states(engine, file), Catch::StartsWith("the.file: ") && Contains(reason));
  };
  refused([](Checkpoint& file) { file.tensors.clear(); }, "has no tensor blocks.0.att.time_state [2, 2, 2]");
  refused([](Checkpoint& file) { file.put("blocks.0.att.time_state", {2, 4}, std::vector<double>(8)); }, "is [2, 4], expected [2, 2, 2]");
  refused([](Checkpoint& file) { file.put("blocks.0.att.time_state", {2, 2, 2}, std::vector<double>(8, HUGE_VAL)); }, "NaN or infinity in blocks.0.att.time_state");
  refused([](Checkpoint& file) { file.put("blocks.0.att.time_state", {2, 2, 2}, std::vector<double>(8, 1e300)); }, "holds numbers too large for f32");
  refused([](Checkpoint& file) { file.put("blocks.1.att.time_state", {2, 2, 2}, std::vector<double>(8)); }, "tensor 'blocks.1.att.time_state' is no state of this model");
  refused([](Checkpoint& file) { file.others["steps"] = "I64"; }, "tensor 'steps' is 'I64'");
}
