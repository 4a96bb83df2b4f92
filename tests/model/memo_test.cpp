// The memo of expanded keys and values in a whole model: whatever its budget, the same bits; and its bytes are accounted for.
#include <catch2/catch.hpp>

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

/// The bytes of a memo of one page: keys that all layers share, and a layer's keys and values.
template <class Scalar>
std::size_t keys_bytes(const gf::Model<Scalar>& model) {
  return static_cast<std::size_t>(64 * model.dimensions().D) * sizeof(Scalar);
}

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

    const std::size_t keys = keys_bytes(forgetful);
    for (const std::size_t budget : {keys, 4 * keys, 12 * keys, gf::MemoBudget::unlimited}) {
      INFO("a budget of " << budget);
      const auto model = load<TestType>(format, budget);
      CHECK(bits::same(session(model, tokens, budget), expected));
      CHECK(model.memo_bytes() == 0);
    }
  }
}

TEMPLATE_TEST_CASE("With max, a memo holds keys, and every GOLD layer's keys and values, of every page", "", float, double) {
  const auto model = load<TestType>(gf::KeyFormat::native, gf::MemoBudget::unlimited);
  const auto tokens = tokens_below(model.vocabulary_size());
  const auto layers = static_cast<std::size_t>(model.config().n_layer - model.config().split());
  auto state = model.initial_state();
  CHECK(model.memo_bytes() == 0);
  prefill(model, tokens, 64, state);
  CHECK(model.memo_bytes() == keys_bytes(model) * (1 + 2 * layers));
  step(model, tokens, 64, state);
  CHECK(model.memo_bytes() == 2 * keys_bytes(model) * (1 + 2 * layers));
  state = model.initial_state();
  CHECK(model.memo_bytes() == 0);
}

TEMPLATE_TEST_CASE("Forks share the memo of their full pages, and both go on with the right bits", "", float, double) {
  for (const Index at : {64, 100, 128})
    for (const std::size_t pages : {std::size_t{5}, std::size_t{1} << 20}) {
      INFO("forked after " << at << " tokens, a budget of " << pages << " pages of keys");
      const auto forgetful = load<TestType>(gf::KeyFormat::int8, 0);
      const auto tokens = tokens_below(forgetful.vocabulary_size());
      const Index end = at + 30;
      auto other = tokens;
      std::reverse(other.begin() + at, other.end());
      const std::size_t page = keys_bytes(forgetful), budget = pages * page;
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
          const auto layers = static_cast<std::size_t>(model.config().n_layer - model.config().split());
          const std::size_t all = static_cast<std::size_t>(end + 63) / 64, shared = static_cast<std::size_t>(at) / 64;
          if (pages > 100) CHECK(model.memo_bytes() == (2 * all - shared) * page * (1 + 2 * layers));
        }
        CHECK(model.memo_bytes() >= before);  // what the first fork holds is still there
        prefill(model, tokens, 1, first);
      }
      CHECK(model.memo_bytes() == 0);
    }
}

TEST_CASE("A model that is given nothing to remember with, or has no GOLD layers, remembers nothing") {
  const auto model = load<float>(gf::KeyFormat::native, 0);
  auto state = model.initial_state();
  prefill(model, tokens_below(model.vocabulary_size()), length, state);
  CHECK(model.memo_bytes() == 0);
  const auto llama =
      gf::load_model<float>(golden::weights("llama_rope"), {}, false, {gf::KeyFormat::native, gf::MemoBudget::unlimited});
  auto other = llama.initial_state();
  prefill(llama, tokens_below(llama.vocabulary_size()), length, other);
  CHECK(llama.memo_bytes() == 0);
}
