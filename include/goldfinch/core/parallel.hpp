// Threads split independent outputs and never a sum, so results do not depend on their number (docs/numerics.md, rule 12).
// Their number is OpenMP's (OMP_NUM_THREADS, omp_set_num_threads, per calling thread); without OpenMP it is one.
//
// A step of decoding consists of hundreds of small parallel loops. To open and close an OpenMP region for each would cost more than
// some of them, and would wait for every thread every time: if another process holds a core, for a whole time slice. So one region
// spans a call (with_workers), and inside it loops hand out chunks: the first thread runs the program and takes chunks as well,
// the others take chunks while there are any. A thread that the system has put aside delays nothing unless it holds a chunk.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#include <sched.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The threads of one region and the loop that they are working on.
class Team {
 public:
  explicit Team(int threads) : threads_(threads) {}

  /// The team of the region that the calling thread leads, or null; null too while the thread works on a chunk, so that loops
  /// inside loops run on their own thread.
  static Team*& current() {
    static thread_local Team* team = nullptr;
    return team;
  }

  int threads() const { return threads_; }

  /// Runs body(chunk) for 0 .. chunks - 1 (less than 2^16) on whichever threads are there; returns when all are done, and throws
  /// on what one of them threw. For the leading thread.
  template <class Body>
  void run(std::uint32_t chunks, Body& body) {
    call_.store([](void* b, std::uint32_t chunk) { (*static_cast<Body*>(b))(chunk); }, std::memory_order_relaxed);
    body_.store(&body, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    const std::uint64_t loop = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
    ticket_.store(loop << 32 | std::uint64_t{chunks} << 16, std::memory_order_release);
    while (take()) {
    }
    for (int spins = 0; done_.load(std::memory_order_acquire) != chunks;) pause(spins);
    if (failed_.exchange(false, std::memory_order_relaxed)) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  /// Takes chunks until the region ends. For every other thread.
  void work() {
    for (int spins = 0; !ended_.load(std::memory_order_acquire);) {
      if (take()) spins = 0;
      else pause(spins);
    }
  }

  void end() { ended_.store(true, std::memory_order_release); }

 private:
  /// Runs one chunk of the current loop, if one is left. A ticket names the loop, its chunks and the next of them in one number:
  /// whoever moves it on holds a chunk of a loop that cannot end, nor another begin, before that chunk is done.
  bool take() {
    std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
    const auto next = static_cast<std::uint16_t>(ticket), chunks = static_cast<std::uint16_t>(ticket >> 16);
    if (next >= chunks) return false;
    if (!ticket_.compare_exchange_strong(ticket, ticket + 1, std::memory_order_acq_rel)) return true;
    const auto call = call_.load(std::memory_order_relaxed);
    void* const body = body_.load(std::memory_order_relaxed);
    Team* const led = std::exchange(current(), nullptr);
    try {
      call(body, next);
    } catch (...) {
      if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
    }
    current() = led;
    done_.fetch_add(1, std::memory_order_release);
    return true;
  }

  /// Waits a little, the longer the more often it was called in a row.
  static void pause(int& spins) {
    [[maybe_unused]] constexpr int yielding = 256;
    constexpr int idle = 20000;
    if (spins < idle) ++spins;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
#ifdef _OPENMP
    if (spins == idle) ::usleep(50);  // for some 10 ms now: the program does something else, or waits for its output
    else if (spins > yielding) ::sched_yield();
#endif
  }

  const int threads_;
  std::atomic<void (*)(void*, std::uint32_t)> call_{nullptr};
  std::atomic<void*> body_{nullptr};
  alignas(64) std::atomic<std::uint64_t> ticket_{0};  // loop << 32 | chunks << 16 | next chunk
  alignas(64) std::atomic<std::uint32_t> done_{0};
  std::atomic<bool> ended_{false}, failed_{false};
  std::exception_ptr error_;  // of the first chunk that failed; written before that chunk is done, read when all are
};

/// Runs body() with the threads at hand for every parallel_for in it. Inside another with_workers it is just body().
template <class Body>
void with_workers(Body&& body) {
#ifdef _OPENMP
  const int threads = omp_in_parallel() ? 1 : omp_get_max_threads();
  if (threads > 1 && !Team::current()) {
    Team team(threads);
    std::exception_ptr error;
#pragma omp parallel num_threads(threads)
    if (omp_get_thread_num() == 0) {
      Team::current() = &team;
      try {
        body();
      } catch (...) {
        error = std::current_exception();
      }
      Team::current() = nullptr;
      team.end();
    } else {
      team.work();
    }
    if (error) std::rethrow_exception(error);
    return;
  }
#endif
  body();
}

/// A loop without the type of its body, so that what splits it is compiled once, not once a loop: body(begin, end) is called by `call`.
class Loop {
 public:
  using Call = void (*)(void* body, Index begin, Index end);

  Loop(Index count, Call call, void* body) : count_(count), call_(call), body_(body) {}

  void run(Index grain) const {
    if (count_ <= 0) return;
    grain = std::max<Index>(grain, 1);
    const bool one_range = count_ / grain <= 1;
    Team* const team = Team::current();
#ifdef _OPENMP
    if (!team && !one_range && !omp_in_parallel() && omp_get_max_threads() > 1) return with_workers([&] { run(grain); });
#endif
    if (!team || one_range) return call_(body_, 0, count_);
    // Ranges get shorter towards the end, so that a slow thread does not make the others wait: each is a share of what is left.
    constexpr std::size_t most_ranges = 64;
    std::array<Index, most_ranges + 1> first;
    std::uint32_t ranges = 0;
    for (Index at = 0; at < count_;) {
      first[ranges++] = at;
      const Index left = count_ - at, share = std::max({left / (2 * team->threads()), grain, left / static_cast<Index>(most_ranges + 1 - ranges)});
      at += left < share + grain ? left : share;
    }
    first[ranges] = count_;
    auto one = [&](std::uint32_t range) { call_(body_, first[range], first[range + 1]); };
    team->run(ranges, one);
  }

 private:
  Index count_;
  Call call_;
  void* body_;
};

/// Calls body(begin, end) on ranges that cover 0 .. count - 1, of at least `grain` items each unless there are fewer. body must write
/// only what belongs to its own items. If it throws, the other ranges are still worked on; one of the exceptions is thrown on.
template <class Body>
void parallel_for(Index count, Index grain, Body&& body) {
  using Held = std::remove_reference_t<Body>;
  void* const held = const_cast<void*>(static_cast<const void*>(std::addressof(body)));
  Loop(count, [](void* b, Index begin, Index end) { (*static_cast<Held*>(b))(begin, end); }, held).run(grain);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
