// NumPy's arrays. The first byte says whether integers of 16 bits are bfloat16.
#include "arrays.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  return fuzz::run([&] { fuzz::use(goldfinch::read_npy("input", std::as_bytes(std::span(data + 1, size - 1)), nullptr, data[0] % 2 == 1)); });
}
