// NumPy's archives of arrays.
#include "arrays.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run([&] {
    goldfinch::ArraySet set{"input", {}, false, false};
    goldfinch::array_set::add_npz(set, fuzz::file(data, size), false);
    for (const auto& [name, array] : set.arrays) fuzz::use(array);
  });
}
