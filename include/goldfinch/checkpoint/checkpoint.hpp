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
#include "goldfinch/checkpoint/several_files.hpp"
#include "goldfinch/core/arithmetic.hpp"
#include "goldfinch/core/parallel.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/core/tensor.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace checkpoint_file {

/// Under this library's names; where there is no head.weight, the embedding's numbers are its own (tied embeddings).
inline Checkpoint with_our_names(Checkpoint checkpoint) {
  if (checkpoint.metadata.count("goldfinch.session")) fail(checkpoint.path, ": is a session, which generate --load-session goes on with; expected a model");
  translate_names(checkpoint);
  const auto embedding = checkpoint.tensors.find("emb.weight");
  const auto block = checkpoint.tensors.lower_bound("blocks.");
  const bool model = embedding != checkpoint.tensors.end() && block != checkpoint.tensors.end() && block->first.starts_with("blocks.");
  if (model && !checkpoint.others.count("head.weight")) checkpoint.tensors.emplace("head.weight", Tensor(embedding->second));
  return checkpoint;
}

inline bool is_zip(std::string_view head) { return head.starts_with("PK\3\4") || head.starts_with("PK\5\6"); }
inline bool is_safetensors(std::string_view head) { return head.size() > 8 && head[8] == '{'; }

}  // namespace checkpoint_file

/// A .safetensors or .pth file, its tensors under this library's names. Throws Error naming the file and what is wrong with it.
inline Checkpoint open_checkpoint(const std::shared_ptr<const MappedFile>& file) {
  using namespace checkpoint_file;
  arithmetic::require();
  const std::string_view head(reinterpret_cast<const char*>(file->data()), std::min<std::size_t>(file->size(), 9));
  if (is_zip(head)) return with_our_names(read_pth(file));
  if (is_safetensors(head)) return with_our_names(read_safetensors(file, OtherTypes::listed));
  if (head.empty()) fail(file->path(), ": is empty");
  const char* const foreign = foreign_format(*file);
  fail(file->path(), foreign ? ": is " : ": is neither a .safetensors nor a .pth file", foreign ? foreign : "", foreign ? ", expected .safetensors or .pth" : "");
}

/// The same of a path: that of a file, of the .safetensors.index.json of a model in several files, or of a folder with one of them.
inline Checkpoint open_checkpoint(const std::string& path) {
  arithmetic::require();
  const std::string chosen = model_file(path);
  const auto file = std::make_shared<const MappedFile>(chosen);
  if (file->size() > 0 && file->data()[0] == std::byte{'{'} && (file->size() < 9 || file->data()[8] != std::byte{'{'})) return checkpoint_file::with_our_names(read_several_files(*file));
  refuse_one_of_several(chosen);
  return open_checkpoint(file);
}

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
