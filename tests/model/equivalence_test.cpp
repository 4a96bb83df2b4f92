// However a text is cut into calls, whatever shares a call with it and on however many threads: the same logits and the same
// carried states, bit for bit.

#include <array>
#include <catch2/catch.hpp>
#include <thread>

#include "bits.hpp"
#include "model/golden.hpp"
#include "threads.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

template <class T>
bool same_rows(const gf::PagedRows<T>& a, const gf::PagedRows<T>& b) {
  if (a.size() != b.size() || a.width() != b.width()) return false;
  for (Index i = 0; i < a.size(); ++i)
    for (Index j = 0; j < a.width(); ++j)
      if constexpr (std::is_integral_v<T>) {
        if (a.row(i)[j] != b.row(i)[j]) return false;
      } else if (!bits::same(a.row(i)[j], b.row(i)[j])) {
        return false;
      }
  return true;
}

/// One mix's state, member by member.
template <class State>
bool same_mix(const State& a, const State& b) {
  bool same = true;
  if constexpr (requires { a.last_z; }) same = same && bits::same(a.last_z, b.last_z);
  if constexpr (requires { a.S; }) same = same && bits::same(a.S, b.S);
  if constexpr (requires { a.stored; }) same = same && same_rows(a.stored.k, b.stored.k) && same_rows(a.stored.v, b.stored.v);
  return same;
}

template <class Variant>
bool same_variant(const Variant& a, const Variant& b) {
  return a.index() == b.index() &&
         std::visit([&]<class State>(const State& state) { return same_mix(state, std::get<State>(b)); }, a);
}

/// Everything that a sequence carries.
template <class State>
bool same_state(const State& a, const State& b) {
  bool same = a.position == b.position && a.blocks.size() == b.blocks.size() && a.keys.size() == b.keys.size() &&
              a.keys.ids(0, a.keys.size()) == b.keys.ids(0, b.keys.size()) &&
              bits::same(a.keys.compressed(0, a.keys.size()), b.keys.compressed(0, b.keys.size()));
  for (std::size_t i = 0; same && i < a.blocks.size(); ++i)
    same = same_variant(a.blocks[i].time_mix, b.blocks[i].time_mix) &&
           same_variant(a.blocks[i].channel_mix, b.blocks[i].channel_mix);
  return same;
}

using Tokens = std::vector<int>;

std::span<const int> part(const Tokens& tokens, Index first, Index n) {
  return std::span(tokens).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(n));
}

/// A text and what a single forward pass over each of its prefixes gives.
template <class Scalar>
struct Truth {
  using State = typename gf::Model<Scalar>::State;
  const gf::Model<Scalar>& model;
  Tokens tokens;
  gf::Matrix<Scalar> logits;  // [T, V], of one pass over the whole text
  std::vector<State> states;  // after 0, 1, …, T tokens, taken one by one

  Truth(const gf::Model<Scalar>& m, Tokens text) : model(m), tokens(std::move(text)), states{m.initial_state()} {
    auto whole = model.initial_state();
    logits = model.forward({{tokens, &whole}});
    for (Index t = 0; t < size(); ++t) {
      states.push_back(states.back());
      steps_agree = steps_agree && bits::same(model.forward({{part(tokens, t, 1), &states.back()}}), logits.middleRows(t, 1));
    }
    steps_agree = steps_agree && same_state(states.back(), whole);
  }

  Index size() const { return static_cast<Index>(tokens.size()); }
  bool steps_agree = true;  // the steps give the logits of the whole pass, and its state

  /// What a call over n tokens from `first` on gave: its logits, or (last) only those of its last token, and the state after.
  bool agrees(Index first, Index n, const Eigen::Ref<const gf::Matrix<Scalar>>& result, const State& state, bool last) const {
    if (n > 0 && !bits::same(result, last ? logits.middleRows(first + n - 1, 1) : logits.middleRows(first, n))) return false;
    return same_state(state, states[static_cast<std::size_t>(first + n)]);
  }
};


