// The threads that help whoever calls a model: one crew a process, made when first wanted, asleep while nobody calls.
//
// Why not OpenMP's regions: a region ends with a barrier at which the threads spin, so a step of decoding that opens one waits for
// threads that the system has put aside for another process (4,400 tokens/s became 160); every calling thread of a server gets threads
// of its own, which spin beside the others'; and libgomp ends the whole process when a thread cannot be made. Of OpenMP only the
// number of threads is used (OMP_NUM_THREADS, omp_set_num_threads, per calling thread), and its places, if it binds threads.
//
// A calling thread opens a region (parallel.hpp) by taking a slot; nothing is begun or ended for it. Workers take chunks of the loops
// that they find in the slots. They wait in loops without rest at first, then let other threads of the system go before, then sleep;
// a loop wakes one that sleeps, and who was woken and found work wakes the next. Callers and workers that are awake are together
// no more than the threads of one caller: with two callers there is one worker less. A thread that the system has put aside delays
// nothing unless it holds a chunk.
//
// After fork() the child makes workers of its own when it wants some; a loop's body must not fork (but it may fork and exec). Other
// threads may be in loops meanwhile, but a model that they are calling may hold a lock, which the child then waits for in vain.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cfenv>
#include <chrono>
#include <cstdint>
#include <mutex>

#include "goldfinch/core/slot.hpp"

namespace goldfinch::inline GOLDFINCH_ISA::parallel_detail {

/// The number of threads that the calling thread asks for. Inside an OpenMP region of the program's it is one; without OpenMP too.
inline int wanted_threads() {
#ifdef _OPENMP
  return omp_in_parallel() ? 1 : std::min(omp_get_max_threads(), omp_get_thread_limit());
#else
  return 1;
#endif
}

/// The workers, and the slots that they look at.
class Crew {
 public:
  /// The process's only one. It is never freed: at the end of the process, of a thread or of a library others may still look at it.
  static Crew& of_process() {
    static Crew* const crew = [] {
      auto* const made = new Crew;
      ::pthread_atfork([] { of_process().mutex_.lock(); }, [] { of_process().mutex_.unlock(); }, [] { of_process().begin_child(); });
      return made;
    }();
    static const struct AtExit {
      ~AtExit() { of_process().end(); }
    } at_exit;
    return *crew;
  }

  /// A slot for a caller with `threads` threads; null where nobody could help, or 64 callers are there already.
  Slot* enter(int threads) {
    threads = std::min(threads, most_threads_);
    if (threads - 1 > made_.load(std::memory_order_acquire)) make(threads - 1);
    threads = std::min(threads, made_.load(std::memory_order_acquire) + 1);
    std::uint64_t callers = callers_.load(std::memory_order_relaxed);
    int i;
    do {
      i = std::countr_one(callers);
      if (threads < 2 || i >= most_callers) return nullptr;
    } while (!callers_.compare_exchange_weak(callers, callers | std::uint64_t{1} << i, std::memory_order_acq_rel));
    slots_[static_cast<std::size_t>(i)].threads.store(threads, std::memory_order_relaxed);
    return &slots_[static_cast<std::size_t>(i)];
  }

  void leave(const Slot* slot) { callers_.fetch_and(~(std::uint64_t{1} << (slot - slots_.data())), std::memory_order_acq_rel); }

  /// The workers that may help in that slot now.
  int helpers(const Slot& slot) const {
    return slot.threads.load(std::memory_order_relaxed) - std::popcount(callers_.load(std::memory_order_relaxed));
  }

  /// Wakes one of the first `helpers` workers, if one of them sleeps.
  void wake(int helpers) {
    for (std::size_t word = 0; static_cast<int>(64 * word) < helpers; ++word) {
      const int rest = helpers - static_cast<int>(64 * word);
      std::uint64_t sleeping = asleep_[word].load() & (rest < 64 ? (std::uint64_t{1} << rest) - 1 : ~std::uint64_t{0});
      for (; sleeping; sleeping &= sleeping - 1) {
        const std::uint64_t bit = sleeping & -sleeping;
        if (!(asleep_[word].fetch_and(~bit) & bit)) continue;  // another was faster
        std::atomic<std::uint32_t>& calls = workers_[64 * word + static_cast<std::size_t>(std::countr_zero(bit))].calls;
        calls.fetch_add(1);
        calls.notify_one();
        return;
      }
    }
  }

 private:
  static constexpr int most_callers = 64;
  static constexpr std::size_t most_workers = 255;

  struct alignas(64) Worker {
    std::atomic<std::uint32_t> calls{0};  // to wake up
    ::pthread_t thread;
  };

