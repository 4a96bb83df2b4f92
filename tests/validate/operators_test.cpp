// The kit of operators: whole models and layers by name against the model itself, hand-computed operators, and tensors that do not fit.

#include <catch2/catch.hpp>
#include <cmath>

#include "bits.hpp"
#include "goldfinch/validate/operators.hpp"
#include "goldfinch/validate/recording.hpp"
#include "model/golden.hpp"

namespace gf = goldfinch;
using gf::Index, gf::Shape;

namespace {

/// Tensors in memory, as if they came from a file.
struct Tensors : gf::Checkpoint {
  Tensors() { path = "in.safetensors"; }
  Tensors& add(const std::string& name, const Shape& shape, std::vector<double> numbers) {
    REQUIRE(gf::element_count(shape) == static_cast<Index>(numbers.size()));
    put(name, shape, std::move(numbers));
    return *this;
  }
  Tensors& random(const std::string& name, const Shape& shape, std::uint64_t seed = 1) {
    bits::Random numbers(seed);
    std::vector<double> data(static_cast<std::size_t>(gf::element_count(shape)));
    for (double& x : data) x = numbers.number();
    return add(name, shape, data);
  }
};

std::vector<double> numbers(const gf::Results& results, const std::string& name) {
  const auto* const tensor = gf::find(results, name);
  REQUIRE(tensor);
  return {tensor->data.begin(), tensor->data.end()};
}

Tensors wkv6(Index T, Index D, Index N) {
  Tensors in;
  for (const char* name : {"r", "k", "v", "w"}) in.random(name, {T, D}, static_cast<std::uint64_t>(name[0]));
  in.random("u", {D / N, N});
  return in;
}

}  // namespace

TEST_CASE("Every operator is described: names once, shapes in brackets, labels for what is computed") {
  for (const auto& info : gf::operator_list()) {
    INFO(info.name);
    CHECK((info.kind == "operator" || info.kind == "layer" || info.kind == "model"));
    CHECK(!info.summary.empty());
    bool computes = false;
    for (const auto& spec : info.tensors) {
      INFO(spec.name);
      CHECK(info.find(spec.name) == &spec);
      CHECK(spec.shape.front() == '[');
      CHECK(spec.shape.find("00") == std::string::npos);  // a size that no letter was found for
      CHECK(!spec.what.empty());
      CHECK(spec.given() == spec.equation.empty());
      computes |= spec.role == gf::TensorRole::output;
    }
    CHECK(computes);
  }
}

TEST_CASE("The model of the kit is the model") {
  for (const char* name : {"goldfinch_rope", "llama_rope"}) {
    INFO(name);
    const auto tokens = golden::tokens(name);
    const auto checkpoint = golden::weights(name);
    const auto model = gf::load_model<double>(checkpoint);
    auto state = model.initial_state();
    gf::Recording<double> expected;
    model.forward({{tokens, &state}}, gf::Trace<double>(&expected));

    Tensors in;
    static_cast<gf::Checkpoint&>(in) = checkpoint;
    in.add("tokens", {static_cast<Index>(tokens.size())}, {tokens.begin(), tokens.end()});
    const auto results = gf::run_operator<double>("model", in);
    for (const auto& tensor : expected.tensors()) {
      if (tensor.name.ends_with("wkv_state")) continue;
      INFO(tensor.name);
      const auto actual = numbers(results, tensor.name);
      REQUIRE(actual.size() == tensor.data.size());
      CHECK(bits::same(actual.data(), tensor.data.data(), static_cast<Index>(actual.size())));
    }
  }
}

TEST_CASE("Layers of the kit take up the states they give: two calls are one") {
  bits::Random random(5);
  for (const auto& info : gf::operator_list()) {
    if (info.kind != "layer" || info.name == "gold_attention") continue;
    INFO(info.name);
    const Index T = 7, cut = 3, D = 8;
    const std::map<std::string, Index> sizes = {{"T", T}, {"D", D}, {"H", 2}, {"N", 4}, {"F", 5}, {"F_swiglu", 6}, {"mix_rank", 3},
        {"5 mix_rank", 15}, {"3 mix_rank", 9}, {"decay_rank", 2}, {"value2_rank", 3}, {"1", 1}, {"3", 3}, {"5", 5}};
    Tensors whole;
    for (const auto& spec : info.tensors) {
      if (!spec.given() || spec.optional) continue;
      Shape shape;
      std::string term;
      for (const char c : spec.shape.substr(1)) {
        if (c != ',' && c != ']') term += term.empty() && c == ' ' ? "" : std::string(1, c);
        else if (!term.empty()) shape.push_back(sizes.at(term)), term.clear();
      }
      if (spec.name == "head_size") whole.add("head_size", {}, {4});
      else whole.random(spec.name, shape, random.word());
    }
    const auto z = whole.tensors.at("z");
    Tensors first = whole, second = whole;
    first.tensors["z"].shape[0] = cut;
    second.tensors["z"].shape[0] = T - cut;
    second.tensors["z"].data += cut * D * 8;
    const auto expected = gf::run_operator<double>(info.name, whole), begin = gf::run_operator<double>(info.name, first);
    for (const auto& tensor : begin)
      if (tensor.role == gf::TensorRole::state) second.add(tensor.name.substr(0, tensor.name.size() - 5) + "before", tensor.shape,
          {tensor.data.begin(), tensor.data.end()});
    const auto end = gf::run_operator<double>(info.name, second);
    auto out = numbers(begin, "out");
    for (const double x : numbers(end, "out")) out.push_back(x);
    CHECK(bits::same(out.data(), numbers(expected, "out").data(), T * D));
    for (const auto& tensor : expected)
      if (tensor.role == gf::TensorRole::state) CHECK(numbers(end, tensor.name) == numbers(expected, tensor.name));
  }
}

