// Pickles without the archive around them.
#include "goldfinch/checkpoint/pickle.hpp"
#include "reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run([&] {
    const goldfinch::Pickle pickle(std::as_bytes(std::span(data, size)), "input");
    for (const auto* item : pickle.root().items) (void)goldfinch::describe(*item);
  });
}