  /// More threads than some for each CPU would only be in each other's way, whatever OMP_NUM_THREADS says.
  Crew() : most_threads_(std::clamp(4 * static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)), 16, static_cast<int>(most_workers) + 1)) {}

  /// Makes workers until there are `count`, or as many as the system grants; then it is not asked again for a while.
  void make(int count) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (ended_ || now < next_try_) return;
    ::pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, stack_size);
    spread(attributes);
    // Signals are the program's: none is to end up in a worker but those that its own work raises.
    ::sigset_t blocked, before;
    ::sigfillset(&blocked);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGPROF}) ::sigdelset(&blocked, own);
    ::pthread_sigmask(SIG_SETMASK, &blocked, &before);
    while (made_.load(std::memory_order_relaxed) < count) {
      const int i = made_.load(std::memory_order_relaxed);
      const auto start = [](void* worker) -> void* { return of_process().work(static_cast<Worker*>(worker)), nullptr; };
      Worker& worker = workers_[static_cast<std::size_t>(i)];
      if (!leaves_room() || ::pthread_create(&worker.thread, &attributes, start, &worker) != 0) {
        next_try_ = now + std::chrono::seconds(1);
        break;
      }
      made_.store(i + 1, std::memory_order_release);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::pthread_attr_destroy(&attributes);
  }

  /// Whether 64 MiB of address space are left: where it is limited, the last of it is for what the process does, not for who helps.
  static bool leaves_room() {
    void* const room = ::mmap(nullptr, 32 * stack_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return room != MAP_FAILED && ::munmap(room, 32 * stack_size) == 0;
  }

  /// Where OpenMP binds threads (OMP_PROC_BIND), it has bound the caller to one place, and the workers may run in all of them.
  static void spread([[maybe_unused]] ::pthread_attr_t& attributes) {
#if defined(_OPENMP) && defined(__linux__)
    if (omp_get_proc_bind() == omp_proc_bind_false) return;
    ::cpu_set_t all;
    CPU_ZERO(&all);
    for (int place = 0; place < omp_get_num_places(); ++place) {
      std::array<int, CPU_SETSIZE> cpus;
      if (omp_get_place_num_procs(place) > CPU_SETSIZE) return;
      omp_get_place_proc_ids(place, cpus.data());
      for (int i = 0; i < omp_get_place_num_procs(place); ++i) CPU_SET(cpus[static_cast<std::size_t>(i)], &all);
    }
    if (CPU_COUNT(&all) > 0) ::pthread_attr_setaffinity_np(&attributes, sizeof all, &all);
#endif
  }

  void work(Worker* me) {
    const int index = static_cast<int>(me - workers_.data());
    place().in_chunk = true;
    std::fesetenv(FE_DFL_ENV);  // not what the thread happened to have set that wanted help first
    for (int spins = 0; !ended_.load(std::memory_order_relaxed);) {
      if (find(index, [](Slot& slot) { return slot.take(); })) spins = 0;
      else if (!wait_awake(spins)) sleep(*me, index), spins = 0;
    }
  }

  /// Whether use(slot) is true for a slot in which this worker helps.
  template <class Use>
  bool find(int index, Use&& use) {
    for (std::uint64_t callers = callers_.load(std::memory_order_acquire), left = callers; left; left &= left - 1) {
      Slot& slot = slots_[static_cast<std::size_t>(std::countr_zero(left))];
      if (index < slot.threads.load(std::memory_order_relaxed) - std::popcount(callers) && use(slot)) return true;
    }
    return false;
  }

  /// Sleeps until called. First the bit, then a look at the slots; a caller does it the other way round, so one sees the other.
  void sleep(Worker& me, int index) {
    const std::uint64_t bit = std::uint64_t{1} << index % 64;
    std::atomic<std::uint64_t>& asleep = asleep_[static_cast<std::size_t>(index / 64)];
    const std::uint32_t calls = me.calls.load();
    asleep.fetch_or(bit);
    if (!ended_.load() && !find(index, [](const Slot& slot) { return slot.has_chunks(); })) me.calls.wait(calls);
    asleep.fetch_and(~bit);
    find(index, [&](Slot& slot) { return slot.take() && (wake(helpers(slot)), true); });
  }

  /// In the only thread of a forked child. The parent's workers and callers are not there.
  void begin_child() {
    Slot* const own = place().slot;
    callers_.store(own ? std::uint64_t{1} << (own - slots_.data()) : 0);
    for (Slot& slot : slots_)
      if (&slot != own) slot.forget();
    for (auto& word : asleep_) word.store(0);
    made_.store(0);
    mutex_.unlock();
  }

  /// At the end of the process, or of the library that this is part of. While somebody still calls, workers are left to the system.
  void end() {
    const std::lock_guard lock(mutex_);
    ended_.store(true);
    const int made = made_.exchange(0);
    for (int i = 0; i < made; ++i) workers_[static_cast<std::size_t>(i)].calls.fetch_add(1), workers_[static_cast<std::size_t>(i)].calls.notify_one();
    if (callers_.load() != 0 || place().in_chunk) return;
    for (int i = 0; i < made; ++i) ::pthread_join(workers_[static_cast<std::size_t>(i)].thread, nullptr);
  }

  static constexpr std::size_t stack_size = std::size_t{2} << 20;

  const int most_threads_;
  std::mutex mutex_;                              // over making and ending workers
  std::chrono::steady_clock::time_point next_try_{};
  std::atomic<int> made_{0};
  std::atomic<bool> ended_{false};
  alignas(64) std::atomic<std::uint64_t> callers_{0};  // a bit for every slot that is taken
  alignas(64) std::array<std::atomic<std::uint64_t>, (most_workers + 63) / 64> asleep_{};
  std::array<Slot, most_callers> slots_;
  std::array<Worker, most_workers> workers_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA::parallel_detail
