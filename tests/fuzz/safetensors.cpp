// Checkpoints in safetensors: the header, the tensors that it names, and the model that they are. The last byte of the length says whether
// that is made right.
#include "model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto copy = fuzz::with_header_length(data, size);
  return fuzz::run([&] { fuzz::use(goldfinch::open_checkpoint(fuzz::file(copy.get(), size))); });
}
