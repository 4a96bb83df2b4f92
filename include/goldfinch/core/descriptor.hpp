// File descriptors, and what a path leads to: a file in a folder, or a descriptor that is open already (/dev/stdout).
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// "No such file or directory", for the last system call that failed.
inline std::string system_reason() { return std::strerror(errno); }

/// A descriptor that is closed with its owner; -1: none.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

/// Where a path leads, symbolic links followed to their end even where nothing stands there yet.
struct Destination {
  int descriptor = -1;  // the path denotes this descriptor of the process, and no file
  std::string folder, name;
  bool elsewhere = false;  // it denotes a descriptor of another process: what is behind that is open, whatever its name

  bool is_open() const { return descriptor >= 0 || elsewhere; }
  std::string path() const { return folder + (folder.ends_with('/') ? "" : "/") + name; }
};

/// The process whose open descriptors this folder of /proc lists ("/proc/123/fd", "/proc/123/task/124/fd"); 0: it does not.
inline long process_of_descriptors(std::string_view folder) {
  const auto number = [&] {
    long value = 0;
    const auto [end, error] = std::from_chars(folder.data(), folder.data() + folder.size(), value);
    if (error != std::errc()) return 0L;
    folder.remove_prefix(static_cast<std::size_t>(end - folder.data()));
    return value;
  };
  const auto skip = [&](std::string_view text) {
    if (folder.starts_with(text)) folder.remove_prefix(text.size());
  };
  if (!folder.starts_with("/proc/")) return 0;
  skip("/proc/");
  const long process = number();
  if (folder.starts_with("/task/")) skip("/task/"), number();
  return folder == "/fd" ? process : 0;
}

/// /dev/stdin, /dev/stdout, /dev/stderr, /dev/fd/N and /proc/self/fd/N denote open descriptors, whatever is behind
/// them, and /proc/PID/fd/N those of another process. Throws Error where symbolic links go round in a circle.
inline Destination follow_links(const std::string& path) {
  constexpr int most_links = 40;
  std::string at = path;
  for (int links = 0; links < most_links; ++links) {
    const std::string_view standard[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    for (int i = 0; i < 3; ++i)
      if (at == standard[i]) return {i, "", ""};
    const std::size_t slash = at.rfind('/');
    std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : at.substr(0, slash);
    const std::string name = at.substr(slash == std::string::npos ? 0 : slash + 1);
    if (const std::unique_ptr<char, decltype(&std::free)> real(::realpath(folder.c_str(), nullptr), &std::free); real)
      folder = real.get();
    const long process = process_of_descriptors(folder);
    const bool own = folder == "/dev/fd" || folder == "/proc/self/fd" || process == ::getpid();
    int number = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if ((own || process > 0) && error == std::errc() && end == name.data() + name.size() && number >= 0) {
      if (own) return {number, "", ""};
      return {-1, folder, name, true};
    }
    const Destination here{-1, folder, name};
    char link[PATH_MAX];
    const ssize_t length = ::readlink(here.path().c_str(), link, sizeof link);
    if (length <= 0) return here;
    at = std::string(link, static_cast<std::size_t>(length));
    if (!at.starts_with('/')) at = Destination{-1, folder, at}.path();
  }
  errno = ELOOP;
  fail(path, ": cannot open: ", system_reason());
}

/// Writes all bytes; returns 0, or the number of the error. Waits where the descriptor does not.
inline int write_fully(int descriptor, const void* data, std::size_t size) {
  const char* from = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(descriptor, from, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      struct pollfd wait = {descriptor, POLLOUT, 0};
      ::poll(&wait, 1, -1);
      continue;
    }
    if (n <= 0) return n == 0 ? EIO : errno;
    from += n;
    size -= static_cast<std::size_t>(n);
  }
  return 0;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
