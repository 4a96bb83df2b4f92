// The memo of expanded keys and values in a whole model: whatever its budget, the same bits; and its bytes are accounted for.
#include <array>
#include <catch2/catch.hpp>
#include <set>

#include "bits.hpp"
#include "model/golden.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

constexpr Index prompt = 186, length = 200;

std::vector<int> tokens_below(Index V) {
  bits::Random random(11);
  std::vector<int> tokens;
  for (Index t = 0; t < length; ++t) tokens.push_back(static_cast<int>(random.below(V)));
  return tokens;
}

template <class Scalar>
gf::Model<Scalar> load(gf::KeyFormat format, std::size_t budget) {
  return gf::load_model<Scalar>(golden::weights("goldfinch"), {}, false, {format, budget});
}

/// The bytes of a memo: an id's half of TC.2, a page's keys and values in every GOLD layer, and what it begins with.
template <class Scalar>
struct Bytes {
  std::size_t half, page, start;
  explicit Bytes(const gf::Model<Scalar>& model)
      : half(static_cast<std::size_t>(model.dimensions().D) * sizeof(Scalar)), page(static_cast<std::size_t>(model.config().n_layer - model.config().split()) * 128 * half),
        start(static_cast<std::size_t>(model.vocabulary_size()) * (sizeof(void*) + 1)) {}
};

std::size_t distinct(const std::vector<int>& tokens, Index n) { return std::set<int>(tokens.begin(), tokens.begin() + n).size(); }

template <class Scalar>
gf::Matrix<Scalar> step(const gf::Model<Scalar>& model, const std::vector<int>& tokens, Index t,
                        typename gf::Model<Scalar>::State& state) {
  return model.forward({{std::span(tokens).subspan(static_cast<std::size_t>(t), 1), &state}});
}

template <class Scalar>
gf::Matrix<Scalar> prefill(const gf::Model<Scalar>& model, const std::vector<int>& tokens, Index n,
                           typename gf::Model<Scalar>::State& state) {
  return model.prefill({{std::span(tokens).first(static_cast<std::size_t>(n)), &state}}, 48);
}

/// Logits after a prompt and after every token that follows it; the budget is kept at every step.
template <class Scalar>
gf::Matrix<Scalar> session(const gf::Model<Scalar>& model, const std::vector<int>& tokens, std::size_t budget) {
  auto state = model.initial_state();
  gf::Matrix<Scalar> logits(length - prompt + 1, model.vocabulary_size());
  logits.row(0) = prefill(model, tokens, prompt, state);
  bool within = true;
  for (Index t = prompt; t < length; ++t) {
    logits.row(t - prompt + 1) = step(model, tokens, t, state);
    within = within && model.memo_bytes() <= budget;
  }
  CHECK(within);
  return logits;
}

}  // namespace

TEMPLATE_TEST_CASE("Memo 0, small budgets and max give the same logits in every cache format", "", float, double) {
  for (const auto format : {gf::KeyFormat::native, gf::KeyFormat::bf16, gf::KeyFormat::int8, gf::KeyFormat::int4}) {
    INFO(gf::name_of(format));
    const auto forgetful = load<TestType>(format, 0);
    const auto tokens = tokens_below(forgetful.vocabulary_size());
    const auto expected = session(forgetful, tokens, 0);
    auto whole = forgetful.initial_state();
    CHECK(bits::same(forgetful.forward({{tokens, &whole}}).bottomRows(length - prompt + 1), expected));

    const Bytes bytes(forgetful);
    for (const std::size_t budget : {bytes.start, bytes.start + 20 * bytes.half, bytes.page, 2 * bytes.page, 4 * bytes.page, gf::unlimited_memory}) {
      INFO("a budget of " << budget);
      const auto model = load<TestType>(format, budget);
      CHECK(bits::same(session(model, tokens, budget), expected));
      CHECK(model.memo_bytes() <= bytes.start + distinct(tokens, length) * bytes.half);  // pages gave theirs back
    }
  }
}

