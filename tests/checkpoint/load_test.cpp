#include "goldfinch/checkpoint/load.hpp"

#include <catch2/catch.hpp>

#include <cmath>

#include "bits.hpp"
#include "model/golden.hpp"

using namespace goldfinch;

namespace {

/// A golden model with its numbers in float64, or those rounded to float32.
Checkpoint golden_in(DType type) {
  Checkpoint checkpoint = golden::weights("goldfinch");
  for (auto& [name, tensor] : checkpoint.tensors) {
    std::vector<double> numbers;
    for (Index i = 0; i < element_count(tensor.shape); ++i) numbers.push_back(number_at(tensor, i) / 3);
    if (type == DType::f64) {
      checkpoint.put(name, Shape(tensor.shape), numbers);
      continue;
    }
    const auto rounded = std::make_shared<std::vector<float>>(numbers.begin(), numbers.end());
    tensor = {DType::f32, tensor.shape, reinterpret_cast<const std::byte*>(rounded->data())};
    checkpoint.storage.push_back(rounded);
  }
  return checkpoint;
}

Matrix<float> logits(const Model<float>& model, const std::vector<int>& tokens) {
  auto state = model.initial_state();
  return model.forward({{tokens, &state}});
}

}  // namespace

TEST_CASE("An engine of floats rounds float64 weights once, when they are loaded") {
  auto wide = load_model<float>(golden_in(DType::f64)), narrow = load_model<float>(golden_in(DType::f32));
  const auto tokens = golden::tokens("goldfinch");
  CHECK(bits::same(logits(wide, tokens), logits(narrow, tokens)));
  wide.parameters([](const std::string& name, auto& member, const Shape&, Role) {
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Weight>) {
      INFO(name);
      CHECK(member.dtype() == DType::f32);
    }
  });
}

TEST_CASE("A model is refused for every tensor of its own that is not finite; what it ignores may hold anything") {
  Checkpoint checkpoint = golden_in(DType::f64);
  checkpoint.path = "the.file";
  const auto spoil = [&](const std::string& name, Shape shape, double number) {
    std::vector<double> numbers(static_cast<std::size_t>(element_count(shape)));
    numbers.back() = number;
    checkpoint.put(name, shape, numbers);
  };
  spoil("extra", {2}, std::nan(""));
  checkpoint.others["counts"] = "I64";
  CHECK_THROWS_WITH(load_model<float>(checkpoint), "the.file: does not expect tensor 'counts'; does not expect tensor 'extra'");
  CHECK_NOTHROW(load_model<float>(checkpoint, {}, true));
  spoil("emb.weight", checkpoint.tensors.at("emb.weight").shape, HUGE_VAL);
  spoil("blocks.0.ln1.bias", checkpoint.tensors.at("blocks.0.ln1.bias").shape, -HUGE_VAL);
  CHECK_THROWS_WITH(load_model<double>(checkpoint, {}, true), "the.file: NaN or infinity in blocks.0.ln1.bias, emb.weight");
}

TEST_CASE("A model's fingerprint is the same whether its tensors are hashed while they are loaded or by themselves") {
  const Checkpoint checkpoint = golden::weights("goldfinch");
  const ModelShape shape = resolve_shape(checkpoint);
  std::string fingerprint;
  make_model<float>(checkpoint, shape, {}, &fingerprint);
  CHECK(fingerprint == golden::fingerprint(checkpoint, shape.config));
}
