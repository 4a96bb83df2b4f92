// Configurations, beside a checkpoint or in its metadata, with what others write into them.
#include "goldfinch/checkpoint/config.hpp"
#include "reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const bool strict : {false, true})
    fuzz::run([&] {
      goldfinch::Config config;
      config.vocab_size = config.n_layer = 8, config.n_embd = 64;
      const auto json = goldfinch::read_config(fuzz::text(data, size), "input", strict, config);
      goldfinch::use_foreign_keys(json, "input", config);
      config.validate("input");
      for (const bool tied : {false, true}) fuzz::run([&] { goldfinch::check_foreign_keys(json, "input", config, config.dimensions(), tied); });
      (void)config.dimensions();
      goldfinch::Config again;
      goldfinch::read_config(goldfinch::write_config(config), "written", true, again);
      if (goldfinch::write_config(again) != goldfinch::write_config(config)) std::abort();
    });
  return 0;
}
