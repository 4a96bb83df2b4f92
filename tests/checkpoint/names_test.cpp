#include "goldfinch/checkpoint/names.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace goldfinch;

namespace {

std::string renamed(const std::string& name) {
  Checkpoint checkpoint;
  checkpoint.tensors[name] = {};
  translate_names(checkpoint);
  REQUIRE(checkpoint.tensors.size() == 1);
  return checkpoint.tensors.begin()->first;
}

}  // namespace

TEST_CASE("Hugging Face names of RWKV-6 become ours") {
  const std::vector<std::pair<std::string, std::string>> pairs = {
      {"rwkv.embeddings.weight", "emb.weight"},
      {"rwkv.blocks.0.pre_ln.bias", "blocks.0.ln0.bias"},
      {"rwkv.blocks.11.ln1.weight", "blocks.11.ln1.weight"},
      {"rwkv.blocks.3.ln2.bias", "blocks.3.ln2.bias"},
      {"rwkv.blocks.7.attention.time_maa_w1", "blocks.7.att.time_maa_w1"},
      {"rwkv.blocks.7.attention.ln_x.weight", "blocks.7.att.ln_x.weight"},
      {"rwkv.blocks.23.feed_forward.receptance.weight", "blocks.23.ffn.receptance.weight"},
      {"rwkv.ln_out.weight", "ln_out.weight"},
      {"rwkv.w_kv_cache_a.weight", "w_kv_cache_a.weight"},
      {"rwkv.w_kv_cache_b.weight", "w_kv_cache_b.weight"},
  };
  for (const auto& [theirs, ours] : pairs) CHECK(renamed(theirs) == ours);
}

TEST_CASE("Our names, and names in no table, stay as they are") {
  for (const char* name : {"emb.weight", "head.weight", "blocks.0.ln0.weight", "blocks.3.att.key.weight", "w_kv_cache_a.weight",
                           "rwkv", "rwkv.blocks.x.ln1.weight", "rwkv.blocks..ln1.weight", "rwkv.blocks.1",
                           "rwkv.blocks.-1.ln1.weight", "rwkv.blocks.1.other.weight", "models.rwkv.embeddings.weight", ""})
    CHECK(renamed(name) == name);
}

TEST_CASE("Renaming keeps every tensor with its name, also in a mixed file") {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"head.weight", {DType::f32, {1}, nullptr}}, {"rwkv.embeddings.weight", {DType::f32, {2}, nullptr}},
                        {"rwkv.ln_out.bias", {DType::bf16, {3}, nullptr}}};
  translate_names(checkpoint);
  REQUIRE(checkpoint.tensors.size() == 3);
  CHECK(checkpoint.tensors.at("head.weight").shape == Shape{1});
  CHECK(checkpoint.tensors.at("emb.weight").shape == Shape{2});
  CHECK(checkpoint.tensors.at("ln_out.bias").dtype == DType::bf16);
}

TEST_CASE("Two tensors of one name are an error") {
  Checkpoint checkpoint;
  checkpoint.path = "model";
  checkpoint.tensors["emb.weight"] = checkpoint.tensors["rwkv.embeddings.weight"] = {};
  CHECK_THROWS_WITH(translate_names(checkpoint),
                    "model: tensor 'rwkv.embeddings.weight' is tensor 'emb.weight' by another name, and both are there");
}

TEST_CASE("Names: what wrappers put before every name comes off, and only before every name") {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"_orig_mod.module.emb.weight", {}}, {"_orig_mod.module.model.head.weight", {}}};
  checkpoint.others = {{"_orig_mod.module.count", "I64"}};
  translate_names(checkpoint);
  CHECK(checkpoint.tensors.count("emb.weight") == 1);
  CHECK(checkpoint.tensors.count("model.head.weight") == 1);
  CHECK(checkpoint.others.count("count") == 1);
  checkpoint.tensors = {{"model.emb.weight", {}}, {"head.weight", {}}};
  checkpoint.others.clear();
  translate_names(checkpoint);
  CHECK(checkpoint.tensors.count("model.emb.weight") == 1);
}

