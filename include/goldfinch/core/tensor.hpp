// A named array in a checkpoint: where its bytes are, in which type, of which shape. A view; what it points into (a mapped file,
// a buffer) is kept alive by the Checkpoint that it belongs to.
#pragma once

#include <cstddef>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "goldfinch/core/dtype.hpp"
#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct Tensor {
  DType dtype = DType::f32;
  Shape shape;
  const std::byte* data = nullptr;  // row-major, contiguous, little-endian; may be misaligned
};

/// The number of elements, or -1 where the product of the dimensions does not fit or a dimension is negative.
inline Index element_count(const Shape& shape) {
  Index count = 1;
  for (const Index n : shape) {
    if (n < 0 || (n > 0 && count > std::numeric_limits<Index>::max() / 16 / n)) return -1;
    count *= n;
  }
  return count;
}

/// A checkpoint in memory: tensors by name, string metadata, and the storage behind them.
struct Checkpoint {
  std::string path;                                // for messages
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;     // safetensors' __metadata__; empty for .pth
  std::vector<std::shared_ptr<const void>> storage;  // keeps what the tensors point into alive
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
