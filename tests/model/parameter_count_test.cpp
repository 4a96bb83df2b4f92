#include <catch2/catch.hpp>

#include "goldfinch/checkpoint/load.hpp"

namespace {

goldfinch::Index count_of(const std::string& json) {
  goldfinch::Config config;
  goldfinch::read_config(json, "test", true, config);
  config.vocab_size = 65536, config.n_layer = 24, config.n_embd = 2048;
  config.validate("test");
  return goldfinch::parameter_count({config, config.dimensions()});
}

}  // namespace

TEST_CASE("Models of 24 layers, width 2048 and 65536 tokens have as many parameters as the released ones") {
  CHECK(count_of(R"({"tmix": "x060"})") == 1'599'873'024);
  CHECK(count_of(R"({"tmix": "x060c2"})") == 1'505'501'184);
  CHECK(count_of(R"({"tmix": "x060c2", "tmix2": "gold"})") == 1'445'257'216);
  CHECK(count_of(R"({"tmix": "llama", "cmix": "llama", "rope_base": 10000})") == 1'473'454'080);
  CHECK(count_of(R"({"tmix": "gptalpha", "rope_base": 10000})") == 1'486'725'120);
}
