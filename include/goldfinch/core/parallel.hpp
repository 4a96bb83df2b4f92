// Threads split independent outputs and never a sum, so results do not depend on their number (docs/numerics.md, rule 12).
// Their number is OpenMP's (OMP_NUM_THREADS, omp_set_num_threads, per calling thread); without OpenMP it is one.
//
// A step of decoding consists of hundreds of small parallel loops. A call opens one region for all of them (with_workers), which costs
// two atomic operations, and its loops hand out chunks: the calling thread takes chunks, and so do the workers that are there
// (workers.hpp). Several threads may call at once; they share the workers.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "goldfinch/core/matrix.hpp"
#include "goldfinch/core/workers.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace parallel_detail {

/// While it lives, loops of the calling thread are shared with the workers. Inside another region, or in a chunk, it does nothing.
class Region {
 public:
  Region() {
    if (place().slot || place().in_chunk) return;
    if (const int threads = wanted_threads(); threads > 1) opened_ = place().slot = Crew::of_process().enter(threads);
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region() {
    if (!opened_) return;
    place().slot = nullptr;
    Crew::of_process().leave(opened_);
  }

 private:
  Slot* opened_ = nullptr;
};

/// A loop without the type of its body, so that what splits it is compiled once, not once a loop: body(begin, end) is called by `call`.
class Loop {
 public:
  using Call = void (*)(void* body, Index begin, Index end);

  Loop(Index count, Call call, void* body) : count_(count), call_(call), body_(body) {}

  void run(Index grain) const {
    if (count_ <= 0) return;
    grain = std::max<Index>(grain, 1);
    if (count_ / grain <= 1 || place().in_chunk) return call_(body_, 0, count_);
    const Region region;
    Slot* const slot = place().slot;
    const int helpers = slot ? Crew::of_process().helpers(*slot) : 0;
    if (helpers < 1) return call_(body_, 0, count_);
    // Ranges get shorter towards the end, so that a slow thread does not make the others wait: each is a share of what is left.
    constexpr std::size_t most_ranges = 64;
    std::array<Index, most_ranges + 1> first;
    std::uint32_t ranges = 0;
    for (Index at = 0; at < count_;) {
      first[ranges++] = at;
      const Index left = count_ - at, share = std::max({left / (2 * (helpers + 1)), grain, left / static_cast<Index>(most_ranges + 1 - ranges)});
      at += left < share + grain ? left : share;
    }
    first[ranges] = count_;
    auto one = [&](std::uint32_t range) { call_(body_, first[range], first[range + 1]); };
    slot->run(ranges, one, [helpers] { Crew::of_process().wake(helpers); });
  }

 private:
  Index count_;
  Call call_;
  void* body_;
};

}  // namespace parallel_detail

/// Runs body() with the workers at hand for every parallel_for in it. Inside another with_workers it is just body(). A model's calls do
/// this by themselves; a caller that holds workers for longer keeps them from other callers.
template <class Body>
void with_workers(Body&& body) {
  const parallel_detail::Region region;
  body();
}

/// Calls body(begin, end) on ranges that cover 0 .. count - 1, of at least `grain` items each unless there are fewer. body must write
/// only what belongs to its own items; it has 2 MiB of stack. If it throws, the other ranges are still worked on; one of the
/// exceptions is thrown on.
template <class Body>
void parallel_for(Index count, Index grain, Body&& body) {
  using Held = std::remove_reference_t<Body>;
  void* const held = const_cast<void*>(static_cast<const void*>(std::addressof(body)));
  parallel_detail::Loop(count, [](void* b, Index begin, Index end) { (*static_cast<Held*>(b))(begin, end); }, held).run(grain);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
