// PyTorch archives: the directory of the zip file, the pickle in it, and the tensors over its storages.
#include "model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run([&] {
    auto checkpoint = goldfinch::read_pth(fuzz::file(data, size));
    goldfinch::translate_names(checkpoint);
    fuzz::use(checkpoint);
  });
}
