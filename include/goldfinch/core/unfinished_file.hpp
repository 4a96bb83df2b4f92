// What a signal that ends the program must not leave behind: files that are not finished.
#pragma once

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The name of a file that is not finished, known to remove_unfinished_files() for as long as this lives, and removed
/// with it. Of more than `most` at a time the others are not known there.
class UnfinishedFile {
 public:
  UnfinishedFile() = default;
  explicit UnfinishedFile(std::string path) : path_(std::move(path)) {
    for (Slot& slot : slots()) {
      int free = empty;
      if (path_.size() >= sizeof slot.path || !slot.state.compare_exchange_strong(free, filling)) continue;
      std::memcpy(slot.path, path_.c_str(), path_.size() + 1);
      slot.state = there;
      slot_ = &slot;
      return;
    }
  }
  UnfinishedFile(UnfinishedFile&& other) noexcept { swap(other); }
  UnfinishedFile& operator=(UnfinishedFile&& other) noexcept {
    swap(other);
    return *this;
  }
  ~UnfinishedFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
    finished();
  }

  const std::string& path() const { return path_; }  // "": none
  /// The file is gone, or has another name.
  void finished() {
    if (slot_) slot_->state = empty;
    slot_ = nullptr;
    path_.clear();
  }

  /// For handlers of signals that end the program: removes all of them. Calls only what a handler may call.
  static void remove_all() noexcept {
    for (Slot& slot : slots())
      if (slot.state == there) ::unlink(slot.path);
  }

 private:
  enum State { empty, filling, there };
  struct Slot {
    std::atomic<int> state{empty};
    char path[PATH_MAX] = {};
  };
  static constexpr std::size_t most = 16;
  static std::array<Slot, most>& slots() {
    static constinit std::array<Slot, most> all;  // initialised before the program begins, as a handler needs it
    return all;
  }
  void swap(UnfinishedFile& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(slot_, other.slot_);
  }
  std::string path_;
  Slot* slot_ = nullptr;
};

/// While one lives, a file is not what it was, nor yet what it will be: no handler runs in this thread, and
/// remove_unfinished_files(), called by one in another thread, does not return.
class Undisturbed {
 public:
  Undisturbed() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
    ++living();
  }
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;
  ~Undisturbed() {
    --living();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  /// For handlers.
  static void wait_for_all() noexcept {
    while (living() > 0) ::poll(nullptr, 0, 1);
  }

 private:
  static std::atomic<int>& living() {
    static constinit std::atomic<int> count{0};
    return count;
  }
  sigset_t before_;
};

/// Removes what AtomicFile has begun and not committed, in all threads. For handlers of signals: the program must end
/// after it. A file that is being overwritten is whole before it returns.
inline void remove_unfinished_files() noexcept {
  Undisturbed::wait_for_all();
  UnfinishedFile::remove_all();
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