TEST_CASE("Names: web-rwkv's are ours, and its low-rank maps are transposed back") {
  const std::vector<float> numbers = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const auto tensor = [&](Shape shape) { return Tensor{DType::f32, shape, reinterpret_cast<const std::byte*>(numbers.data())}; };
  Checkpoint checkpoint;
  checkpoint.tensors = {{"blocks.0.att.time_mix_w1", tensor({2, 3})}, {"blocks.0.att.time_mix_w2", tensor({2, 3, 2})}, {"blocks.0.att.time_decay_w2", tensor({3, 2})},
                        {"blocks.0.att.time_mix_k", tensor({1, 1, 3})}, {"blocks.0.ffn.time_mix_r", tensor({3})}, {"blocks.0.att.time_first", tensor({2, 2})},
                        {"blocks.0.att.key.weight", tensor({2, 3})}};
  translate_names(checkpoint);
  const auto read = [&](const std::string& name) {
    std::vector<double> out;
    for (Index i = 0; i < element_count(checkpoint.tensors.at(name).shape); ++i) out.push_back(number_at(checkpoint.tensors.at(name), i));
    return out;
  };
  CHECK(checkpoint.tensors.at("blocks.0.att.time_maa_w1").shape == Shape{3, 2});
  CHECK(read("blocks.0.att.time_maa_w1") == std::vector<double>{1, 4, 2, 5, 3, 6});
  CHECK(checkpoint.tensors.at("blocks.0.att.time_maa_w2").shape == Shape{2, 2, 3});
  CHECK(read("blocks.0.att.time_maa_w2") == std::vector<double>{1, 3, 5, 2, 4, 6, 7, 9, 11, 8, 10, 12});
  CHECK(read("blocks.0.att.time_decay_w2") == std::vector<double>{1, 3, 5, 2, 4, 6});
  CHECK(read("blocks.0.att.key.weight") == std::vector<double>{1, 2, 3, 4, 5, 6});
  for (const char* name : {"blocks.0.att.time_maa_k", "blocks.0.ffn.time_maa_r", "blocks.0.att.time_faaaa"}) CHECK(checkpoint.tensors.count(name) == 1);
}

TEST_CASE("Names: those of RWKV-5, which look like web-rwkv's, stay") {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"blocks.0.att.time_mix_k", {}}};
  translate_names(checkpoint);
  CHECK(checkpoint.tensors.count("blocks.0.att.time_mix_k") == 1);
}

TEST_CASE("Names: a hundred thousand wrappers come off at once") {
  std::string name;
  for (int i = 0; i < 170000; ++i) name += i % 2 == 0 ? "model." : "module.";
  CHECK(renamed(name + "emb.weight") == "emb.weight");
  CHECK(renamed(name) == "");
  Checkpoint checkpoint;
  checkpoint.tensors = {{"model.model.a", {}}};
  checkpoint.others = {{"model.b", "I64"}};
  translate_names(checkpoint);
  CHECK(checkpoint.tensors.count("model.a") == 1);
  CHECK(checkpoint.others.count("b") == 1);
}

TEST_CASE("Names: only what web-rwkv transposes is transposed back") {
  const float numbers[24] = {};
  const auto tensor = [&](Shape shape) { return Tensor{DType::f32, shape, reinterpret_cast<const std::byte*>(numbers)}; };
  Checkpoint checkpoint;
  const std::vector<std::string> stay = {"other.0.att.time_maa_w1", "x.att.time_decay_w1", "blocks.att.time_decay_w1", "blocks.x.att.time_decay_w1", "blocks.0.x.att.time_decay_w1"};
  checkpoint.tensors = {{"blocks.0.att.time_mix_w1", tensor({2, 3})}, {"blocks.1.att.time_mix_w1", tensor({1, 2, 3, 4})}, {"blocks.1.att.time_mix_w2", tensor({3})}};
  for (const std::string& name : stay) checkpoint.tensors[name] = tensor({2, 3});
  translate_names(checkpoint);
  CHECK(checkpoint.tensors.at("blocks.0.att.time_maa_w1").shape == Shape{3, 2});
  CHECK(checkpoint.tensors.at("blocks.1.att.time_maa_w1").shape == Shape{1, 2, 3, 4});
  CHECK(checkpoint.tensors.at("blocks.1.att.time_maa_w2").shape == Shape{3});
  for (const std::string& name : stay) CHECK(checkpoint.tensors.at(name).shape == Shape{2, 3});
}

TEST_CASE("Names: transposing tensors that share their numbers takes at most 16 times the file") {
  const std::vector<std::byte> bytes(1000);
  const auto names = [&](int count) {
    Checkpoint checkpoint;
    checkpoint.path = "model";
    checkpoint.file = std::make_shared<const MappedFile>("model", std::span(bytes));
    for (int i = 0; i < count; ++i) checkpoint.tensors["blocks." + std::to_string(i) + ".att.time_mix_w1"] = {DType::f32, {10, 25}, bytes.data()};
    translate_names(checkpoint);
    return checkpoint.storage.size();
  };
  CHECK(names(16) == 16);
  CHECK_THROWS_WITH(names(17), Catch::Contains("model: tensor 'blocks.") && Catch::Contains("of shape [10, 25] expands to much more than the file holds"));
}