template <class Scalar>
void check_chunks(const Truth<Scalar>& truth, std::initializer_list<Index> chunks) {
  for (const Index chunk : chunks) {
    INFO("chunks of " << chunk);
    auto state = truth.model.initial_state();
    bool same = true;
    for (Index t = 0; t < truth.size(); t += chunk) {
      const Index n = std::min(chunk, truth.size() - t);
      same = same && truth.agrees(t, n, truth.model.forward({{part(truth.tokens, t, n), &state}}), state, false);
    }
    CHECK(same);
  }
}

/// A session of calls: positive, pre-fill of so many tokens; negative, that many decode steps; until the text is used up.
template <class Scalar>
void check_session(const Truth<Scalar>& truth, std::initializer_list<Index> calls, Index chunk) {
  INFO("pre-fill in chunks of " << chunk);
  auto state = truth.model.initial_state();
  Index t = 0;
  bool same = true;
  while (t < truth.size())
    for (const Index call : calls) {
      if (t >= truth.size()) break;
      if (call < 0) {
        for (Index i = 0; i < -call && t < truth.size(); ++i, ++t)
          same = same && truth.agrees(t, 1, truth.model.forward({{part(truth.tokens, t, 1), &state}}), state, false);
      } else {
        const Index n = std::min(call, truth.size() - t);
        same = same && truth.agrees(t, n, truth.model.prefill({{part(truth.tokens, t, n), &state}}, chunk), state, true);
        t += n;
      }
    }
  CHECK(same);
}

/// Three texts in the same calls, which take lengths[call][i] tokens of text i, by forward or by pre-fill.
template <class Scalar>
void check_batch(const std::vector<Truth<Scalar>>& truths, const std::vector<std::array<Index, 3>>& lengths,
                 Index prefill_chunk) {
  std::vector<typename gf::Model<Scalar>::State> states(3, truths[0].model.initial_state());
  std::array<Index, 3> at{};
  bool same = true;
  for (const auto& n : lengths) {
    std::vector<typename gf::Model<Scalar>::Input> inputs;
    for (std::size_t i = 0; i < 3; ++i) inputs.push_back({part(truths[i].tokens, at[i], n[i]), &states[i]});
    const auto logits = prefill_chunk > 0 ? truths[0].model.prefill(inputs, prefill_chunk) : truths[0].model.forward(inputs);
    Index row = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const Index rows = prefill_chunk > 0 ? 1 : n[i];
      same = same && truths[i].agrees(at[i], n[i], logits.middleRows(row, rows), states[i], prefill_chunk > 0);
      row += rows, at[i] += n[i];
    }
  }
  CHECK(same);
}

/// The case's text, and two of other lengths made of it.
Tokens rotated(Tokens tokens, Index by, Index length) {
  std::rotate(tokens.begin(), tokens.begin() + by, tokens.end());
  tokens.resize(static_cast<std::size_t>(length));
  return tokens;
}

Tokens random_tokens(Index n, Index V) {
  bits::Random random(7);
  Tokens tokens;
  for (Index i = 0; i < n; ++i) tokens.push_back(static_cast<int>(random.below(V)));
  return tokens;
}

}  // namespace

TEMPLATE_TEST_CASE("Full pass, single steps and chunks of 2, 3, 7 and 16 give the same bits, on 1, 2 and 5 threads", "", float,
                   double) {
  for (const std::string name : golden::names) {
    INFO(name);
    const auto model = gf::load_model<TestType>(golden::weights(name));
    std::vector<Truth<TestType>> truths;
    threads::on_1_2_and_5([&] {
      truths.emplace_back(model, golden::tokens(name));
      CHECK(truths.back().steps_agree);
      check_chunks(truths[0], {2, 3, 7, 16});
      CHECK(bits::same(truths.back().logits, truths[0].logits));
      CHECK(same_state(truths.back().states.back(), truths[0].states.back()));
    });
  }
}

TEMPLATE_TEST_CASE("Pre-fill in any chunks at any point of a session leaves the bits of the full pass", "", float, double) {
  for (const std::string name : golden::names) {
    INFO(name);
    const auto model = gf::load_model<TestType>(golden::weights(name));
    const Truth<TestType> truth(model, golden::tokens(name));
    threads::on_1_2_and_5([&] {
      for (const Index chunk : {1, 2, 3, 5, 7, 16, 64}) {
        check_session(truth, {100}, chunk);
        check_session(truth, {5, -2, 1, 9, 2, -1, 4},
                      chunk);  // a prompt shorter than the 2 G + 1 rows that G GOLD layers look back
      }
      check_session(truth, {-3, 13, 6, -5, 3}, 4);
    });
  }
}

