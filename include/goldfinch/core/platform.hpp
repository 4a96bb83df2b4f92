// What differs between operating systems and processors, in one place: files (mapped_file.hpp, atomic_file.hpp), memory in huge
// pages, how many CPUs there are. POSIX, with Linux's extras where they exist.
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
#include <string>
#include <utility>

#ifdef __linux__
#include <sched.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "goldfinch/core/atomic_file.hpp"
#include "goldfinch/core/mapped_file.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

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
