// Checkpoints in safetensors: the header, the tensors that it names, and the model that they are.
#include "model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run([&] { fuzz::use(goldfinch::open_checkpoint(fuzz::file(data, size))); });
}
