// Indices of models in several files.
#include "goldfinch/checkpoint/several_files.hpp"
#include "reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run([&] {
    for (const auto& [name, file] : goldfinch::parse_index("input", fuzz::text(data, size)))
      if (file.find('/') != std::string::npos) std::abort();
  });
}
