// PyTorch archives: the directory of the zip file, the pickle in it, and the tensors over its storages. What begins as a pickle does is put
// into an archive, beside storages of 64 numbers, so that changes of it reach the tensors.
#include "model.hpp"

namespace {

void put(std::string& to, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i, value >>= 8) to += static_cast<char>(value & 0xff);
}

/// Stored, without checksums, which nobody reads.
std::string archive(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string out, directory;
  for (const auto& [name, data] : entries) {
    std::string shared;
    put(shared, 20, 2), put(shared, 0, 12), put(shared, data.size(), 4), put(shared, data.size(), 4), put(shared, name.size(), 2), put(shared, 0, 2);
    directory += "PK\1\2";
    put(directory, 20, 2);
    directory += shared;
    put(directory, 0, 10), put(directory, out.size(), 4);
    directory += name;
    out += "PK\3\4" + shared + name + data;
  }
  std::string end = "PK\5\6";
  put(end, 0, 4), put(end, entries.size(), 2), put(end, entries.size(), 2), put(end, directory.size(), 4), put(end, out.size(), 4), put(end, 0, 2);
  return out + directory + end;
}

void read(const std::uint8_t* data, std::size_t size) {
  fuzz::run([&] {
    auto checkpoint = goldfinch::read_pth(fuzz::file(data, size));
    goldfinch::translate_names(checkpoint);
    fuzz::use(checkpoint);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || data[0] != 0x80) return read(data, size), 0;
  const std::string whole = archive({{"m/data.pkl", std::string(fuzz::text(data, size))}, {"m/data/0", std::string(128, '\x3e')},
                                     {"m/data/1", std::string(256, '\x3e')}, {"m/data/2", std::string(512, '\x3e')}});
  return read(reinterpret_cast<const std::uint8_t*>(whole.data()), whole.size()), 0;
}
