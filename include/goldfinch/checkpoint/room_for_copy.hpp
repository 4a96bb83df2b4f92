// Memory for numbers of a checkpoint that its file has in another order.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <string>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/core/tensor.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Memory for a copy of a tensor's numbers, kept by the checkpoint. Throws Error, naming the tensor, where all copies together
/// would take more than 16 times the file: tensors may share their numbers, and a small file would fill any memory.
inline std::byte* room_for_copy(Checkpoint& checkpoint, const std::string& name, const Tensor& tensor) {
  const bool in_memory = !checkpoint.file && checkpoint.more_files.empty();
  std::size_t most = in_memory ? std::numeric_limits<std::size_t>::max() : 0;
  if (checkpoint.file) most += 16 * checkpoint.file->size();
  for (const auto& file : checkpoint.more_files) most += 16 * file->size();
  const auto size = static_cast<std::size_t>(element_count(tensor.shape) * size_of(tensor.dtype));
  if (size > most || checkpoint.copied > most - size)
    fail(checkpoint.path, ": tensor ", in_quotes(name), " of shape ", to_string(tensor.shape),
         " expands to much more than the file holds");
  checkpoint.copied += size;
  const auto room = std::make_shared<HugeBuffer>(size);
  checkpoint.storage.push_back(room);
  return room->data();
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
