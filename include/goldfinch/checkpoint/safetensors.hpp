// Safetensors files: the length of a header in 8 bytes, the header in JSON, then the tensors' bytes, one after another.
//
//   {"__metadata__": {"key": "text", ...}, "emb.weight": {"dtype": "F32", "shape": [61, 64], "data_offsets": [0, 15616]}, ...}
//
// Reading gives views into the mapped file, at whatever alignment the header's length leaves them. It is as strict as the
// format: every byte of data belongs to exactly one tensor, and what a lenient JSON reader would let pass (keys given twice,
// 2.0 as a dimension) is an error. Checkpoints hold F64, F32, BF16, F16 and I8 (q8.hpp); other types are refused. JSON by nlohmann-json.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/foreign_format.hpp"
#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/checkpoint/q8.hpp"
#include "goldfinch/checkpoint/safetensors_header.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/core/sha256.hpp"
#include "goldfinch/core/tensor.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// "BF16", as safetensors spells a stored type.
inline const char* safetensors_name(DType type) {
  constexpr const char* names[] = {"F64", "F32", "BF16", "F16", "I8", "U8"};
  return names[static_cast<int>(type)];
}

/// What a file holds, in the order of its data: views into the mapped file, of number types by their spelling.
struct SafetensorsFile {
  struct Entry {
    std::string name, dtype;
    Shape shape;
    const std::byte* data;
  };
  std::shared_ptr<const MappedFile> file;
  std::map<std::string, std::string> metadata;
  std::vector<Entry> entries;
};

/// What a mapped file holds. size_of_type(name, dtype) gives the bytes of one number, or throws where the type is not wanted. Throws Error
/// naming the file, the tensor and what is wrong with it.
template <class SizeOfType>
SafetensorsFile map_safetensors(const std::shared_ptr<const MappedFile>& file, SizeOfType&& size_of_type) {
  constexpr std::uint64_t longest = 100'000'000;  // the format's own limit
  const std::string& path = file->path();
  if (file->size() < 8) fail(path, ": is ", file->size(), " bytes long, too short for a safetensors file");
  const std::uint64_t rest = file->size() - 8, length = load<std::uint64_t>(file->data(), 0);
  if (rest > 0 && file->data()[8] != std::byte{'{'}) {
    if (const char* const foreign = foreign_format(*file)) fail(path, ": is ", foreign, ", expected a safetensors file");
    if (length > rest) fail(path, ": is not a safetensors file: the header that it would begin with does not start with '{'");
  }
  if (length > std::min(rest, longest))
    fail(path, ": header is ", length, " bytes long by its own account, expected at most ", std::min(rest, longest));
  const auto* text = reinterpret_cast<const char*>(file->data() + 8);
  if (length == 0 || text[0] != '{') fail(path, ": header does not start with '{'");
  if (std::memchr(text, 0, length)) fail(path, ": header holds a zero byte");
  SafetensorsHeader header(path);
  nlohmann::json::sax_parse(text, text + length, &header);

  const std::byte* const data = file->data() + 8 + length;
  const auto data_size = static_cast<Index>(rest - length);
  std::vector<std::tuple<Index, Index, std::string>> ranges;
  for (const auto& [name, entry] : header.entries) {
    const int size = size_of_type(name, entry.dtype);
    const Index begin = entry.offsets[0], end = entry.offsets[1], count = element_count(entry.shape);
    if (begin > end || end > data_size)
      fail(path, ": tensor ", in_quotes(name), " has data_offsets ", to_string(entry.offsets),
           ", expected them in order and within the ", data_size, " bytes of data");
    if (count < 0) fail(path, ": tensor ", in_quotes(name), " has more elements than can be counted");
    if (end - begin != count * size)
      fail(path, ": tensor ", in_quotes(name), " has ", end - begin, " bytes of data, expected ", count * size, " for ",
           entry.dtype, " of shape ", to_string(entry.shape));
    ranges.emplace_back(begin, end, name);
  }

  std::sort(ranges.begin(), ranges.end());
  SafetensorsFile result{file, std::move(header.metadata), {}};
  Index covered = 0;
  for (const auto& [begin, end, name] : ranges) {
    if (begin < covered) fail(path, ": the data of tensor ", in_quotes(name), " overlaps another tensor's");
    if (begin > covered) fail(path, ": ", begin - covered, " bytes before tensor ", in_quotes(name), " belong to no tensor");
    covered = end;
    const auto& entry = header.entries.at(name);
    result.entries.push_back({name, entry.dtype, entry.shape, data + begin});
  }
  if (covered < data_size) fail(path, ": the last ", data_size - covered, " bytes belong to no tensor");
  return result;
}

/// What becomes of tensors whose type no model has: an error, save that sessions may have bytes (U8), or a place in Checkpoint::others.
enum class OtherTypes { refused, bytes_allowed, listed };