TEMPLATE_TEST_CASE("Three sequences of different lengths in one batch give the bits of each alone", "", float, double) {
  for (const std::string name : golden::names) {
    INFO(name);
    const auto model = gf::load_model<TestType>(golden::weights(name));
    const auto tokens = golden::tokens(name);
    const std::vector<Truth<TestType>> truths = {
        {model, rotated(tokens, 0, 20)}, {model, rotated(tokens, 5, 11)}, {model, rotated(tokens, 9, 17)}};
    threads::on_1_2_and_5([&] {
      check_batch(truths, {{20, 11, 17}}, 0);
      check_batch(truths, {{3, 0, 5}, {1, 4, 2}, {0, 0, 0}, {1, 1, 1}, {0, 3, 0}, {7, 1, 8}, {8, 2, 1}}, 0);
      check_batch(truths, {{3, 2, 6}, {1, 4, 1}, {16, 5, 10}}, 3);
      check_batch(truths, {{20, 11, 17}}, 512);
    });
  }
}

TEMPLATE_TEST_CASE("A copied state goes its own way and leaves the original as it was", "", float, double) {
  for (const std::string name : golden::names) {
    INFO(name);
    const auto model = gf::load_model<TestType>(golden::weights(name));
    const auto tokens = golden::tokens(name);
    const Index half = static_cast<Index>(tokens.size()) / 2, rest = static_cast<Index>(tokens.size()) - half;
    auto other = rotated(tokens, 0, half);
    for (Index t = 0; t < rest; ++t) other.push_back(tokens[static_cast<std::size_t>(half - 1 - t % half)]);
    const Truth<TestType> first(model, tokens), second(model, other);

    auto state = model.initial_state();
    model.forward({{part(tokens, 0, half), &state}});
    auto fork = state;
    bool same = true;
    for (Index t = half; t < half + rest; ++t) {  // in turns, so that either could spoil the other
      same = same && second.agrees(t, 1, model.forward({{part(other, t, 1), &fork}}), fork, false);
      same = same && first.agrees(t, 1, model.forward({{part(tokens, t, 1), &state}}), state, false);
    }
    CHECK(same);
  }
}

TEMPLATE_TEST_CASE("The bits are the same beyond 64 tokens, where pages, tiles and blocks of a context end", "", float, double) {
  for (const std::string name : {"goldfinch", "goldfinch_rope", "gptalpha_rope", "llama_rope"}) {
    INFO(name);
    const auto model = gf::load_model<TestType>(golden::weights(name));
    const Truth<TestType> truth(model, random_tokens(200, model.vocabulary_size()));
    CHECK(truth.steps_agree);
    check_chunks(truth, {63, 64, 65});
    check_session(truth, {64, -1, 62, -3, 100}, 50);
    check_session(truth, {200}, 64);
    threads::on_1_2_and_5([&] { check_chunks(truth, {200, 37}); });

    auto fork = truth.states[130];  // the third page is shared until now
    auto original = truth.states[130];
    model.forward({{part(truth.tokens, 0, 70), &fork}});
    CHECK(truth.agrees(130, 70, model.forward({{part(truth.tokens, 130, 70), &original}}), original, false));
  }
}

TEMPLATE_TEST_CASE("With weights in q8 the bits are the same as well, however a text is cut", "", float, double) {
  for (const std::string name : {"goldfinch", "goldfinch_r2_c8_h32", "finch", "llama_rope"}) {
    INFO(name);
    const auto model = gf::load_model<TestType>(golden::in_q8(golden::weights(name)));
    const Truth<TestType> truth(model, random_tokens(100, model.vocabulary_size()));
    CHECK(truth.steps_agree);
    const auto exact = gf::load_model<TestType>(golden::weights(name));
    auto state = exact.initial_state();
    CHECK(!bits::same(exact.forward(truth.tokens, state), truth.logits));  // it is in q8
    threads::on_1_2_and_5([&] {
      check_chunks(truth, {3, 16, 63});
      check_session(truth, {40, -3, 30, -1}, 16);
    });
  }
}

