// Files that are written: whole or not at all.
#pragma once

#include <sys/resource.h>

#include <array>
#include <chrono>
#include <cstdint>

#include "goldfinch/core/descriptor.hpp"
#include "goldfinch/core/unfinished_file.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// A file that appears whole or not at all: written under a temporary name, flushed to the disk, then renamed over its
/// place by commit(). Until then, and after any failure, what stood there before still stands. Replacing a file that is
/// open or mapped (the program's own input, say) is safe, and it keeps its permissions. A symbolic link keeps pointing
/// where it points, and the file there is what is written.
///
/// A path that denotes an open descriptor (/dev/stdout, /dev/fd/3) is written to through that descriptor, one of another
/// process (/proc/PID/fd/3) at the end of what is there, a pipe or a device directly. A reader of those who has gone away
/// gets no more, which is no error. A file that can be written but not replaced (mounted by itself, or in a folder that
/// cannot be written) is overwritten by commit(), from a copy beside it or in $TMPDIR, after the room for it has been
/// made. Signals wait until it is whole: only a failing disk, or SIGKILL meanwhile, leaves it incomplete, and a full disk
/// where the file system cannot make room in advance (fallocate says so).
class AtomicFile {
 public:
  /// Throws Error naming the path if it cannot be written.
  explicit AtomicFile(const std::string& path) : path_(path) { open(true); }

  /// Throws as the constructor, and leaves everything as it is: pipes are not opened, which would end what reads them.
  static void require_writable(const std::string& path) { (void)AtomicFile(path, false); }

  void write(const void* data, std::size_t size) {
    if (reader_gone_) return;
    const int error = write_fully(file_.get(), data, size);
    if (error == EPIPE) reader_gone_ = true;
    else if (error) refuse(std::strerror(error));
  }

  /// Whether the reader of a pipe has gone away, so that what was written since is lost.
  bool reader_gone() const { return reader_gone_; }

