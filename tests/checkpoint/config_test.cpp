#include "goldfinch/checkpoint/config.hpp"

#include <catch2/catch.hpp>

#include "files.hpp"

using namespace goldfinch;
using Catch::Contains;

namespace {

/// A folder with a config.json for a checkpoint, which is in memory only.
class Beside {
 public:
  explicit Beside(const std::string& json) {
    std::filesystem::remove(place_.path());
    std::filesystem::create_directory(place_.path());
    std::ofstream(place_.path() + "/config.json") << json;
  }
  ~Beside() { std::filesystem::remove_all(place_.path()); }
  std::string checkpoint() const { return place_.path() + "/m.safetensors"; }
  std::string config() const { return place_.path() + "/config.json"; }

 private:
  files::TemporaryFile place_;
};

/// The names and shapes of a Finch of one layer: V = 5, D = 8, N = 4, F = 6.
Checkpoint finch(const std::string& path, bool tied = false) {
  static const float numbers[64] = {};
  const auto tensor = [&](Shape shape) { return Tensor{DType::f32, shape, reinterpret_cast<const std::byte*>(numbers)}; };
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.tensors = {{"emb.weight", tensor({5, 8})}, {"head.weight", tensor({5, 8})}, {"blocks.0.att.time_maa_g", tensor({1, 1, 8})},
                        {"blocks.0.att.time_faaaa", tensor({2, 4})}, {"blocks.0.ffn.key.weight", tensor({6, 8})}};
  if (!tied) checkpoint.tensors["head.weight"].data += 4;
  return checkpoint;
}

void check_refused(const std::string& json, const std::string& reason, bool tied = false) {
  const Beside beside(json);
  CHECK_THROWS_WITH(resolve_shape(finch(beside.checkpoint(), tied)), Catch::StartsWith(beside.config() + ": ") && Contains(reason));
}
void check_taken(const std::string& json, bool tied = false) {
  const Beside beside(json);
  INFO(json);
  CHECK_NOTHROW(resolve_shape(finch(beside.checkpoint(), tied)));
}

}  // namespace

TEST_CASE("Keys of other libraries' config.json that would change numbers must say what the model computes") {
  for (const char* key : {"layer_norm_epsilon", "layer_norm_eps", "norm_eps"}) {
    check_taken("{\"" + std::string(key) + "\": 1e-5}");
    check_taken("{\"" + std::string(key) + "\": 9.999999747378752e-06}");
    check_taken("{\"" + std::string(key) + "\": null}");
    check_refused("{\"" + std::string(key) + "\": 0.001}", std::string(key) + " is '0.001', but the model computes with 1e-05");
    check_refused("{\"" + std::string(key) + "\": \"1e-5\"}", key);
  }
  check_taken(R"({"hidden_size": 8, "num_hidden_layers": 1, "attention_hidden_size": 8, "intermediate_size": 6, "head_dim": 4, "num_heads": 2, "hidden_act": "sqrelu"})");
  check_refused(R"({"hidden_size": 16})", "hidden_size is '16', but the model computes with 8");
  check_refused(R"({"num_hidden_layers": 2})", "num_hidden_layers");
  check_refused(R"({"intermediate_size": 28})", "intermediate_size");
  check_refused(R"({"num_heads": 4})", "num_heads");
  check_taken(R"({"num_attention_heads": 2})");
  check_taken(R"({"num_attention_heads": 4})");  // transformers' RWKV-6 means the size of a head
  check_refused(R"({"num_attention_heads": 8})", "num_attention_heads");
  check_refused(R"({"hidden_act": "gelu"})", "the square of relu");
  check_refused(R"({"rms_norm_eps": 1e-5})", "rms_norm_eps");
  check_refused(R"({"rope_scaling": {"factor": 2}})", "rope_scaling");
  check_refused(R"({"quantization_config": {"bits": 4}})", "quantization_config");
}

TEST_CASE("Keys that change nothing are not looked at") {
  check_taken(R"({"architectures": ["Rwkv6ForCausalLM"], "model_type": "rwkv6", "torch_dtype": "bfloat16", "use_cache": true, "bos_token_id": 0, "rescale_every": 6,
                  "rope_theta": 500, "rope_scaling": null, "quantization_config": null, "transformers_version": "4.34.0", "tie_word_embeddings": false})");
}

TEST_CASE("config.json is believed about tied embeddings only where it agrees with the tensors") {
  check_taken(R"({"tie_word_embeddings": true})", true);
  check_taken("{}", true);
  check_refused(R"({"tie_word_embeddings": false})", "there is no tensor head.weight", true);
  check_refused(R"({"tie_word_embeddings": true})", "there is a tensor head.weight");
}

TEST_CASE("What contradicts the tensors is said of the file that says it, and what a later source mends is no error") {
  check_refused(R"({"vocab_size": 32000})", "the configuration says that vocab_size is 32000, the tensors say 5");
  check_refused(R"({"head_size": 3})", "head_size is 3, which does not divide n_embd 8");
  const Beside beside(R"({"vocab_size": 32000})");
  Checkpoint checkpoint = finch(beside.checkpoint());
  checkpoint.metadata[config_key] = R"({"vocab_size": 5})";
  CHECK_NOTHROW(resolve_shape(checkpoint));
  checkpoint.metadata[config_key] = R"({"n_layer": 7})";
  CHECK_THROWS_WITH(resolve_shape(checkpoint), Catch::StartsWith(beside.config() + ": ") && Contains("vocab_size"));
  checkpoint.metadata[config_key] = R"({"vocab_size": 5, "n_layer": 7})";
  CHECK_THROWS_WITH(resolve_shape(checkpoint), Catch::StartsWith(beside.checkpoint() + ": goldfinch.config: ") && Contains("n_layer"));
  checkpoint.metadata.erase(config_key);
  checkpoint.tensors.erase("blocks.0.att.time_faaaa");
  const Beside good("{}");
  checkpoint.path = good.checkpoint();
  ConfigOverrides overrides;
  overrides.head_size = 3;
  CHECK_THROWS_WITH(resolve_shape(checkpoint, overrides), Catch::StartsWith(good.checkpoint() + ": head_size is 3"));
}

TEST_CASE("Relatives of RWKV-6 are called by their name") {
  const auto refused = [](std::map<std::string, Tensor> tensors, const std::string& name) {
    Checkpoint checkpoint = finch("/nowhere/m.safetensors");
    checkpoint.tensors.erase("blocks.0.att.time_maa_g");
    checkpoint.tensors.merge(tensors);
    CHECK_THROWS_WITH(infer_shape(checkpoint), Contains("is an " + name + " model, expected RWKV-6"));
  };
  refused({{"blocks.0.att.time_mix_k", {}}, {"blocks.0.att.gate.weight", {}}, {"blocks.0.att.ln_x.weight", {}}}, "RWKV-5");
  refused({{"blocks.0.att.time_mix_k", {}}}, "RWKV-4");
  refused({{"blocks.0.att.x_r", {}}}, "RWKV-7");
}

TEST_CASE("Dimensions that no model has are refused before anything is computed with them") {
  Checkpoint checkpoint = finch("/nowhere/m.safetensors");
  checkpoint.tensors["emb.weight"].shape = {0, Index{1} << 62};
  CHECK_THROWS_WITH(infer_shape(checkpoint), Contains("emb.weight") && Contains("at most 2^40"));
}
