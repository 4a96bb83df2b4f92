// Configurations, beside a checkpoint or in its metadata.
#include "goldfinch/checkpoint/config.hpp"
#include "reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const bool strict : {false, true})
    fuzz::run([&] {
      goldfinch::Config config;
      config.vocab_size = config.n_layer = 8, config.n_embd = 64;
      goldfinch::read_config(std::string(fuzz::text(data, size)), "input", strict, config);
      config.validate("input");
      (void)config.dimensions();
      goldfinch::Config again;
      goldfinch::read_config(goldfinch::write_config(config), "written", true, again);
      if (goldfinch::write_config(again) != goldfinch::write_config(config)) std::abort();
    });
  return 0;
}
