// Uses the library as a stranger would: one layer, then a whole model without weights.
#include "goldfinch/goldfinch.hpp"

#include <cstdio>

int everything();

int main() {
  goldfinch::Config config;
  config.vocab_size = 61, config.n_layer = 6, config.n_embd = 64, config.head_size = 16;
  config.tmix2 = "gold";
  goldfinch::Model<float> model(config, config.dimensions());
  goldfinch::Index parameters = 0;
  model.parameters([&](const std::string&, auto&, const goldfinch::Shape& shape, goldfinch::Role) {
    goldfinch::Index n = 1;
    for (const auto size : shape) n *= size;
    parameters += n;
  });
  std::printf("%s, %td parameters, %d\n", config.model_name().c_str(), parameters, everything());
}
