// What is thrown in the middle of a call: by a progress callback, by a trace sink, for want of memory at any allocation. The states of the call
// are marked; a copy made before goes on with the same bits, and the budget of the memo adds up.
#include <atomic>
#include <cstdlib>
#include <new>

#include "model/random_model.hpp"
#include "refused.hpp"
#include "threads.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

/// Which allocation from now on fails, once: 1 is the next; 0 or less, none.
std::atomic<long> allocations_left{0};

bool fails() { return allocations_left.load(std::memory_order_relaxed) > 0 && allocations_left.fetch_sub(1) == 1; }

}  // namespace

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Every allocation of the process, Eigen's among them, goes through here.
extern "C" void* __libc_malloc(std::size_t);
extern "C" void* malloc(std::size_t size) { return fails() ? nullptr : __libc_malloc(size); }
#else
void* operator new(std::size_t size) {
  void* const room = fails() ? nullptr : std::malloc(size ? size : 1);
  if (!room) throw std::bad_alloc();
  return room;
}
void operator delete(void* room) noexcept { std::free(room); }
void operator delete(void* room, std::size_t) noexcept { std::free(room); }
#endif

namespace {

using Model = gf::Model<float>;
using State = Model::State;

const gf::Config kinds[] = {random_model::config(), random_model::config("gptalpha", ""), random_model::config("x060", "llama")};

/// A state that has seen 70 tokens, and what a copy of it gives for the next.
struct Start {
  const Model& model;
  State state = model.initial_state();
  std::vector<int> next = random_model::tokens(1, 70);
  gf::Matrix<float> logits;

  explicit Start(const Model& m) : model(m) {
    model.prefill(random_model::tokens(70), state);
    State copy = state;
    logits = model.forward(next, copy);
  }

  /// The copy made before the call that threw gives the same bits.
  void check_copy(const State& copy) const {
    State fork = copy;
    if (!bits::same(model.forward(next, fork), logits)) FAIL_CHECK("a copy gives other bits");
  }
};

void check_broken(const Model& model, State& broken, const std::vector<int>& next) {
  if (broken.position >= 0) FAIL_CHECK("the state is not marked");
  REFUSED(model.forward(next, broken), "a state that an exception has left in the middle of a call");
}

}  // namespace

TEST_CASE("Progress that throws after any chunk marks the states of the call, and harms no copy") {
  for (const auto& config : kinds) {
    INFO(config.model_name());
    const auto model = random_model::make<float>(config);
    const Start start(model);
    const auto prompt = random_model::tokens(20), other = random_model::tokens(9);
    int calls = 0;
    for (int stop = 1; stop <= 4; ++stop) {
      State a = start.state, b = model.initial_state();
      const State copy = a;
      calls = 0;
      CHECK_THROWS_AS(model.prefill({{prompt, &a}, {other, &b}}, 5, [&](Index) {
        if (++calls == stop) throw std::string("stop");
      }), std::string);
      CHECK(calls == stop);
      check_broken(model, a, prompt);
      check_broken(model, b, prompt);
      start.check_copy(copy);
    }
  }
}

TEST_CASE("A trace sink that throws at any tensor marks the states of the call, and harms no copy") {
  struct Sink : gf::TraceSink<float> {
    int left = 0;
    void rows(const std::string&, const gf::Matrix<float>&) override {
      if (--left == 0) throw 1;
    }
    void context(const std::string&, Index, const gf::Matrix<float>&) override {
      if (--left == 0) throw 1;
    }
  };
  threads::on_1_2_and_5([] {
    const auto model = random_model::make<float>(kinds[0]);
    const Start start(model);
    int thrown = 0;
    for (int stop = 1;; stop += 7) {
      State state = start.state;
      Sink sink;
      sink.left = stop;
      try {
        model.forward(start.next, state, gf::Trace<float>(&sink));
        break;
      } catch (int) {
        ++thrown;
      }
      check_broken(model, state, start.next);
    }
    CHECK(thrown > 5);
    start.check_copy(start.state);
  });
}

TEST_CASE("Memory that ends at any allocation of a step or a pre-fill harms no copy and no budget") {
#ifdef _OPENMP
  const struct One {
    int before = omp_get_max_threads();
    One() { omp_set_num_threads(1); }
    ~One() { omp_set_num_threads(before); }
  } one;
#endif
  for (const auto& config : kinds) {
    INFO(config.model_name());
    for (const bool prefill : {false, true}) {
      const auto model = random_model::make<float>(config);
      const Start start(model);
      const std::vector<int> next = prefill ? random_model::tokens(130, 70) : start.next;
      const auto call = [&](State& state) { return prefill ? model.prefill(next, state, 50) : model.forward(next, state); };
      gf::Matrix<float> expected;
      {
        State state = start.state;
        expected = call(state);
      }
      const std::size_t held = model.memo_bytes();
      long failed = 0;
      for (long at = 1;; at += prefill ? 61 : 7) {  // coprime to what a layer allocates, so that every kind of place is met
        State state, copy = start.state;
        bool done = false;
        try {
          allocations_left = at;
          state = copy;  // a fork is part of it
          const auto logits = call(state);
          allocations_left = 0;
          if (!bits::same(logits, expected)) FAIL_CHECK("allocation " << at << ": other bits");
          done = true;
        } catch (const std::bad_alloc&) {
          allocations_left = 0;
          ++failed;
          if (!state.blocks.empty() && state.position >= 0) start.check_copy(state);
          if (state.blocks.empty() != (state.position == 0)) FAIL_CHECK("allocation " << at << ": neither whole nor marked");
        }
        start.check_copy(copy);
        if (done) break;
      }
      allocations_left = 0;
      CHECK(failed > 10);
      CHECK(model.memo_bytes() == held);
    }
  }
}

TEST_CASE("A page whose memory cannot be had gives its budget back") {
  const auto memo = std::make_shared<gf::ExpansionMemo<float>>(gf::unlimited_memory, 10, Index{1} << 38, 1);  // 2^47 bytes a page and more
  const std::size_t before = memo->used();
  gf::PageMemo<float> page(memo);
  for (int i = 0; i < 3; ++i) {
    CHECK_THROWS_AS(page.has_room(), std::bad_alloc);
    CHECK(memo->used() == before);
  }
}

TEST_CASE("Rows and caches are as they were when there is no memory for one more") {
  const float c[4] = {1, 2, 3, 4};
  const auto memo = std::make_shared<gf::ExpansionMemo<float>>(gf::unlimited_memory, 50, 4, 1);
  for (long at = 1; at <= 12; ++at) {
    gf::KeyCache<float> cache(50, 4, gf::KeyFormat::native, memo);
    gf::StoredKeys<float> stored(4);
    for (int t = 0; t < 64; ++t) cache.append(t % 50, c), stored.append(c, c);
    bool threw = false;
    allocations_left = at;
    try {
      cache.append(7, c), stored.append(c, c);
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    allocations_left = 0;
    CHECK(cache.packed().size() == cache.native().size());
    CHECK(stored.k.size() == stored.v.size());
    if (threw && cache.size() == 64) cache.append(7, c);
    CHECK(cache.size() == 65);
    CHECK(cache.ids(64, 1) == std::vector<std::int32_t>{7});
    const auto fork = cache;
    CHECK(fork.memo(64) != nullptr);
  }
}
