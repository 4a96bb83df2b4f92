// A named array in a checkpoint: where its bytes are, in which type, of which shape. A view; what it points into (a mapped file,
// a buffer) is kept alive by the Checkpoint that it belongs to.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "goldfinch/core/dtype.hpp"
#include "goldfinch/core/matrix.hpp"
#include "goldfinch/core/platform.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct Tensor {
  DType dtype = DType::f32;
  Shape shape;
  const std::byte* data = nullptr;    // row-major, contiguous, little-endian; may be misaligned
  const std::byte* scales = nullptr;  // of q8: bfloat16 [out, ceil(in / 64)]
};

/// The shape of the scales of q8 numbers [out, in].
inline Shape scale_shape(const Shape& shape) { return {shape[0], shape[1] / q8_block + (shape[1] % q8_block != 0)}; }

/// Where the bytes of a tensor are: those of its numbers, and those of its scales.
inline std::array<std::span<const std::byte>, 2> stored_bytes(const Tensor& tensor) {
  const auto span = [](const std::byte* data, Index n) { return std::span(data, static_cast<std::size_t>(n)); };
  return {span(tensor.data, element_count(tensor.shape) * size_of(tensor.dtype)),
          span(tensor.scales, tensor.dtype == DType::q8 ? element_count(scale_shape(tensor.shape)) * size_of(DType::bf16) : 0)};
}

/// How many they are.
inline Index byte_count(const Tensor& tensor) {
  const auto [numbers, scales] = stored_bytes(tensor);
  return static_cast<Index>(numbers.size() + scales.size());
}

/// Element i of a tensor of numbers that stand for themselves, widened exactly.
inline double number_at(const Tensor& tensor, Index i) {
  return dispatch(tensor.dtype, [&]<class Stored>(Stored*) { return static_cast<double>(widen(load<Stored>(tensor.data, static_cast<std::size_t>(i)))); });
}

/// A checkpoint in memory: tensors by name, string metadata, and the storage behind them.
struct Checkpoint {
  std::string path;                                // for messages
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;     // safetensors' __metadata__; empty for .pth
  std::shared_ptr<const MappedFile> file;          // what tensors point into, and
  std::vector<std::shared_ptr<const void>> storage;  // what else they point into
  std::map<std::string, std::string> others = {};    // tensors of types that no model has, by name: the type as the file spells it
  std::vector<std::shared_ptr<const MappedFile>> more_files = {};  // of a model in several files
  std::size_t copied = 0;                          // bytes of copies (checkpoint/room_for_copy.hpp)

  /// Puts float64 numbers, as many as the shape has, under a name.
  void put(const std::string& name, const Shape& shape, std::vector<double> numbers) {
    const auto kept = std::make_shared<const std::vector<double>>(std::move(numbers));
    tensors[name] = {DType::f64, shape, reinterpret_cast<const std::byte*>(kept->data())};
    storage.push_back(kept);
  }

  /// The tensor's bytes are not needed any more: pages that belong to it alone leave the memory (the file keeps them).
  void release(const Tensor& tensor) const {
    for (const auto& bytes : stored_bytes(tensor)) {
      if (file) file->release(bytes.data(), bytes.size());
      for (const auto& more : more_files) more->release(bytes.data(), bytes.size());
    }
  }
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