TEMPLATE_TEST_CASE("With max, a memo holds a half for every id, and every GOLD layer's keys and values of every page", "", float, double) {
  const auto model = load<TestType>(gf::KeyFormat::native, gf::unlimited_memory);
  const auto tokens = tokens_below(model.vocabulary_size());
  const Bytes bytes(model);
  auto state = model.initial_state();
  CHECK(model.memo_bytes() == bytes.start);
  prefill(model, tokens, 64, state);
  CHECK(model.memo_bytes() == bytes.start + distinct(tokens, 64) * bytes.half + bytes.page);
  step(model, tokens, 64, state);
  CHECK(model.memo_bytes() == bytes.start + distinct(tokens, 65) * bytes.half + 2 * bytes.page);
  state = model.initial_state();
  CHECK(model.memo_bytes() == bytes.start + distinct(tokens, 65) * bytes.half);
}

TEMPLATE_TEST_CASE("Sequences that share pages are rebuilt together, and each has the bits of going alone", "", float, double) {
  for (const std::size_t budget : {std::size_t{0}, gf::unlimited_memory}) {
    const auto model = load<TestType>(gf::KeyFormat::native, budget);
    const auto tokens = tokens_below(model.vocabulary_size());
    auto first = model.initial_state();
    prefill(model, tokens, 150, first);
    auto second = first, third = model.initial_state();
    prefill(model, tokens, 70, third);
    auto alone = std::array{first, second, third};
    const std::array ids = {3, 5, 7};
    for (int i = 0; i < 20; ++i) {
      const auto together = model.forward({{std::span(&ids[0], 1), &first}, {std::span(&ids[1], 1), &second}, {std::span(&ids[2], 1), &third}});
      for (std::size_t j = 0; j < 3; ++j)
        if (!bits::same(together.row(static_cast<Index>(j)), model.forward({{std::span(&ids[j], 1), &alone[j]}}).row(0))) FAIL_CHECK("sequence " << j << ", step " << i);
    }
  }
}

TEMPLATE_TEST_CASE("Forks share the memo of their full pages, and both go on with the right bits", "", float, double) {
  for (const Index at : {64, 100, 128})
    for (const std::size_t pages : {std::size_t{2}, std::size_t{1} << 20}) {
      INFO("forked after " << at << " tokens, a budget of " << pages << " pages");
      const auto forgetful = load<TestType>(gf::KeyFormat::int8, 0);
      const auto tokens = tokens_below(forgetful.vocabulary_size());
      const Index end = at + 30;
      auto other = tokens;
      std::reverse(other.begin() + at, other.end());
      const Bytes bytes(forgetful);
      const std::size_t page = bytes.page, budget = pages * page;
      const auto model = load<TestType>(gf::KeyFormat::int8, budget);
      {
        auto first = model.initial_state();
        prefill(model, tokens, at, first);
        const std::size_t before = model.memo_bytes();
        CHECK(before > 0);
        {
          auto second = first;
          CHECK(model.memo_bytes() == before);
          auto truth = forgetful.initial_state();
          prefill(forgetful, tokens, at, truth);
          auto other_truth = truth;
          bool same = true, within = true;
          for (Index t = at; t < end; ++t) {  // in turns
            same = same && bits::same(step(model, tokens, t, first), step(forgetful, tokens, t, truth));
            same = same && bits::same(step(model, other, t, second), step(forgetful, other, t, other_truth));
            within = within && model.memo_bytes() <= budget;
          }
          CHECK(same);
          CHECK(within);
          const std::size_t all = static_cast<std::size_t>(end + 63) / 64, shared = static_cast<std::size_t>(at) / 64;
          std::set<int> ids(tokens.begin(), tokens.begin() + end);
          ids.insert(other.begin(), other.begin() + end);
          if (pages > 100) CHECK(model.memo_bytes() == bytes.start + ids.size() * bytes.half + (2 * all - shared) * page);
        }
        CHECK(model.memo_bytes() >= before);  // what the first fork holds is still there
        prefill(model, tokens, 1, first);
      }
      CHECK(model.memo_bytes() <= bytes.start + static_cast<std::size_t>(model.vocabulary_size()) * bytes.half);
    }
}

TEST_CASE("A model that is given nothing to remember with, or has no GOLD layers, remembers nothing") {
  const auto model = load<float>(gf::KeyFormat::native, 0);
  auto state = model.initial_state();
  prefill(model, tokens_below(model.vocabulary_size()), length, state);
  CHECK(model.memo_bytes() == 0);
  const auto llama =
      gf::load_model<float>(golden::weights("llama_rope"), {}, false, {gf::KeyFormat::native, gf::unlimited_memory});
  auto other = llama.initial_state();
  prefill(llama, tokens_below(llama.vocabulary_size()), length, other);
  CHECK(llama.memo_bytes() == 0);
}