  /// The file is complete: make it durable and visible under its name.
  void commit() {
    if (unfinished_.path().empty()) {
      if (::close(file_.release()) != 0) refuse(system_reason());
      return;
    }
    if (::fsync(file_.get()) != 0) refuse(system_reason());
    if (::rename(unfinished_.path().c_str(), target_.path().c_str()) == 0) {
      unfinished_.finished();
      if (const Descriptor folder(::open(target_.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); folder)
        ::fsync(folder.get());  // the name too
    } else if (existing_) {
      overwrite();
      unfinished_ = {};
    } else {
      refuse(system_reason());
    }
    file_ = Descriptor();
  }

 private:
  AtomicFile(const std::string& path, bool to_write) : path_(path) { open(to_write); }

  [[noreturn]] void refuse(const std::string& reason) const { fail(path_, ": cannot write: ", reason); }

  void open(bool to_write) {
    target_ = follow_links(path_);
    if (target_.descriptor >= 0) {
      const int flags = ::fcntl(target_.descriptor, F_GETFL);
#ifdef O_PATH
      if (flags >= 0 && (flags & O_PATH) != 0) refuse("is not open");  // what a program puts in place of a closed one
#endif
      if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY) refuse("is open for reading only");
      file_ = Descriptor(flags < 0 ? -1 : ::fcntl(target_.descriptor, F_DUPFD_CLOEXEC, 3));
      if (!file_) refuse(system_reason());
      return;
    }
    struct stat status;
    const bool exists = ::stat(target_.path().c_str(), &status) == 0;
    if (!exists && errno != ENOENT) refuse(system_reason());
    if (exists && S_ISDIR(status.st_mode)) refuse("is a directory");
    if (exists && (target_.elsewhere || !S_ISREG(status.st_mode))) {
      if (to_write) file_ = Descriptor(::open(target_.path().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY));
      if (to_write ? !file_ : ::access(target_.path().c_str(), W_OK) != 0) refuse(system_reason());
      return;
    }
    if (exists) {
      existing_ = Descriptor(::open(target_.path().c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
      if (!existing_) refuse(system_reason());
    }
    if (!begin_in(target_.folder, exists)) {
      const int reason = errno;
      const char* const temporary = std::getenv("TMPDIR");
      if (!exists || !begin_in(temporary && *temporary ? temporary : "/tmp", exists)) refuse(std::strerror(reason));
    }
    if (!exists) return;  // a new file gets what the process's umask leaves of 0666
    // Whose it is by itself, the folder decides too (setgid).
    struct stat made;
    const bool same_owner = (::fstat(file_.get(), &made) == 0 && made.st_uid == status.st_uid && made.st_gid == status.st_gid) ||
                            ::fchown(file_.get(), status.st_uid, status.st_gid) == 0;
    if (!same_owner) (void)!::fchown(file_.get(), static_cast<uid_t>(-1), status.st_gid);  // the group alone may be possible
    (void)!::fchmod(file_.get(), status.st_mode & (same_owner ? 07777 : 0777));
  }

  /// Makes the temporary file, of a short name of its own: that of the target may be as long as names can be.
  bool begin_in(const std::string& folder, bool exists) {
    constexpr int tries = 100;
    errno = EEXIST;
    for (int i = 0; i < tries && errno == EEXIST; ++i) {
      std::uint64_t random = 0;
      if (::getentropy(&random, sizeof random) != 0)
        random = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count() + i) *
                     0x9e3779b97f4a7c15u ^
                 static_cast<std::uint64_t>(::getpid());
      std::string name = ".goldfinch.";
      for (int digit = 0; digit < 12; ++digit, random >>= 5) name += "0123456789abcdefghijklmnopqrstuv"[random & 31];
      UnfinishedFile unfinished(Destination{-1, folder, name}.path());
      file_ =
          Descriptor(::open(unfinished.path().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, exists ? 0600 : 0666));
      if (file_) {
        unfinished_ = std::move(unfinished);
        return true;
      }
      unfinished.finished();
    }
    return false;
  }

  /// The target gets the bytes of the temporary file. Until there is room for them, it is as it was, but where the file
  /// system cannot make room in advance: a disk that is full then leaves it incomplete, and the error says so.
  void overwrite() {
    const off_t size = ::lseek(file_.get(), 0, SEEK_END);
    if (size < 0) refuse(system_reason());
    struct rlimit limit;
    if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        static_cast<rlim_t>(size) > limit.rlim_cur)
      refuse(std::strerror(EFBIG));
#ifdef __linux__
    if (size > 0 && ::fallocate(existing_.get(), FALLOC_FL_KEEP_SIZE, 0, size) != 0 && errno != EOPNOTSUPP &&
        errno != ENOSYS && errno != EINTR)
      refuse(system_reason());
#endif
    const Undisturbed until_it_is_whole;
    const auto check = [&](bool done) {
      if (!done) refuse(system_reason() + "; it is incomplete now");
    };
    check(::lseek(file_.get(), 0, SEEK_SET) == 0);
    std::array<char, std::size_t{1} << 16> portion;
    for (off_t done = 0; done < size;) {
      const ssize_t n = ::read(file_.get(), portion.data(), portion.size());
      if (n < 0 && errno == EINTR) continue;
      if (n == 0) errno = EIO;
      check(n > 0);
      errno = write_fully(existing_.get(), portion.data(), static_cast<std::size_t>(n));
      check(errno == 0);
      done += n;
    }
    check(::ftruncate(existing_.get(), size) == 0);
    check(::fsync(existing_.get()) == 0);
  }

  std::string path_;
  Destination target_;
  Descriptor file_, existing_;  // what is written to; what stands at the target, if it is a regular file
  UnfinishedFile unfinished_;
  bool reader_gone_ = false;
};

/// Writes `text` as the file at `path`, whole or not at all.
inline void write_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
