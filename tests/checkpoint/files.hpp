// Builders of small checkpoint files for tests, valid ones and ones to be spoilt, byte by byte and without the library.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace files {

/// A path of its own in the temporary directory; what is written there goes away with this object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes = "") {
    static int count = 0;
    const std::string name = "goldfinch_test_" + std::to_string(::getpid()) + "_" + std::to_string(count++);
    path_ = (std::filesystem::temp_directory_path() / name).string();
    write(bytes);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }

  const std::string& path() const { return path_; }
  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }
  std::string read() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
};

/// A number as it lies in memory, little-endian.
template <class Number>
std::string raw(Number x) {
  std::string bytes(sizeof x, '\0');
  std::memcpy(bytes.data(), &x, sizeof x);
  return bytes;
}
inline std::string u16(std::uint64_t x) { return raw(static_cast<std::uint16_t>(x)); }
inline std::string u32(std::uint64_t x) { return raw(static_cast<std::uint32_t>(x)); }
inline std::string u64(std::uint64_t x) { return raw(x); }

/// begin, begin + 1, ... as floats.
inline std::string floats(int count, float begin = 1) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += raw(begin + static_cast<float>(i));
  return bytes;
}

inline std::string with(std::string bytes, std::size_t at, const std::string& replacement) {
  return bytes.replace(at, replacement.size(), replacement);
}
inline std::string with(std::string bytes, const std::string& old, const std::string& replacement) {
  return bytes.replace(bytes.find(old), old.size(), replacement);
}

// Safetensors ----------------------------------------------------------------

inline std::string safetensors(const std::string& header, const std::string& data) { return u64(header.size()) + header + data; }

/// a: F32 [2, 3] = 1 ... 6; b: BF16 [1] = 1.
inline std::string good_safetensors() {
  return safetensors(R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                     R"("b":{"dtype":"BF16","shape":[1],"data_offsets":[24,26]}})", floats(6) + u16(0x3f80));
}

/// m: q8 [2, 65], q = 0 ... 127, -127, -126, with its scales, all 0.5; or with other metadata, scales and shape.
inline std::string q8_safetensors(const std::string& metadata = R"({"goldfinch.q8":"1"})", const std::string& scale = R"("m.scale":{"dtype":"BF16","shape":[2,2])",
                                  const std::string& shape = "[2,65]") {
  std::string data;
  for (int i = 0; i < 130; ++i) data += static_cast<char>(i < 128 ? i : i - 255);
  for (int i = 0; i < 4; ++i) data += u16(0x3f00);
  return safetensors(R"({"__metadata__":)" + metadata + R"(,"m":{"dtype":"I8","shape":)" + shape + R"(,"data_offsets":[0,130]},)" + scale +
                     R"(,"data_offsets":[130,138]}})", data);
}

// Zip -------------------------------------------------------------------------

struct ZipFile {
  std::string bytes;
  std::map<std::string, std::size_t> local, central;  // where an entry's two headers are
  std::size_t directory = 0, end64 = 0, end = 0;
};

/// Stored entries, each with `padding` bytes of extra field before its data; sizes and ends in ZIP64 form if asked.
inline ZipFile zip(const std::vector<std::pair<std::string, std::string>>& entries, std::size_t padding = 5, bool zip64 = false) {
  ZipFile z;
  for (const auto& [name, data] : entries) {
    z.local[name] = z.bytes.size();
    z.bytes += "PK\3\4" + u16(45) + u16(0x808) + u16(0) + u32(0) + u32(0) + u32(0) + u32(0) + u16(name.size()) +
               u16(padding + 4) + name + "FB" + u16(padding) + std::string(padding, 'Z') + data;
    z.bytes += "PK\7\10" + u32(0) + u32(data.size()) + u32(data.size());  // a data descriptor, as PyTorch writes them
  }
  z.directory = z.bytes.size();
  for (const auto& [name, data] : entries) {
    z.central[name] = z.bytes.size();
    std::string wide;
    if (zip64)
      wide = u16(0x9999) + u16(1) + "x" + u16(1) + u16(24) + u64(data.size()) + u64(data.size()) + u64(z.local[name]);
    const auto narrow = [&](std::uint64_t x) { return u32(zip64 ? 0xffffffff : x); };
    z.bytes += "PK\1\2" + u16(45) + u16(45) + u16(0x808) + u16(0) + u32(0) + u32(0) + narrow(data.size()) +
               narrow(data.size()) + u16(name.size()) + u16(wide.size()) + u16(2) + u16(0) + u16(0) + u32(0) +
               narrow(z.local[name]) + name + wide + "hi";
  }
  z.end64 = z.bytes.size();
  const std::size_t size = z.end64 - z.directory;
  if (zip64)
    z.bytes += "PK\6\6" + u64(44) + u16(45) + u16(45) + u32(0) + u32(0) + u64(entries.size()) + u64(entries.size()) + u64(size) +
               u64(z.directory) + "PK\6\7" + u32(0) + u64(z.end64) + u32(1);
  z.end = z.bytes.size();
  z.bytes += "PK\5\6" + u16(0) + u16(0) + u16(zip64 ? 0xffff : entries.size()) + u16(zip64 ? 0xffff : entries.size()) +
             u32(zip64 ? 0xffffffff : size) + u32(zip64 ? 0xffffffff : z.directory) + u16(0);
  return z;
}

// Pickles ---------------------------------------------------------------------

inline std::string text(const std::string& s) { return "X" + u32(s.size()) + s; }
inline std::string integer(std::int64_t n) { return "\x8a\x08" + raw(n); }
inline std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
inline std::string tuple(const std::vector<std::int64_t>& numbers) {
  std::string s = "(";
  for (const auto n : numbers) s += integer(n);
  return s + "t";
}
inline const std::string ordered_dict = global("collections", "OrderedDict") + ")R";
inline std::string storage(const std::string& type, const std::string& key, std::int64_t count) {
  return "(" + text("storage") + global("torch", type) + text(key) + text("cpu") + integer(count) + "tQ";
}
inline std::string tensor(const std::string& of, std::int64_t offset, const std::string& shape, const std::string& stride) {
  const std::string arguments = of + integer(offset) + shape + stride + "\x89" + ordered_dict;
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + arguments + "tR";
}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string s = "}(";
  for (const auto& [key, value] : items) s += text(key) + value;
  return s + "u";
}
inline std::string pickle(const std::string& body) { return "\x80\x02" + body + "."; }

inline ZipFile pth(const std::string& data_pkl, const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<std::pair<std::string, std::string>> entries = {{"m/data.pkl", data_pkl}};
  for (const auto& [key, bytes] : storages) entries.emplace_back("m/data/" + key, bytes);
  return zip(entries);
}

/// A dict with tensors of the given pickled forms, all over one storage "0" of eight floats, 1 ... 8.
inline std::string pth_of(const std::vector<std::pair<std::string, std::string>>& tensors) {
  return pth(pickle(dict(tensors)), {{"0", floats(8)}}).bytes;
}
inline const std::string eight = storage("FloatStorage", "0", 8);
/// a: f32 [2, 3] = 2 ... 7.
inline std::string good_tensor() { return tensor(eight, 1, tuple({2, 3}), tuple({3, 1})); }
inline std::string good_pth() { return pth_of({{"a", good_tensor()}}); }

}  // namespace files
