// The directory of a zip archive, for viewing stored entries in place inside a mapped file. Not a general unzip: compressed and
// encrypted entries may be there, but not be viewed, and CRC-32s are not checked (that would read every weight once more).
//
//   [local header, name, extra][data] per entry    [directory: a record per entry]    [ZIP64 end record, locator]    [end record]
//
// The directory gives sizes and the local header gives where data starts (writers pad there). Everything is checked when the
// archive is opened: records in their places, both names equal, extents within the file and apart from each other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/dtype.hpp"
#include "goldfinch/core/platform.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class ZipDirectory {
 public:
  struct Entry {
    std::uint64_t offset, size;   // of the data, in the file
    const char* unreadable;       // why it cannot be viewed, or null
    bool deflated;                // it can be inflated (inflate.hpp),
    std::uint64_t inflated_size;  // to so many bytes by the directory's account
  };

  /// Keeps a reference to the file. Throws Error naming the file, the entry and what is wrong.
  explicit ZipDirectory(const MappedFile& file) : file_(file), path_(file.path()) { read_directory(find_directory()); }

  const std::map<std::string, Entry>& entries() const { return entries_; }

  /// The bytes of an entry; throws if there is none of that name, or it is compressed or encrypted.
  std::span<const std::byte> bytes(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail(path_, ": has no entry ", in_quotes(name));
    const char* unreadable = found->second.unreadable;
    if (unreadable) fail(path_, ": entry ", in_quotes(name), " is ", unreadable, ", expected stored bytes");
    return {file_.data() + found->second.offset, static_cast<std::size_t>(found->second.size)};
  }

 private:
  struct Extent {
    std::uint64_t begin, end, count;  // of the directory, and its number of records
  };

  Extent find_directory() const {
    constexpr std::uint64_t record = 22, locator = 20, record64 = 56;
    if (file_.size() < record) fail(path_, ": is ", file_.size(), " bytes long, too short for a zip archive");
    std::uint64_t at = file_.size() - record;
    const std::uint64_t first = at > 0xffff ? at - 0xffff : 0;  // a comment of up to 65535 bytes may follow
    while (u32(at) != 0x06054b50 || at + record + u16(at + 20) != file_.size())
      if (at-- == first) fail(path_, ": has no end-of-archive record: cut short, or no zip archive");
    Extent directory{u32(at + 16), at, u16(at + 10)};
    std::uint64_t size = u32(at + 12), here = u16(at + 8);
    if (at >= locator && u32(at - locator) == 0x07064b50) {
      const std::uint64_t last = at - locator, at64 = u64(last + 8);
      if (last < record64 || at64 > last - record64 || u32(at64) != 0x06064b50)
        fail(path_, ": has no ZIP64 end-of-archive record where its locator says");
      // The short record repeats what fits into it and holds ones for what does not.
      const auto agree = [](std::uint64_t narrow, std::uint64_t ones, std::uint64_t wide) {
        return narrow == ones || narrow == wide;
      };
      if (!agree(here, 0xffff, u64(at64 + 24)) || !agree(directory.count, 0xffff, u64(at64 + 32)) ||
          !agree(size, 0xffffffff, u64(at64 + 40)) || !agree(directory.begin, 0xffffffff, u64(at64 + 48)))
        fail(path_, ": its two end-of-archive records disagree");
      here = u64(at64 + 24), size = u64(at64 + 40);
      directory = {u64(at64 + 48), at64, u64(at64 + 32)};
    }
    if (here != directory.count) fail(path_, ": is one part of an archive in several files");
    if (directory.begin > directory.end || size != directory.end - directory.begin)
      fail(path_, ": directory of ", size, " bytes at ", directory.begin, " does not end at its end-of-archive record, byte ",
           directory.end);
    return directory;
  }

  void read_directory(const Extent& directory) {
    std::vector<std::tuple<std::uint64_t, std::uint64_t, std::string>> extents;  // local header and data: begin, end, name
    std::uint64_t at = directory.begin;
    for (std::uint64_t i = 0; i < directory.count; ++i) {
      constexpr std::uint64_t fixed = 46;
      if (directory.end - at < fixed || u32(at) != 0x02014b50)
        fail(path_, ": directory record ", i + 1, " of ", directory.count, " is not at byte ", at);
      const std::uint64_t flags = u16(at + 8), method = u16(at + 10);
      const std::uint64_t name_size = u16(at + 28), extra_size = u16(at + 30), comment_size = u16(at + 32);
      if (directory.end - at - fixed < name_size + extra_size + comment_size)
        fail(path_, ": directory record ", i + 1, " is longer than the directory");
      const std::string name(text(at + fixed, name_size));

      // Where the short field holds ones, the number is the next one of the ZIP64 extra field.
      std::span<const std::byte> wide = zip64_field(name, at + fixed + name_size, extra_size);
      const auto number = [&](std::uint64_t field) -> std::uint64_t {
        if (u32(field) != 0xffffffff) return u32(field);
        if (wide.size() < 8) fail(path_, ": entry ", in_quotes(name), " lacks a number in its ZIP64 field");
        const auto result = load<std::uint64_t>(wide.data(), 0);
        wide = wide.subspan(8);
        return result;
      };
      const std::uint64_t size = number(at + 24), stored_size = number(at + 20), header = number(at + 42);
      const std::uint64_t data = data_offset(name, header, directory.begin, method);
      if (stored_size > directory.begin - data)
        fail(path_, ": entry ", in_quotes(name), " is ", stored_size, " bytes long by its own account, with ",
             directory.begin - data, " bytes up to the directory");
      const char* unreadable = flags & 1             ? "encrypted"
                               : method != 0         ? "compressed"
                               : size != stored_size ? "of two sizes"
                                                     : nullptr;
      if (!entries_.emplace(name, Entry{data, stored_size, unreadable, method == 8 && !(flags & 1), size}).second)
        fail(path_, ": has two entries ", in_quotes(name));
      extents.emplace_back(header, data + stored_size, name);
      at += fixed + name_size + extra_size + comment_size;
    }
    if (at != directory.end) fail(path_, ": directory goes on after its ", directory.count, " records");

    std::sort(extents.begin(), extents.end());
    for (std::size_t i = 1; i < extents.size(); ++i)
      if (std::get<1>(extents[i - 1]) > std::get<0>(extents[i]))
        fail(path_, ": entries ", in_quotes(std::get<2>(extents[i - 1])), " and ", in_quotes(std::get<2>(extents[i])),
             " overlap");
  }

  /// The ZIP64 field among the extra fields of a directory record, or nothing.
  std::span<const std::byte> zip64_field(const std::string& name, std::uint64_t at, std::uint64_t left) const {
    while (left >= 4) {
      const std::uint64_t id = u16(at), size = u16(at + 2);
      if (size > left - 4) fail(path_, ": entry ", in_quotes(name), " has an extra field longer than its extra fields");
      if (id == 1) return {file_.data() + at + 4, static_cast<std::size_t>(size)};
      at += 4 + size, left -= 4 + size;
    }
    return {};
  }

  /// Where the data of the entry with this local header starts: at most at `end`, where the directory begins.
  std::uint64_t data_offset(const std::string& name, std::uint64_t at, std::uint64_t end, std::uint64_t method) const {
    constexpr std::uint64_t fixed = 30;
    if (at > end || end - at < fixed || u32(at) != 0x04034b50)
      fail(path_, ": entry ", in_quotes(name), " has no local header at byte ", at);
    const std::uint64_t name_size = u16(at + 26), extra_size = u16(at + 28);
    if (end - at - fixed < name_size + extra_size)
      fail(path_, ": entry ", in_quotes(name), " has a local header that is too long");
    if (text(at + fixed, name_size) != name || u16(at + 8) != method)
      fail(path_, ": entry ", in_quotes(name), " has a local header of another entry, ", in_quotes(text(at + fixed, name_size)));
    return at + fixed + name_size + extra_size;
  }

  std::uint64_t u16(std::uint64_t at) const { return load<std::uint16_t>(file_.data() + at, 0); }
  std::uint64_t u32(std::uint64_t at) const { return load<std::uint32_t>(file_.data() + at, 0); }
  std::uint64_t u64(std::uint64_t at) const { return load<std::uint64_t>(file_.data() + at, 0); }
  std::string_view text(std::uint64_t at, std::uint64_t size) const {
    return {reinterpret_cast<const char*>(file_.data() + at), static_cast<std::size_t>(size)};
  }

  const MappedFile& file_;
  std::string path_;
  std::map<std::string, Entry> entries_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
