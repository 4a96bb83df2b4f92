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
                           "rwkv.blocks.-1.ln1.weight", "rwkv.blocks.1.other.weight", "model.rwkv.embeddings.weight", ""})
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