/// A checkpoint's file.
inline Checkpoint read_safetensors(const std::shared_ptr<const MappedFile>& mapped, OtherTypes others = OtherTypes::refused) {
  const std::string& path = mapped->path();
  const auto type_of = [&](const std::string& spelled) -> std::optional<DType> {
    for (const DType type : {DType::f64, DType::f32, DType::bf16, DType::f16, DType::q8, DType::u8})
      if (spelled == safetensors_name(type) && (others == OtherTypes::bytes_allowed || type != DType::u8)) return type;
    return std::nullopt;
  };
  const auto file = map_safetensors(mapped, [&](const std::string& name, const std::string& spelled) {
    if (const auto type = type_of(spelled)) return size_of(*type);
    // Those of the format, as its library counts them.
    constexpr std::pair<std::string_view, int> sizes[] = {{"U8", 1}, {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1}, {"I16", 2},
                                                          {"U16", 2}, {"I32", 4}, {"U32", 4}, {"I64", 8}, {"U64", 8}, {"C64", 8}};
    for (const auto& [known, size] : sizes)
      if (others == OtherTypes::listed && spelled == known) return size;
    fail(path, ": tensor ", in_quotes(name), " is ", in_quotes(spelled), ", expected F64, F32, BF16, F16 or I8");
  });
  Checkpoint checkpoint{path, {}, file.metadata, file.file, {}};
  const bool explained = others != OtherTypes::listed || file.metadata.count(q8_key) > 0;  // what I8 means
  for (const auto& entry : file.entries) {
    const auto type = type_of(entry.dtype);
    if (type && (explained || type != DType::q8)) checkpoint.tensors[entry.name] = {*type, entry.shape, entry.data};
    else checkpoint.others[entry.name] = entry.dtype;
  }
  join_scales(checkpoint);
  return checkpoint;
}
inline Checkpoint read_safetensors(const std::string& path, OtherTypes others = OtherTypes::refused) {
  return read_safetensors(std::make_shared<const MappedFile>(path), others);
}

/// Writes a file piece by piece, so that a model need not be in memory. It appears whole at commit(), or not at all. The bytes
/// depend on the arguments alone. Throws Error if the file cannot be written, or names are equal or not UTF-8.
class SafetensorsWriter {
 public:
  /// Names, types and shapes in the order in which the data will come; the tensors' data pointers are not used. Every byte of the
  /// file goes into `sha` too, until its caller has finished it, for a checksum at the end.
  SafetensorsWriter(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                    const std::map<std::string, std::string>& metadata, Sha256* sha = nullptr)
      : path_(path), file_(path), sha_(sha) {
    std::string header = "{", separator;
    if (!metadata.empty()) {
      header += R"("__metadata__":{)";
      for (const auto& [key, value] : metadata) {
        header += separator + escaped(key) + ':' + escaped(value);
        separator = ",";
      }
      header += '}';
    }
    std::set<std::string> names = {"__metadata__"};
    for (const auto& [name, tensor] : tensors) {
      if (!names.insert(name).second) fail(path, ": cannot write two entries of the name ", in_quotes(name));
      std::string shape;
      for (const Index n : tensor.shape) shape += (shape.empty() ? "" : ",") + std::to_string(n);
      const Index count = element_count(tensor.shape);
      if (count < 0) fail(path, ": cannot write tensor ", in_quotes(name), " of shape ", to_string(tensor.shape));
      const std::uint64_t end = size_ + static_cast<std::uint64_t>(count) * size_of(tensor.dtype);
      header += separator + escaped(name) + R"(:{"dtype":")" + safetensors_name(tensor.dtype) + R"(","shape":[)" + shape +
                R"(],"data_offsets":[)" + std::to_string(size_) + ',' + std::to_string(end) + "]}";
      separator = ",";
      size_ = end;
    }
    header += '}';
    header.resize((header.size() + 7) / 8 * 8, ' ');  // keeps the data aligned
    const std::uint64_t length = header.size();
    put(&length, sizeof length);
    put(header.data(), header.size());
  }

  /// The next bytes of data, in any portions.
  void write(const void* data, std::size_t size) {
    if (size > size_ - written_) fail(path_, ": more than ", size_, " bytes of data given");
    put(data, size);
    written_ += size;
  }

  void commit() {
    if (written_ != size_) fail(path_, ": ", written_, " bytes of data given, expected ", size_);
    file_.commit();
  }

 private:
  void put(const void* data, std::size_t size) {
    if (sha_) sha_->update(data, size);
    file_.write(data, size);
  }

  std::string escaped(const std::string& text) const {
    if (!is_utf8(text)) fail(path_, ": cannot write ", in_quotes(text), ": is not UTF-8");
    return nlohmann::json(text).dump();
  }

  std::string path_;
  AtomicFile file_;
  Sha256* sha_;
  std::uint64_t size_ = 0, written_ = 0;
};

/// All at once, from memory.
inline void write_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  SafetensorsWriter writer(path, tensors, metadata);
  for (const auto& [name, tensor] : tensors)
    writer.write(tensor.data, static_cast<std::size_t>(element_count(tensor.shape)) * size_of(tensor.dtype));
  writer.commit();
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