TEMPLATE_TEST_CASE("What GOLD layers remember of a context costs memory and saves time, and changes no bit", "", float, double) {
  for (const std::string name : {"goldfinch", "goldfinch_rope"})
    for (const auto format : {gf::KeyFormat::native, gf::KeyFormat::int4}) {
      INFO(name << ", " << gf::name_of(format));
      const auto load = [&](std::size_t memo_bytes) {
        return gf::load_model<TestType>(golden::weights(name), {}, false, {format, memo_bytes});
      };
      const auto forgetful = load(0);
      const Truth<TestType> truth(forgetful, random_tokens(150, forgetful.vocabulary_size()));
      CHECK(truth.steps_agree);
      check_session(truth, {70, -3, 60, 30}, 16);
      const auto page = static_cast<std::size_t>((forgetful.config().n_layer - forgetful.config().split()) * 128 * forgetful.dimensions().D) * sizeof(TestType);
      for (const std::size_t budget : {page / 8, page, 3 * page, std::size_t{1} << 30}) {
        INFO("a budget of " << static_cast<double>(budget) / static_cast<double>(page) << " pages");
        const auto model = load(budget);
        {
          auto state = model.initial_state();
          CHECK(truth.agrees(0, 150, model.prefill({{truth.tokens, &state}}), state, true));
          CHECK(model.memo_bytes() > 0);
          CHECK(model.memo_bytes() <= budget);
        }
        const Truth<TestType> remembering(model, truth.tokens);
        CHECK(remembering.steps_agree);
        CHECK(bits::same(remembering.logits, truth.logits));
        CHECK(same_state(remembering.states.back(), truth.states.back()));
        check_session(remembering, {70, -3, 60, 30}, 16);
      }
    }
}

TEMPLATE_TEST_CASE("Threads that share a model, and forks that share pages, do not disturb each other", "", float, double) {
  const auto model = gf::load_model<TestType>(golden::weights("goldfinch"));
  const Truth<TestType> truth(model, random_tokens(150, model.vocabulary_size()));
  auto start = model.initial_state();
  model.prefill({{part(truth.tokens, 0, 100), &start}});
  std::array<bool, 4> same{};
  std::vector<std::thread> threads;
  for (bool& result : same)
    threads.emplace_back([&truth, &result, fork = start]() mutable {
      result = true;
      for (Index t = 100; t < 150; ++t)
        result = result && truth.agrees(t, 1, truth.model.forward({{part(truth.tokens, t, 1), &fork}}), fork, false);
    });
  for (auto& thread : threads) thread.join();
  for (const bool result : same) CHECK(result);
}

TEST_CASE("A token out of range is refused before any state changes") {
  for (const std::string name : {"goldfinch", "llama_rope"}) {
    const auto model = gf::load_model<double>(golden::weights(name));
    const Tokens good = {1, 2, 3}, bad[] = {{4, 61}, {-1}};
    auto state = model.initial_state(), other = model.initial_state();
    model.forward({{good, &state}});
    const auto before = state;
    for (const Tokens& tokens : bad) {
      CHECK_THROWS_WITH(model.forward({{good, &other}, {tokens, &state}}),
                        Catch::Contains("out of range") && Catch::Contains("61 entries"));
      CHECK_THROWS_AS(model.prefill({{good, &other}, {tokens, &state}}), gf::Error);
      CHECK(same_state(state, before));
      CHECK(same_state(other, model.initial_state()));
    }
  }
}

TEST_CASE("Pre-fill of nothing is refused before any state changes, and a forward pass of nothing gives no rows") {
  const auto model = gf::load_model<double>(golden::weights("goldfinch"));
  auto state = model.initial_state(), other = model.initial_state();
  const Tokens some = {1, 2}, none;
  CHECK_THROWS_AS(model.prefill({{some, &other}, {none, &state}}), gf::Error);
  CHECK(same_state(other, model.initial_state()));
  const auto logits = model.forward({{none, &state}});
  CHECK(logits.rows() == 0);
  CHECK(logits.cols() == 61);
  CHECK(same_state(state, model.initial_state()));
  CHECK(model.forward({}).rows() == 0);
}
