// A parallel loop in the making: its chunks, whoever takes them, and how to wait for the last of them.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "goldfinch/core/arithmetic.hpp"

namespace goldfinch::inline GOLDFINCH_ISA::parallel_detail {

/// Waits a little, the longer the more often it was called in a row; false once that was so often that sleeping is better.
inline bool wait_awake(int& spins) {
  constexpr int yielding = 256, sleeping = 1024;
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
  if (++spins > yielding) ::sched_yield();
  return spins < sleeping;
}

class Slot;

/// What a thread is at: the slot of its region, and whether it runs a chunk; loops in chunks are not shared out again.
struct Place {
  Slot* slot = nullptr;
  bool in_chunk = false;
};

inline Place& place() {
  static thread_local Place place;
  return place;
}

/// A loop that is shared out. Slots are never freed (workers.hpp), so that a worker may look at one at any time.
class Slot {
 public:
  /// Runs body(chunk) for 0 .. chunks - 1 (less than 2^16) on the calling thread, after `wake` on those who help too; returns when
  /// all are done, and throws on what one of them threw.
  template <class Body, class Wake>
  void run(std::uint32_t chunks, Body& body, Wake&& wake) {
    call_.store([](void* b, std::uint32_t chunk) { (*static_cast<Body*>(b))(chunk); }, std::memory_order_relaxed);
    body_.store(&body, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    const std::uint64_t loop = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
    ticket_.store(loop << 32 | std::uint64_t{chunks} << 16);  // in one order with the sleepers' bits: see Crew::sleep
    wake();
    place().in_chunk = true;
    while (take()) {
    }
    place().in_chunk = false;
    for (int spins = 0;;) {
      const std::uint32_t done = done_.load(std::memory_order_acquire);
      if (done == chunks) break;
      if (!wait_awake(spins)) done_.wait(done, std::memory_order_acquire);
    }
    if (failed_.exchange(false, std::memory_order_relaxed)) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  /// Runs one chunk of the current loop, if one is left. A ticket names the loop, its chunks and the next of them in one number:
  /// whoever moves it on holds a chunk of a loop that cannot end, nor another begin, before that chunk is done.
  bool take() {
    std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
    const auto next = static_cast<std::uint16_t>(ticket), chunks = static_cast<std::uint16_t>(ticket >> 16);
    if (next >= chunks) return false;
    if (!ticket_.compare_exchange_strong(ticket, ticket + 1, std::memory_order_acq_rel)) return true;
    const auto call = call_.load(std::memory_order_relaxed);
    void* const body = body_.load(std::memory_order_relaxed);
    try {
      call(body, next);
    } catch (...) {
      if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
    }
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == chunks) done_.notify_one();
    return true;
  }

  /// In a forked child: the loop that another thread was at is not there any more.
  void forget() {
    ticket_.store(ticket_.load() >> 32 << 32);  // a loop without chunks
    done_.store(0);
    failed_.store(false);
    std::construct_at(&error_);  // what it held is the parent's, and may be half written
  }

  bool has_chunks() const {
    const std::uint64_t ticket = ticket_.load();
    return static_cast<std::uint16_t>(ticket) < static_cast<std::uint16_t>(ticket >> 16);
  }

  std::atomic<int> threads{1};  // that its caller asks for, itself among them

 private:
  std::atomic<void (*)(void*, std::uint32_t)> call_{nullptr};
  std::atomic<void*> body_{nullptr};
  alignas(64) std::atomic<std::uint64_t> ticket_{0};  // loop << 32 | chunks << 16 | next chunk
  alignas(64) std::atomic<std::uint32_t> done_{0};
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;  // of the first chunk that failed; written before that chunk is done, read when all are
};

}  // namespace goldfinch::inline GOLDFINCH_ISA::parallel_detail
