#include "goldfinch/checkpoint/q8.hpp"

#include <catch2/catch.hpp>

#include "files.hpp"
#include "goldfinch/checkpoint/load.hpp"
#include "model/golden.hpp"

using namespace goldfinch;
using Catch::Contains;

TEST_CASE("A matrix in q8 and its scales are one tensor, whose bytes are those of both") {
  const files::TemporaryFile file(files::q8_safetensors());
  const Checkpoint checkpoint = open_checkpoint(file.path());
  REQUIRE(checkpoint.tensors.size() == 1);
  const Tensor& m = checkpoint.tensors.at("m");
  CHECK(m.dtype == DType::q8);
  CHECK(m.shape == Shape{2, 65});
  CHECK(load<Q8>(m.data, 127).q == 127);
  CHECK(load<Q8>(m.data, 128).q == -127);
  CHECK(widen(load<BFloat16>(m.scales, 3)) == 0.5f);
  CHECK(byte_count(m) == 138);
  CHECK(nonfinite_tensors(checkpoint).empty());
}

TEST_CASE("What is no number of q8 is found: -128, and scales that are negative, infinite or NaN") {
  const std::string good = files::q8_safetensors();
  const std::size_t scales = good.size() - 8, numbers = scales - 130;
  const auto found = [&](std::size_t at, const std::string& bytes) {
    const files::TemporaryFile file(files::with(good, at, bytes));
    return nonfinite_tensors(open_checkpoint(file.path())).size() == 1;
  };
  CHECK(found(numbers, "\x80"));
  CHECK(found(numbers + 129, "\x80"));
  for (const int i : {0, 3})
    for (const std::uint64_t bits : {0x7f80, 0x7fc0, 0xff80, 0x8000, 0xbf00}) CHECK(found(scales + static_cast<std::size_t>(2 * i), files::u16(bits)));
  CHECK(!found(scales, files::u16(0x7f7f)));
  CHECK(!found(scales, files::u16(0)));
  CHECK(!found(numbers, "\x81"));
}

TEST_CASE("A fingerprint sees every number and every scale") {
  const std::string good = files::q8_safetensors();
  const auto fingerprint = [](const std::string& bytes) {
    const files::TemporaryFile file(bytes);
    return golden::fingerprint(open_checkpoint(file.path()), Config{});
  };
  CHECK(fingerprint(good) == fingerprint(good));
  CHECK(fingerprint(good) != fingerprint(files::with(good, good.size() - 1, "\x3e")));
  CHECK(fingerprint(good) != fingerprint(files::with(good, good.size() - 138, "\1")));
}

TEST_CASE("Only matrices may be in q8, and scales of nothing are unexpected") {
  auto checkpoint = golden::in_q8(golden::weights("goldfinch"));
  const auto parameters = parameter_list(resolve_shape(checkpoint));
  CHECK(check_tensors(checkpoint, parameters, false).empty());
  CHECK(checkpoint.tensors.at("head.weight").dtype == DType::q8);
  CHECK(checkpoint.tensors.at("emb.weight").dtype == DType::bf16);
  for (const std::string name : {"emb.weight", "ln_out.weight", "blocks.0.att.time_maa_w1", "blocks.0.att.time_decay"}) {
    auto wrong = checkpoint;
    wrong.tensors.at(name).dtype = DType::q8;
    CHECK_THROWS_WITH(check_tensors(wrong, parameters, false), Contains("tensor " + name + " is q8"));
  }
  checkpoint.tensors["emb.weight.scale"] = {DType::bf16, {61, 1}, nullptr};
  CHECK_THROWS_WITH(check_tensors(checkpoint, parameters, false), Contains("does not expect tensor 'emb.weight.scale'"));
}

TEST_CASE("Where the blocks of a sum over [left; right] do not begin with scales, the matrix stays as it is") {
  Config config;
  config.vocab_size = 61, config.n_layer = 3, config.n_embd = 96, config.head_size = 32, config.tmix2 = "gold";
  for (const auto& parameter : parameter_list({config, config.dimensions()}))
    CHECK(parameter.may_be_q8 == (parameter.role == Role::matrix && parameter.name != "w_kv_cache_b.weight"));
  config.n_embd = 128;
  for (const auto& parameter : parameter_list({config, config.dimensions()})) CHECK(parameter.may_be_q8 == (parameter.role == Role::matrix));
}
