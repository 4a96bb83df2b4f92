#include "goldfinch/core/parallel.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <vector>

#include "threads.hpp"

namespace gf = goldfinch;
using gf::Index;

TEST_CASE("Every item of a loop is run once, whatever the number of threads and the lengths of the loops before") {
  threads::on_1_2_and_5([] {
    Index wrong = 0;
    gf::with_workers([&] {
      for (int i = 0; i < 30000; ++i) {
        std::vector<std::atomic<int>> runs(
            i % 2 ? 2 : 64);  // a long loop after a short one: a late thread must not take its chunks early
        gf::parallel_for(static_cast<Index>(runs.size()), 1, [&](Index begin, Index end) {
          for (Index k = begin; k < end; ++k) runs[static_cast<std::size_t>(k)].fetch_add(1, std::memory_order_relaxed);
        });
        for (const auto& n : runs) wrong += n != 1;
      }
    });
    CHECK(wrong == 0);
  });
}

TEST_CASE("A loop may be empty, shorter than its grain, or inside another loop") {
  threads::on_1_2_and_5([] {
    gf::parallel_for(0, 1, [](Index, Index) { FAIL(); });
    std::vector<int> runs(40);
    gf::parallel_for(5, 100, [&](Index begin, Index end) { runs[0] += begin == 0 && end == 5; });
    CHECK(runs[0] == 1);
    std::vector<std::atomic<int>> inner(400);
    gf::parallel_for(20, 1, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i)
        gf::parallel_for(20, 1, [&, i](Index first, Index last) {
          for (Index j = first; j < last; ++j) ++inner[static_cast<std::size_t>(20 * i + j)];
        });
    });
    for (const auto& n : inner) CHECK(n == 1);
  });
}

TEST_CASE("An exception in a call with workers reaches the caller") {
  threads::on_1_2_and_5([] { CHECK_THROWS_AS(gf::with_workers([] { gf::fail("no"); }), gf::Error); });
}
