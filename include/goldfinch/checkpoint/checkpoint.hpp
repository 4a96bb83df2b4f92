// Opening a checkpoint of any kind that this library reads, and finding what no weight may be. What a file is, its content says,
// never its name; what it is not is said in words that tell how to get what is needed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "goldfinch/checkpoint/names.hpp"
#include "goldfinch/checkpoint/pth.hpp"
#include "goldfinch/checkpoint/safetensors.hpp"
#include "goldfinch/core/arithmetic.hpp"
#include "goldfinch/core/parallel.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/core/tensor.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// A .safetensors or .pth file, its tensors under this library's names. Throws Error naming the file and what is wrong with it.
inline Checkpoint open_checkpoint(const std::shared_ptr<const MappedFile>& file) {
  arithmetic::require();
  const std::string& path = file->path();
  const std::string_view head(reinterpret_cast<const char*>(file->data()), std::min<std::size_t>(file->size(), 64));
  const auto starts_with = [&](std::string_view text) { return head.starts_with(text); };
  const bool safetensors = head.size() > 8 && head[8] == '{';
  const bool zip = starts_with("PK\3\4") || starts_with("PK\5\6");
  if (safetensors || zip) {
    Checkpoint checkpoint = zip ? read_pth(file) : read_safetensors(file);
    translate_names(checkpoint);
    return checkpoint;
  }
  if (head.empty()) fail(path, ": is empty");
  if (starts_with("version https://git-lfs"))
    fail(path, ": is a pointer to a file kept by git-lfs; fetch the file with git lfs pull");
  if (starts_with("GGUF")) fail(path, ": is a GGUF file, expected .safetensors or .pth");
  if (starts_with("<")) fail(path, ": is a web page or XML, expected .safetensors or .pth; was the download refused?");
  if (starts_with("{")) fail(path, ": is JSON, expected .safetensors or .pth");
  if (head[0] == '\x80' && head.size() > 1 && head[1] >= 2 && head[1] <= 5)
    fail(path, ": is a pickle without an archive, as PyTorch before 1.6 wrote it; "
               "load it with torch.load and save its state_dict again with torch.save");
  fail(path, ": is neither a .safetensors nor a .pth file");
}
inline Checkpoint open_checkpoint(const std::string& path) { return open_checkpoint(std::make_shared<const MappedFile>(path)); }

/// Whether any of count numbers is infinite or NaN: has all bits of `exponent` set, so that adding its lowest one carries into
/// the sign. Eight bytes are looked at together: no carry leaves its number.
template <class Word>
bool any_nonfinite(const std::byte* data, Index count, Word exponent) {
  constexpr std::uint64_t in_each = ~std::uint64_t{0} / static_cast<Word>(~Word{0});  // 1 in every number
  constexpr Index together = 8 / sizeof(Word);
  const Word lowest = exponent & static_cast<Word>(-exponent);
  const std::uint64_t exponents = in_each * exponent, lowests = in_each * lowest;
  std::uint64_t found = 0;
  for (Index i = 0; i < count / together; ++i) found |= (load<std::uint64_t>(data, static_cast<std::size_t>(i)) & exponents) + lowests;
  for (Index i = count / together * together; i < count; ++i) found |= static_cast<Word>((load<Word>(data, static_cast<std::size_t>(i)) & exponent) + lowest);
  return (found & in_each << (8 * sizeof(Word) - 1)) != 0;
}

/// Whether q8 numbers lack a meaning: -128, or a scale (bfloat16) that is negative, infinite or NaN. Eight together, too: 1 taken from
/// each byte of what differs from -128 borrows beyond its top bit first where nothing differs.
inline bool any_bad_q8(const std::byte* numbers, Index count) {
  constexpr std::uint64_t in_each = ~std::uint64_t{0} / 255;
  std::uint64_t found = 0;
  for (Index i = 0; i < count / 8; ++i) {
    const std::uint64_t differs = load<std::uint64_t>(numbers, static_cast<std::size_t>(i)) ^ in_each * 0x80;
    found |= (differs - in_each) & ~differs;
  }
  for (Index i = count / 8 * 8; i < count; ++i) found |= numbers[i] == std::byte{0x80} ? 0x80 : 0;
  return (found & in_each * 0x80) != 0;
}
inline bool any_bad_scale(std::span<const std::byte> scales) {
  bool found = false;
  for (std::size_t i = 0; i < scales.size() / sizeof(BFloat16); ++i) found |= load<BFloat16>(scales.data(), i).bits >= 0x7f80;
  return found;
}

/// Whether a tensor holds a NaN or an infinity, or in q8 what is no number. On all threads.
inline bool is_nonfinite(const Tensor& tensor) {
  constexpr Index portion = 1 << 16;  // elements
  const Index count = element_count(tensor.shape);
  std::atomic<bool> found = tensor.dtype == DType::q8 && any_bad_scale(stored_bytes(tensor)[1]);
  parallel_for((count + portion - 1) / portion, 1, [&](Index begin, Index end) {
    const std::byte* const data = tensor.data + begin * portion * size_of(tensor.dtype);
    const Index n = std::min(end * portion, count) - begin * portion;
    bool here = false;
    switch (tensor.dtype) {
      case DType::f64: here = any_nonfinite<std::uint64_t>(data, n, 0x7ff0'0000'0000'0000); break;
      case DType::f32: here = any_nonfinite<std::uint32_t>(data, n, 0x7f80'0000); break;
      case DType::bf16: here = any_nonfinite<std::uint16_t>(data, n, 0x7f80); break;
      case DType::f16: here = any_nonfinite<std::uint16_t>(data, n, 0x7c00); break;
      case DType::q8: here = any_bad_q8(data, n); break;
      case DType::u8: break;
    }
    if (here) found = true;
  });
  return found;
}

/// The names of such tensors, in order. Reads every weight once.
inline std::vector<std::string> nonfinite_tensors(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  with_workers([&] {
    for (const auto& [name, tensor] : checkpoint.tensors) {
      if (is_nonfinite(tensor)) names.push_back(name);
      checkpoint.release(tensor);
    }
  });
  return names;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
