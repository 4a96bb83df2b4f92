// Writing an .npz, which NumPy loads: a zip archive of stored .npy files of float64 numbers. The file appears whole or not at all.
//
//   [local header, name, .npy file] per array    [directory: a record per array]    [end record]
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/utf8.hpp"
#include "goldfinch/validate/npy.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The CRC-32 of zip archives, of bytes that come in portions.
class Crc32 {
 public:
  void update(const void* data, std::size_t size) {
    static const auto table = [] {
      std::array<std::uint32_t, 256> all{};
      for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t x = i;
        for (int bit = 0; bit < 8; ++bit) x = x >> 1 ^ (x & 1 ? 0xedb88320u : 0);
        all[i] = x;
      }
      return all;
    }();
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < size; ++i) state_ = table[(state_ ^ bytes[i]) & 0xff] ^ state_ >> 8;
  }
  std::uint32_t value() const { return ~state_; }

 private:
  std::uint32_t state_ = ~std::uint32_t{0};
};

struct NpzArray {
  std::string name;
  Shape shape;
  std::vector<double> numbers;  // row-major, as many as the shape has
};

/// Throws Error if the file cannot be written, a name is no UTF-8, or it would be of 4 GB or more.
inline void write_npz(const std::string& path, const std::vector<NpzArray>& arrays) {
  constexpr std::uint64_t most = 0xffffffff;
  AtomicFile file(path);
  std::string directory;
  std::uint64_t at = 0;
  const auto put = [](std::string& to, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> 8 * i & 0xff);
  };
  for (const NpzArray& array : arrays) {
    if (!is_utf8(array.name) || array.name.size() > 1000) fail(path, ": cannot write an array of the name ", in_quotes(array.name));
    const std::string header = npy_header("<f8", array.shape), name = array.name + ".npy";
    const std::uint64_t bytes = array.numbers.size() * sizeof(double), size = header.size() + bytes;
    if (size > most || at + size + directory.size() + 4096 > most || arrays.size() > 0xffff)
      fail(path, ": cannot write an .npz of 4 GB or more, or of more than 65535 arrays; a .safetensors file may be larger");
    Crc32 crc;
    crc.update(header.data(), header.size());
    crc.update(array.numbers.data(), bytes);
    std::string shared;  // by the local header and the record: version, flags (names are UTF-8), stored, 1980-01-01, sizes, name
    put(shared, 20, 2), put(shared, 0x800, 2), put(shared, 0, 2), put(shared, 0, 2), put(shared, 0x21, 2);
    put(shared, crc.value(), 4), put(shared, size, 4), put(shared, size, 4), put(shared, name.size(), 2), put(shared, 0, 2);
    directory += "PK\1\2";
    put(directory, 20, 2);
    directory += shared;
    put(directory, 0, 10), put(directory, at, 4);
    directory += name;
    const std::string local = "PK\3\4" + shared + name;
    file.write(local.data(), local.size());
    file.write(header.data(), header.size());
    file.write(array.numbers.data(), bytes);
    at += local.size() + size;
  }
  std::string end = "PK\5\6";
  put(end, 0, 4), put(end, arrays.size(), 2), put(end, arrays.size(), 2), put(end, directory.size(), 4), put(end, at, 4), put(end, 0, 2);
  file.write(directory.data(), directory.size());
  file.write(end.data(), end.size());
  file.commit();
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
