// What differs between operating systems and processors, in one place: mapped files, files that appear whole or not at all,
// memory in huge pages, how many CPUs there are. POSIX, with Linux's extras where they exist.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#ifdef __linux__
#include <sched.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// "No such file or directory", for the last system call that failed.
inline std::string system_reason() { return std::strerror(errno); }

/// A whole file, read-only, in memory. Pages are read when touched; if another process truncates the file meanwhile, touching
/// them raises SIGBUS, so read what you need soon and let go.
class MappedFile {
 public:
  /// Throws Error naming the path if it is not a readable regular file.
  explicit MappedFile(const std::string& path) : path_(path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) fail(path, ": cannot open: ", system_reason());
    struct stat status;
    if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
      ::close(file);
      fail(path, S_ISDIR(status.st_mode) ? ": is a directory, expected a file" : ": is not a regular file");
    }
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ > 0) {
      void* start = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
      const std::string reason = start == MAP_FAILED ? system_reason() : "";
      ::close(file);
      if (start == MAP_FAILED) fail(path, ": cannot map: ", reason);
      data_ = static_cast<const std::byte*>(start);
    } else {
      ::close(file);
    }
  }
  /// Bytes that the caller keeps in memory, under a name for messages: what reads files reads them too.
  MappedFile(const std::string& name, std::span<const std::byte> bytes) : path_(name), data_(bytes.data()), size_(bytes.size()), mapped_(false) {}
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_ && mapped_) ::munmap(const_cast<std::byte*>(data_), size_);
  }

  /// Lets go of the whole pages within `size` bytes from `begin`, if they are of this file; touching them again reads it again.
  void release(const std::byte* begin, std::size_t size) const {
    if (!mapped_ || begin < data_ || begin + size > data_ + size_) return;
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page, last = reinterpret_cast<std::uintptr_t>(begin + size) / page * page;
    if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  }

  const std::string& path() const { return path_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool mapped_ = true;
};

/// A file that appears whole or not at all: written beside its place under a temporary name, flushed to the disk, then renamed
/// over it by commit(). Until then, and after any failure, what stood there before still stands. Replacing a file that is open
/// or mapped (the program's own input, say) is safe. A path such as /dev/stdout, which is no regular file, is written directly.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path) : path_(path) {
    struct stat status;
    const bool exists = ::stat(path.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) fail(path, ": cannot write: is a directory");
    if (exists && !S_ISREG(status.st_mode)) {
      file_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    } else {
      if (exists && ::access(path.c_str(), W_OK) != 0) fail(path, ": cannot write: ", system_reason());
      // A symbolic link keeps pointing where it points: the file behind it is what gets replaced.
      if (char* real = exists ? ::realpath(path.c_str(), nullptr) : nullptr) target_ = real, std::free(real);
      else target_ = path;
      temporary_ = target_ + ".XXXXXX";
      file_ = ::mkstemp(temporary_.data());
      if (file_ < 0) temporary_.clear();
      else if (exists) (void)!::fchmod(file_, status.st_mode & 07777);
      else {
        const mode_t mask = ::umask(0);
        ::umask(mask);
        (void)!::fchmod(file_, 0666 & ~mask);
      }
    }
    if (file_ < 0) fail(path, ": cannot write: ", system_reason());
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (file_ >= 0) ::close(file_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void write(const void* data, std::size_t size) {
    const char* from = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t n = ::write(file_, from, size);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail(path_, ": cannot write: ", n == 0 ? "nothing was written" : system_reason());
      from += n;
      size -= static_cast<std::size_t>(n);
    }
  }

  /// The file is complete: make it durable and visible under its name.
  void commit() {
    if (!temporary_.empty()) {
      if (::fsync(file_) != 0) fail(path_, ": cannot write: ", system_reason());
      if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(path_, ": cannot rename into place: ", system_reason());
      temporary_.clear();
    }
    const int file = std::exchange(file_, -1);
    if (::close(file) != 0) fail(path_, ": cannot write: ", system_reason());
  }

 private:
  std::string path_, target_, temporary_;
  int file_ = -1;
};

/// Writes `text` as the file at `path`, whole or not at all.
inline void write_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

/// Zeroed memory, aligned to 2 MB when large and backed by huge pages where the system gives them on request: two threads read
/// weights from it about a fifth faster than from 4 kB pages. Movable, shared by reference where several need it.
class HugeBuffer {
 public:
  HugeBuffer() = default;
  /// Throws std::bad_alloc if there is no memory.
  explicit HugeBuffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    constexpr std::size_t huge = std::size_t{2} << 20;
    reserved_ = size < huge ? size : size + huge;
    void* start = ::mmap(nullptr, reserved_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) throw std::bad_alloc();
    start_ = static_cast<std::byte*>(start);
    const auto address = reinterpret_cast<std::uintptr_t>(start_);
    data_ = size < huge ? start_ : start_ + (huge - address % huge) % huge;
#ifdef MADV_HUGEPAGE
    if (size >= huge) ::madvise(data_, size / huge * huge, MADV_HUGEPAGE);  // a huge page that is not filled would be memory for nothing
#endif
  }
  HugeBuffer(HugeBuffer&& other) noexcept { swap(other); }
  HugeBuffer& operator=(HugeBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~HugeBuffer() {
    if (start_) ::munmap(start_, reserved_);
  }

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  void swap(HugeBuffer& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(reserved_, other.reserved_);
  }
  std::byte *start_ = nullptr, *data_ = nullptr;
  std::size_t size_ = 0, reserved_ = 0;
};

/// Zeroed memory for what is kept long and read often: small pieces lie side by side in slabs of huge pages, in the order in which they were
/// asked for, and a slab goes when the last of its pieces does. Alone, a piece below 2 MB would get 4 kB pages. Any thread may call it.
inline std::shared_ptr<std::byte> slab_room(std::size_t size) {
  constexpr std::size_t slab = std::size_t{32} << 20, line = 128;
  if (size >= slab / 2) {
    const auto alone = std::make_shared<HugeBuffer>(size);
    return {alone, alone->data()};
  }
  static std::mutex mutex;
  static std::weak_ptr<HugeBuffer> last;
  static std::size_t used = 0;
  const std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<HugeBuffer> buffer = last.lock();
  if (!buffer || slab - used < size) last = buffer = std::make_shared<HugeBuffer>(slab), used = 0;
  std::byte* const begin = buffer->data() + used;
  used = std::min(slab, (used + size + line - 1) / line * line);
  return {buffer, begin};
}

/// Lets the process keep the memory that it frees: layers allocate and free the same few megabytes again and again, and asking the
/// system for them each time costs more than many an operation on them. For programs to call once; glibc only.
inline void keep_freed_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_TOP_PAD, 16 << 20);
#endif
}

/// CPUs that this process may use: its affinity, cut down to the quota of its control group (rounded up), at least 1.
inline int available_cpus() {
  long cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __linux__
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
  double quota = 0, period = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> quota >> period) {
    // "max 100000" does not parse as a number and leaves the affinity
  } else if (std::ifstream q("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"); q >> quota) {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (quota > 0 && period > 0) cpus = std::min(cpus, static_cast<long>(std::ceil(quota / period)));
#endif
  return static_cast<int>(cpus < 1 ? 1 : cpus);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
