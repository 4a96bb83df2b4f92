// The arrays of a trace, whatever it was written as: a safetensors file, an .npz archive, a .npy file, or a folder of .npy files.
// All are mapped and none is copied but for the compressed. What a file is, its content says, never its name. What is no tensor of
// numbers (another entry of an archive, texts, numbers of other types) is no fault while nobody asks for it.
//
// The order is that of the data in the file. A folder has none of its own; it is sorted by name, numbers by value.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "goldfinch/checkpoint/inflate.hpp"
#include "goldfinch/checkpoint/safetensors.hpp"
#include "goldfinch/checkpoint/zip.hpp"
#include "goldfinch/core/folder_entries.hpp"
#include "goldfinch/validate/npy_reader.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What is wanted is there and cannot be read: bad input, where a missing array may be a finding.
struct Unreadable : Error {
  using Error::Error;
};

/// Arrays in an order, found by their names.
class NamedArrays {
 public:
  NamedArrays() = default;
  NamedArrays(std::vector<std::pair<std::string, Array>> arrays) {
    for (auto& [name, array] : arrays) emplace_back(std::move(name), std::move(array));
  }

  void emplace_back(std::string name, Array array) {
    places_.try_emplace(name, arrays_.size());
    arrays_.emplace_back(std::move(name), std::move(array));
  }

  /// The first of that name, or null.
  const Array* find(const std::string& name) const {
    const auto place = places_.find(name);
    return place == places_.end() ? nullptr : &arrays_[place->second].second;
  }

  auto begin() const { return arrays_.begin(); }
  auto end() const { return arrays_.end(); }
  std::size_t size() const { return arrays_.size(); }
  bool empty() const { return arrays_.empty(); }
  const auto& operator[](std::size_t i) const { return arrays_[i]; }
  const auto& at(std::size_t i) const { return arrays_.at(i); }

 private:
  std::vector<std::pair<std::string, Array>> arrays_;
  std::map<std::string, std::size_t> places_;
};

struct ArraySet {
  std::string path;
  NamedArrays arrays;
  bool single = false;  // one .npy file, whose name is only that of the file
  bool folder = false;  // in order of names, not of data
  std::map<std::string, std::string> unreadable = {};  // what else is there, and why it is no array
  std::map<std::string, std::string> metadata = {};    // of a safetensors file

  /// Null where there is none. Throws Unreadable where there is one that cannot be read.
  const Array* find(const std::string& name) const {
    if (const Array* const array = arrays.find(name)) return array;
    if (const auto other = unreadable.find(name); other != unreadable.end()) throw Unreadable(other->second);
    return nullptr;
  }
};

/// Whether a comes before b, digits compared as numbers: blocks.2.out before blocks.10.out.
inline bool natural_less(std::string_view a, std::string_view b) {
  const auto digits = [](std::string_view text) { return std::min(text.find_first_not_of("0123456789"), text.size()); };
  while (!a.empty() && !b.empty()) {
    const std::size_t m = digits(a), n = digits(b);
    if (m > 0 && n > 0) {
      const auto number = [](std::string_view text) { return text.substr(std::min(text.find_first_not_of('0'), text.size())); };
      const std::string_view x = number(a.substr(0, m)), y = number(b.substr(0, n));
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      a.remove_prefix(m), b.remove_prefix(n);
    } else {
      if (a[0] != b[0]) return a[0] < b[0];
      a.remove_prefix(1), b.remove_prefix(1);
    }
  }
  return a.size() < b.size();
}

