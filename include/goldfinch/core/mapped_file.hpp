// Files that are read: mapped into memory, or, where they cannot be (pipes, files that do not know their size), read
// into it.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <span>

#include "goldfinch/core/descriptor.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Bytes that were read from a descriptor until its end; as much memory as there were bytes.
class ReadBytes {
 public:
  /// Throws Error, naming `path`, where reading fails, or would never end.
  ReadBytes(int descriptor, const std::string& path) {
    if (is_device(descriptor)) fail(path, ": is a device, expected a file or a pipe");
    while (true) {
      if (size_ == room_) grow();
      const ssize_t n = ::read(descriptor, data_.get() + size_, room_ - size_);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) {
        struct pollfd wait = {descriptor, POLLIN, 0};
        ::poll(&wait, 1, -1);
        continue;
      }
      if (n < 0) fail(path, ": cannot read: ", system_reason());
      if (n == 0) return;
      size_ += static_cast<std::size_t>(n);
    }
  }
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  /// Of the character devices, a terminal is read as a pipe, and /dev/null is an empty file; /dev/zero would never end.
  static bool is_device(int descriptor) {
    struct stat status, null;
    if (::fstat(descriptor, &status) != 0) return false;
    if (!S_ISCHR(status.st_mode)) return S_ISBLK(status.st_mode);
    return !::isatty(descriptor) &&
           (::stat("/dev/null", &null) != 0 || !S_ISCHR(null.st_mode) || status.st_rdev != null.st_rdev);
  }

  struct Free {
    void operator()(std::byte* data) const { std::free(data); }
  };
  void grow() {
    room_ = std::max<std::size_t>(std::size_t{1} << 16, room_ * 2);
    void* const larger = std::realloc(data_.get(), room_);
    if (!larger) throw std::bad_alloc();
    (void)data_.release();
    data_.reset(static_cast<std::byte*>(larger));
  }
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0, room_ = 0;
};

/// A whole file, read-only, in memory. Pages of a regular file are read when touched; if another process truncates it
/// meanwhile, touching them raises SIGBUS, so read what you need soon and let go. A pipe, which can be read only once,
/// is read to its end; while one MappedFile of it lives, others of the same pipe have what it read.
class MappedFile {
 public:
  /// Is called with the path of every file before it is opened, if it is there; what it throws comes out. However a path
  /// is come by (a folder, an index, a file beside another), a program that must not read some file learns of it here.
  using Notice = void (*)(const std::string& path);
  static Notice& notice() {
    static Notice function = nullptr;
    return function;
  }

  /// Throws Error naming the path if it is not a readable file or pipe.
  explicit MappedFile(const std::string& path) : path_(path) {
    if (notice()) notice()(path);
    open();
  }
  /// What this program has written itself, read again: nobody need be told.
  struct Again {};
  MappedFile(const std::string& path, Again) : path_(path) { open(); }
  /// Bytes that the caller keeps in memory, under a name for messages: what reads files reads them too.
  MappedFile(const std::string& name, std::span<const std::byte> bytes)
      : path_(name), data_(bytes.data()), size_(bytes.size()) {}
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (mapped_) ::munmap(const_cast<std::byte*>(data_), size_);
  }

  /// Lets go of the whole pages within `size` bytes from `begin`, if they are of this file; touching them again reads
  /// it again.
  void release(const std::byte* begin, std::size_t size) const {
    if (!mapped_ || begin < data_ || begin + size > data_ + size_) return;
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page,
               last = reinterpret_cast<std::uintptr_t>(begin + size) / page * page;
    if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  }

  const std::string& path() const { return path_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  void open() {
    const int denoted = follow_links(path_).descriptor;
    const Descriptor file(denoted >= 0 ? ::fcntl(denoted, F_DUPFD_CLOEXEC, 3)
                                       : ::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status;
    if (!file || ::fstat(file.get(), &status) != 0) fail(path_, ": cannot open: ", system_reason());
    if (S_ISDIR(status.st_mode)) fail(path_, ": is a directory, expected a file");
    if (S_ISREG(status.st_mode) && map(file.get(), static_cast<std::size_t>(status.st_size))) return;
    read_ =
        S_ISREG(status.st_mode) ? std::make_shared<const ReadBytes>(file.get(), path_) : read_once(file.get(), status);
    data_ = read_->data();
    size_ = read_->size();
  }

  /// Files of /proc say that they are empty, those of /sys cannot be mapped: they are read instead.
  bool map(int file, std::size_t size) {
    if (size == 0) return false;
    void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (start == MAP_FAILED) return false;
    mapped_ = true;
    data_ = static_cast<const std::byte*>(start);
    size_ = size;
    return true;
  }

  std::shared_ptr<const ReadBytes> read_once(int file, const struct stat& status) const {
    static std::mutex mutex;
    static std::map<std::pair<dev_t, ino_t>, std::weak_ptr<const ReadBytes>> pipes;
    const std::lock_guard<std::mutex> lock(mutex);
    auto& known = pipes[{status.st_dev, status.st_ino}];
    auto bytes = known.lock();
    if (!bytes) known = bytes = std::make_shared<const ReadBytes>(file, path_);
    return bytes;
  }

  std::string path_;
  std::shared_ptr<const ReadBytes> read_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool mapped_ = false;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
