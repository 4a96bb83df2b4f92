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
#include "goldfinch/core/platform.hpp"

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
  std::shared_ptr<const MappedFile> file;          // what tensors point into, and
  std::vector<std::shared_ptr<const void>> storage;  // what else they point into

  /// The tensor's bytes are not needed any more: pages that belong to it alone leave the memory (the file keeps them).
  void release(const Tensor& tensor) const {
    if (file) file->release(tensor.data, static_cast<std::size_t>(element_count(tensor.shape) * size_of(tensor.dtype)));
  }
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
