// Reads all numbers of an array, in portions that do not end where its rows do.
#pragma once

#include "goldfinch/validate/array_set.hpp"
#include "reader.hpp"

namespace fuzz {

inline void use(const goldfinch::Array& array) {
  double numbers[61];
  const goldfinch::Index count = array.count();
  array.read(0, 0, numbers);
  for (goldfinch::Index i = 0; i < count; i += 61) array.read(i, std::min<goldfinch::Index>(61, count - i), numbers);
}

}  // namespace fuzz
