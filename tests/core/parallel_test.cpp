#include "goldfinch/core/parallel.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "threads.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

/// Whether a loop of `count` items in `regions` regions, one after another, runs every item once each time.
bool loops_are_right(Index count, int regions) {
  bool right = true;
  for (int i = 0; i < regions; ++i)
    gf::with_workers([&] {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
      gf::parallel_for(count, 1, [&](Index begin, Index end) {
        for (Index k = begin; k < end; ++k) ++runs[static_cast<std::size_t>(k)];
      });
      for (const auto& n : runs) right = right && n == 1;
    });
  return right;
}

/// Runs body in a forked child; whether it gave true there, and the child ended by itself within a minute.
template <class Body>
bool in_child(Body&& body) {
  std::cout.flush();
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    ::_exit(body() ? 0 : 1);
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

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

TEST_CASE("An exception in a chunk reaches the caller after the other chunks, and the next loop knows nothing of it") {
  threads::on_1_2_and_5([] {
    for (Index bad = 0; bad < 64; ++bad) {
      std::atomic<Index> runs = 0;
      const auto loop = [&](Index begin, Index end) {
        runs += end - begin;
        if (begin <= bad && bad < end) gf::fail("item ", bad);
      };
      CHECK_THROWS_WITH(gf::parallel_for(64, 1, loop), "item " + std::to_string(bad));
      CHECK(runs == 64);
      CHECK(loops_are_right(40, 1));
    }
  });
}

TEST_CASE("Many threads may call at once, more than there are slots") {
  std::array<std::thread, 80> callers;
  std::array<bool, 80> right{};
  for (std::size_t i = 0; i < callers.size(); ++i)
    callers[i] = std::thread([&right, i] {
      const threads::Number number(static_cast<int>(i % 6 + 1));
      right[i] = loops_are_right(static_cast<Index>(i % 9 + 1), 40);
    });
  for (auto& caller : callers) caller.join();
  for (const bool r : right) CHECK(r);
}

TEST_CASE("A caller does not wait for workers that are held up in another's loop") {
  const threads::Number number(5);
  std::atomic<bool> begun = false, go = false;
  std::thread other([&] {
    const threads::Number its(5);
    gf::parallel_for(16, 1, [&](Index, Index) {
      begun = true, begun.notify_all();
      go.wait(false);
    });
  });
  begun.wait(false);
  const bool right = loops_are_right(40, 200);
  go = true, go.notify_all();
  other.join();
  CHECK(right);
}

TEST_CASE("A loop is run by no more threads than were asked for, from one call to the next") {
  for (const int n : {5, 1, 3, 2, 16, 1}) {
    const threads::Number number(n);
    std::mutex mutex;
    std::set<std::thread::id> ran;
    gf::with_workers([&] {
      for (int i = 0; i < 200; ++i)
        gf::parallel_for(64, 1, [&](Index, Index) {
          const std::lock_guard lock(mutex);
          ran.insert(std::this_thread::get_id());
        });
    });
    CHECK(static_cast<int>(ran.size()) <= n);
    CHECK(ran.count(std::this_thread::get_id()) == 1);
  }
}

TEST_CASE("Workers that sleep are woken") {
  const threads::Number number(5);
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    REQUIRE(loops_are_right(64, 1));
  }
}

#ifndef __SANITIZE_THREAD__  // it does not support threads of a child
TEST_CASE("A forked child makes workers of its own, also where its parent was in a region") {
  threads::on_1_2_and_5([] {
    REQUIRE(loops_are_right(40, 10));
    CHECK(in_child([] { return loops_are_right(40, 100); }));
    gf::with_workers([] {
      CHECK(in_child([] { return loops_are_right(40, 100); }));
      CHECK(in_child([] { return in_child([] { return loops_are_right(40, 100); }); }));
      CHECK(loops_are_right(40, 10));
    });
  });
}

TEST_CASE("A child that is forked in the middle of another thread's loop begins with none of it") {
  const threads::Number number(5);
  std::atomic<int> begun = 0;
  std::atomic<bool> go = false;
  std::thread other([&] {
    const threads::Number its(5);
    gf::parallel_for(64, 1, [&](Index, Index) {  // more ranges than there are threads, so that some are left
      if (++begun == 1) begun.notify_all();
      go.wait(false);
    });
  });
  begun.wait(0);
  const bool right = in_child([&] {
    begun = 0;  // a chunk of that loop would be counted, and then wait for ever
    bool loops = false;
    gf::with_workers([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // while the workers look for something to do
      loops = loops_are_right(40, 200);
    });
    return loops && begun == 0;
  });
  go = true, go.notify_all();
  other.join();
  CHECK(right);
}

#ifndef __SANITIZE_ADDRESS__  // it takes more address space than the limit allows
TEST_CASE("Where threads cannot be made, there are fewer, and the caller does the work") {
  for (const std::size_t room : {std::size_t{1} << 20, std::size_t{80} << 20})
    CHECK(in_child([&] {
      std::ifstream statm("/proc/self/statm");
      std::size_t pages = 0;
      if (!(statm >> pages)) return true;
      const ::rlim_t limit = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + room;
      const struct ::rlimit address_space = {limit, limit};
      if (::setrlimit(RLIMIT_AS, &address_space) != 0) return false;
      const threads::Number number(64);
      return loops_are_right(64, 100);
    }));
}
#endif
#endif

TEST_CASE("A number of threads beyond all measure is cut down") {
  const threads::Number number(99999);
  CHECK(loops_are_right(64, 100));
}