TEST_CASE("wkv6 of the kit: WKV.1 and WKV.2 by hand, and packed sequences as if alone") {
  Tensors in;
  in.add("r", {2, 1}, {2, 3}).add("k", {2, 1}, {5, 7}).add("v", {2, 1}, {11, 13}).add("d", {2, 1}, {0.5, 0.25}).add("u", {1, 1},
      {0.125}).add("S_before", {1, 1, 1, 1}, {16});
  const auto results = gf::run_operator<double>("wkv6", in);
  const double S1 = 0.5 * 16 + 5 * 11;
  CHECK(numbers(results, "y") == std::vector<double>{2 * 0.125 * 5 * 11 + 2 * 16, 3 * 0.125 * 7 * 13 + 3 * S1});
  CHECK(numbers(results, "S_after") == std::vector<double>{0.25 * S1 + 7 * 13});

  auto packed = wkv6(9, 8, 4);
  packed.add("lengths", {3}, {4, 0, 5});
  const auto all = numbers(gf::run_operator<double>("wkv6", packed), "y");
  for (const auto& [first, rows] : {std::pair<Index, Index>{0, 4}, {4, 5}}) {
    Tensors alone = wkv6(9, 8, 4);
    for (const char* name : {"r", "k", "v", "w"}) alone.tensors[name].shape[0] = rows, alone.tensors[name].data += first * 8 * 8;
    CHECK(bits::same(numbers(gf::run_operator<double>("wkv6", alone), "y").data(), all.data() + first * 8, rows * 8));
  }
}

TEST_CASE("Attention of the kit: each query sees the keys up to its own position") {
  Tensors in;
  in.add("q", {2, 2}, {0, 0, 0, 0}).random("k", {3, 2}).add("v", {3, 2}, {1, 2, 3, 4, 8, 12}).add("head_size", {}, {2});
  CHECK(numbers(gf::run_operator<double>("attention", in), "y") == std::vector<double>{2, 3, 4, 6});
}

TEST_CASE("A led run shows each step's own error") {
  Tensors in;
  in.random("z", {3, 4}).random("A", {4, 2}).random("B", {2, 4});
  auto lead = gf::run_operator<double>("lora", in);
  for (auto& x : const_cast<gf::ResultTensor*>(gf::find(lead, "h"))->data) x = 0;
  const auto led = gf::run_operator<double>("lora", in, &lead);
  CHECK(numbers(led, "h") == numbers(gf::run_operator<double>("lora", in), "h"));
  CHECK(numbers(led, "y") == std::vector<double>(12, 0.0));
}

TEST_CASE("Tensors that do not fit are refused in a sentence that names file and tensor") {
  const auto refused = [](const char* name, const Tensors& in, const std::string& why) {
    CHECK_THROWS_WITH(gf::run_operator<double>(name, in), Catch::Contains(why) && (Catch::StartsWith("in.safetensors: ") || Catch::StartsWith("there is")));
  };
  refused("nonsense", wkv6(3, 4, 2), "'nonsense'");
  auto in = wkv6(3, 4, 2);
  refused("wkv6", in.add("x", {1}, {1}), "no tensor 'x'");
  in = wkv6(3, 4, 2);
  refused("wkv6", in.random("k", {3, 5}), "tensor k is [3, 5], expected [T, D], where D = 4, T = 3");
  in = wkv6(3, 4, 2);
  refused("wkv6", in.random("k", {3, 4, 1}), "tensor k is [3, 4, 1]");
  in = wkv6(3, 4, 2);
  refused("wkv6", in.random("k", {3, 0}), "holds no numbers");
  in = wkv6(3, 4, 2);
  refused("wkv6", in.random("d", {3, 4}), "both");
  in = wkv6(3, 4, 2);
  in.tensors.erase("u");
  refused("wkv6", in, "head_size");
  refused("wkv6", in.add("head_size", {}, {3}), "does not divide");
  refused("wkv6", in.add("head_size", {}, {1e300}), "head_size is 1e+300");
  refused("wkv6", in.add("head_size", {}, {0.5}), "whole number");
  in = wkv6(3, 4, 2);
  refused("wkv6", in.random("u", {4, 2}), "H");
  in = wkv6(3, 4, 2);
  refused("wkv6", in.add("lengths", {2}, {1, 1}), "adds up to 2, expected the 3 rows");
  refused("wkv6", in.add("lengths", {2}, {-1, 4}), "holds -1");
  refused("wkv6", in.add("lengths", {2}, {0.5, 2.5}), "whole numbers");
  in = wkv6(3, 4, 2);
  refused("wkv6", in.random("S_before", {2, 2, 2, 2}), "lengths");
  in = wkv6(3, 4, 2);
  in.tensors.erase("r");
  refused("wkv6", in, "no tensor r [T, D]");
  in = wkv6(3, 4, 2);
  refused("wkv6", in.add("r", {3, 4}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, std::nan("")}), "NaN or infinity in tensor r");
  Tensors q;
  q.random("q", {3, 4}).random("k", {2, 4}).random("v", {2, 4}).add("head_size", {}, {4});
  refused("attention", q, "3 queries in a context of 2");
  Tensors rope;
  rope.random("x", {3, 3}).add("head_size", {}, {3});
  refused("rotary", rope, "even head size");
  Tensors model;
  refused("model", model, "has no tensor tokens");
  refused("model", model.add("tokens", {1}, {5}), "emb.weight");
  Tensors lora;
  refused("token_cat_decompress", lora.random("x0", {3, 4}).random("c", {3, 2}).random("w_kv_cache_b.weight", {4, 4}), "w_kv_cache_b.weight");
}