namespace array_set {

inline std::span<const std::byte> bytes_of(const MappedFile& file) { return {file.data(), file.size()}; }

inline void add_safetensors(ArraySet& set, const std::shared_ptr<const MappedFile>& mapped) {
  const auto type = [](const std::string& spelled) {
    return std::find_if(std::begin(number_types), std::end(number_types), [&](const NumberTypeInfo& t) { return spelled == t.name; });
  };
  constexpr std::string_view bytes[] = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"};
  auto file = map_safetensors(mapped, [&](const std::string& name, const std::string& spelled) {
    if (type(spelled) != std::end(number_types)) return type(spelled)->size;
    const std::string reason = set.path + ": tensor " + in_quotes(name) + " is " + in_quotes(spelled) + ", expected F64, F32, BF16, F16, integers or BOOL";
    if (std::find(std::begin(bytes), std::end(bytes), spelled) == std::end(bytes)) fail(reason);  // nobody knows where its data end
    set.unreadable[name] = reason;
    return 1;
  });
  set.metadata = std::move(file.metadata);
  for (auto& entry : file.entries)
    if (!set.unreadable.count(entry.name)) set.arrays.emplace_back(entry.name, Array(type(entry.dtype)->type, entry.shape, entry.data, file.file));
}

inline void add_npz(ArraySet& set, const std::shared_ptr<const MappedFile>& file, bool half_words_are_bf16) {
  const ZipDirectory zip(*file);
  std::vector<std::pair<std::uint64_t, std::string>> order;
  for (const auto& [name, entry] : zip.entries()) order.emplace_back(entry.offset, name);
  std::sort(order.begin(), order.end());
  for (const auto& [offset, name] : order) {
    if (name.ends_with("data.pkl")) fail(set.path, ": is a PyTorch archive; goldfinch convert makes a .safetensors file of a checkpoint");
    const std::string what = set.path + ": entry " + in_quotes(name), array = name.ends_with(".npy") ? name.substr(0, name.size() - 4) : name;
    try {
      if (array == name) throw NoNumbers(what + " is no .npy file");
      const auto& entry = zip.entries().at(name);
      std::span<const std::byte> bytes;
      std::shared_ptr<const void> storage = file;
      if (entry.deflated) {
        const auto inflated = std::make_shared<const std::vector<std::byte>>(
            inflate(what, {file->data() + entry.offset, static_cast<std::size_t>(entry.size)}, entry.inflated_size));
        bytes = *inflated, storage = inflated;
      } else {
        bytes = zip.bytes(name);
      }
      set.arrays.emplace_back(array, read_npy(what, bytes, storage, half_words_are_bf16));
    } catch (const NoNumbers& error) {
      set.unreadable[array] = error.what();
    }
  }
}

inline void add_npy(ArraySet& set, const std::string& path, bool half_words_are_bf16) {
  const auto file = std::make_shared<const MappedFile>(path);
  set.arrays.emplace_back(std::filesystem::path(path).stem().string(), read_npy(path, bytes_of(*file), file, half_words_are_bf16));
}

}  // namespace array_set

/// Opens any of them. `half_words_are_bf16`: 16-bit integers in .npy are bfloat16 numbers. Throws Error naming the file, the array
/// and what is wrong with it.
inline ArraySet open_arrays(const std::string& path, bool half_words_are_bf16 = false) {
  ArraySet set{path, {}, false, false};
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    set.folder = true;
    std::vector<std::string> files;
    for (const auto& entry : folder_entries(path))
      if (entry.path().extension() == ".npy") files.push_back(entry.path().string());
    if (files.empty()) fail(path, ": is a folder without .npy files");
    std::sort(files.begin(), files.end(), natural_less);
    for (const auto& file : files) array_set::add_npy(set, file, half_words_are_bf16);
    return set;
  }
  const auto file = std::make_shared<const MappedFile>(path);
  const std::string_view head(reinterpret_cast<const char*>(file->data()), std::min<std::size_t>(file->size(), 16));
  if (head.starts_with("PK\3\4") || head.starts_with("PK\5\6")) {
    array_set::add_npz(set, file, half_words_are_bf16);
  } else if (head.starts_with("\x93NUMPY")) {
    set.single = true;
    array_set::add_npy(set, path, half_words_are_bf16);
  } else if (head.size() > 8 && head[8] == '{') {
    array_set::add_safetensors(set, file);
  } else {
    fail(path, file->size() == 0 ? ": is empty" : ": is neither a .safetensors, nor an .npz, nor a .npy file");
  }
  if (set.arrays.empty()) fail(set.unreadable.empty() ? path + ": holds no tensors" : set.unreadable.begin()->second);  // to which everything would be equal
  return set;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
