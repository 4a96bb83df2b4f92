// Mapping files of `goldfinch compare --map`; what the rules find is read.
#include "arrays.hpp"
#include "goldfinch/validate/name_map.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run([&] {
    const goldfinch::NameMap map("input", fuzz::text(data, size));
    static const std::vector<double> numbers(2 * 3 * 4 * 5);
    goldfinch::ArraySet theirs{"theirs", {}, false, false};
    for (const char* name : {"a", "layer1.S", "1", ""})
      for (const goldfinch::Shape& shape : {goldfinch::Shape{2, 3, 4, 5}, goldfinch::Shape{120}, goldfinch::Shape{1, 6, 20}, goldfinch::Shape{0, 3}})
        theirs.arrays.emplace_back(name + std::to_string(shape.size()), goldfinch::Array::view(numbers.data(), shape));
    for (const char* ours : {"a4", "a1", "a2", "blocks.1.att.S", "blocks.1.att.k", "blocks.99999999999999999999.x"})
      for (const goldfinch::Shape& shape : {goldfinch::Shape{3, 4}, goldfinch::Shape{120}, goldfinch::Shape{2, 3, 4, 5}})
        fuzz::run([&] {
          if (const auto found = map.find(theirs, ours, shape)) fuzz::use(found->array);
        });
  });
}
