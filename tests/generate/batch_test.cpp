// Whatever shares a batch with a sequence, and whenever others join and leave: the same tokens and the same bits of logits as alone.
#include "goldfinch/generate/batch.hpp"

#include <catch2/catch.hpp>

#include <map>

#include "bits.hpp"
#include "model/golden.hpp"
#include "threads.hpp"

namespace gf = goldfinch;

namespace {

using Logits = std::vector<gf::Matrix<double>>;  // [1, V] each

/// An engine that keeps every row of logits that it gives, and counts its calls.
class Recorder : public gf::ModelEngine<float> {
 public:
  using gf::ModelEngine<float>::ModelEngine;

  gf::Matrix<double> forward(const std::vector<Step>& steps, gf::TraceSink<double>* sink = nullptr) const override {
    ++forwards;
    return keep(steps, ModelEngine::forward(steps, sink));
  }
  gf::Matrix<double> prefill(const std::vector<Step>& steps, gf::Index chunk, const gf::Progress& progress) const override {
    ++prefills;
    return keep(steps, ModelEngine::prefill(steps, chunk, progress));
  }

  mutable std::vector<Logits> logits;  // of the sequences, in the order in which they were started; Batch asks for one row a call
  mutable int forwards = 0, prefills = 0;

 private:
  std::unique_ptr<Sequence> start_with_zeros() const override {
    auto sequence = ModelEngine::start_with_zeros();
    order_[sequence.get()] = logits.size();
    logits.emplace_back();
    return sequence;
  }

  gf::Matrix<double> keep(const std::vector<Step>& steps, gf::Matrix<double> rows) const {
    for (std::size_t i = 0; i < steps.size(); ++i) logits[order_.at(steps[i].sequence)].push_back(rows.row(static_cast<gf::Index>(i)));
    return rows;
  }

  mutable std::map<const Sequence*, std::size_t> order_;  // an address that comes again is a new sequence
};

/// Prompts of 1 to 150 tokens, across the borders of pages, with samplers of every kind, for texts of 1 to 40 tokens.
struct Wanted {
  std::vector<int> prompt;
  gf::SamplerSettings settings;
  std::size_t count;
};

std::vector<Wanted> some_prompts(std::size_t n, gf::Index V) {
  bits::Random random;
  std::vector<Wanted> all(n);
  for (std::size_t i = 0; i < n; ++i) {
    auto& [prompt, settings, count] = all[i];
    const gf::Index length = i % 4 == 0 ? 60 + random.below(91) : 1 + random.below(20);
    for (gf::Index t = 0; t < length; ++t) prompt.push_back(static_cast<int>(random.below(V)));
    settings.seed = i;
    settings.temperature = i % 3 == 0 ? 0 : 0.5 + 0.25 * static_cast<double>(i % 5);
    settings.top_p = i % 4 == 1 ? 0.9 : 1;
    settings.presence_penalty = i % 5 == 2 ? 0.5 : 0;
    settings.frequency_penalty = i % 6 == 3 ? 0.25 : 0;
    count = 1 + static_cast<std::size_t>(random.below(40));
  }
  return all;
}

/// What became of one prompt.
struct Outcome {
  std::vector<int> tokens;
  Logits logits;  // that the tokens were drawn from
};

/// One token after another through Engine::forward, the prompt in one piece.
Outcome alone(const gf::ModelEngine<float>& engine, const Wanted& wanted) {
  Outcome outcome;
  gf::Sampler sampler(wanted.settings);
  const auto sequence = engine.start();
  gf::Matrix<double> logits = engine.ModelEngine::forward({{wanted.prompt, sequence.get()}}, nullptr).bottomRows(1);
  while (true) {
    outcome.logits.push_back(logits);
    outcome.tokens.push_back(sampler.draw(logits.data(), logits.cols()));
    if (outcome.tokens.size() == wanted.count) return outcome;
    logits = engine.ModelEngine::forward({{std::span(&outcome.tokens.back(), 1), sequence.get()}}, nullptr);
  }
}

std::vector<Outcome> alone(const gf::ModelEngine<float>& engine, const std::vector<Wanted>& all) {
  std::vector<Outcome> outcomes;
  for (const Wanted& wanted : all) outcomes.push_back(alone(engine, wanted));
  return outcomes;
}

/// All through one batch; before each step, how_many(free rows) of the waiting prompts join.
template <class HowMany>
std::vector<Outcome> together(const Recorder& engine, const std::vector<Wanted>& all, std::size_t rows, HowMany&& how_many) {
  std::vector<Outcome> outcomes(all.size());
  const std::size_t first = engine.logits.size();
  gf::Batch batch(engine, rows);
  for (std::size_t next = 0;;) {
    std::vector<gf::Batch::Request> joining;
    for (std::size_t n = std::min(how_many(batch.free_rows()), all.size() - next); n > 0; --n, ++next)
      joining.push_back({next, all[next].prompt, gf::Sampler(all[next].settings)});
    batch.join(std::move(joining));
    REQUIRE(batch.size() <= rows);
    if (batch.size() == 0 && next == all.size()) break;
    batch.step([&](std::size_t i, int token) {
      outcomes[i].tokens.push_back(token);
      return outcomes[i].tokens.size() < all[i].count;
    });
  }
  for (std::size_t i = 0; i < all.size(); ++i) outcomes[i].logits = engine.logits[first + i];
  return outcomes;
}

void check_same(const std::vector<Outcome>& a, const std::vector<Outcome>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO("sequence " << i);
    CHECK(a[i].tokens == b[i].tokens);
    REQUIRE(a[i].logits.size() == b[i].logits.size());
    for (std::size_t t = 0; t < a[i].logits.size(); ++t) REQUIRE(bits::same(a[i].logits[t], b[i].logits[t]));
  }
}

gf::Model<float> golden_model() { return gf::load_model<float>(golden::weights("goldfinch")); }

const auto fill_up = [](std::size_t free_rows) { return free_rows; };

}  // namespace

TEST_CASE("Batch: a sequence gets the tokens and the bits that it gets alone, in batches of 1, 2, 5 and 32") {
  for (const char* name : {"goldfinch", "finchc2_gptalpha"}) {
    const Recorder engine(gf::load_model<float>(golden::weights(name)));
    const auto all = some_prompts(40, engine.dimensions().V);
    const auto expected = alone(engine, all);
    for (const std::size_t rows : {1, 2, 5, 32}) {
      INFO(name << ", " << rows << " rows");
      check_same(together(engine, all, rows, fill_up), expected);
    }
  }
}

TEST_CASE("Batch: a sequence gets the same whenever others join and leave, on any number of threads, whatever the memo holds") {
  const auto checkpoint = gf::open_checkpoint(GOLDFINCH_DEMO_DIR "/goldfinch-demo.safetensors");
  for (const std::size_t memo : {std::size_t{0}, std::size_t{1} << 18}) {
    const Recorder engine(gf::load_model<float>(checkpoint, {}, false, {gf::KeyFormat::native, memo}));
    const auto all = some_prompts(24, engine.dimensions().V);
    const auto expected = alone(engine, all);
    bits::Random random(7);
    threads::on_1_2_and_5([&] {
      const auto some = [&](std::size_t free_rows) {
        return random.word() % 4 ? 0 : static_cast<std::size_t>(random.below(static_cast<gf::Index>(free_rows) + 1));
      };
      check_same(together(engine, all, 8, some), expected);
    });
  }
}

TEST_CASE("Batch: one call a step serves all sequences, and one all that join") {
  const Recorder engine(golden_model());
  auto all = some_prompts(12, engine.dimensions().V);
  for (Wanted& wanted : all) wanted.count = 10;
  together(engine, all, 6, fill_up);
  CHECK(engine.prefills == 2);
  CHECK(engine.forwards == 2 * 9);  // the last token of a text is not evaluated
}

TEST_CASE("Batch: what cannot join is refused, and the batch goes on") {
  const gf::ModelEngine<float> engine(golden_model());
  const int V = static_cast<int>(engine.dimensions().V);
  gf::Batch batch(engine, 2);
  const auto join = [&](std::vector<int> prompt, std::size_t times = 1) {
    std::vector<gf::Batch::Request> requests(times, {7, std::move(prompt), gf::Sampler({})});
    batch.join(std::move(requests));
  };
  join({1, 2, 3});
  CHECK_THROWS_WITH(join({4}, 2), "2 sequences join a batch with room for 1");
  CHECK_THROWS_WITH(join({}), Catch::Contains("without tokens"));
  CHECK_THROWS_WITH(join({1, V}), Catch::Contains("out of range"));
  CHECK_THROWS_AS(batch.join({{3, {1}, gf::Sampler({})}}, [](gf::Index) { throw 1; }), int);
  CHECK(batch.size() == 1);
  CHECK(batch.free_rows() == 1);
  CHECK(batch.state_bytes() == engine.start()->state_bytes());

  const auto expected = alone(engine, {{1, 2, 3}, {}, 5});
  std::vector<int> tokens;
  while (batch.size() > 0)
    batch.step([&](std::size_t id, int token) {
      CHECK(id == 7);
      tokens.push_back(token);
      return tokens.size() < 5;
    });
  CHECK(tokens == expected.tokens);
}

TEST_CASE("Batch: a sequence whose sampler cannot draw leaves alone, at its first token or later") {
  const gf::ModelEngine<float> engine(golden_model());
  const int V = static_cast<int>(engine.dimensions().V);
  const auto expected = alone(engine, {{1, 2, 3}, {}, 5});
  gf::SamplerSettings nothing, one;
  for (int token = 0; token < V; ++token) nothing.banned.push_back(token);
  one.repeat_penalty = std::numeric_limits<double>::max();  // the token that it allows has a logit of -inf once it was drawn
  one.temperature = 0;
  one.logit_bias = {{5, -1e9}};
  for (int token = 0; token < V; ++token)
    if (token != 5) one.banned.push_back(token);
  for (const bool default_step : {false, true}) {
    gf::Batch batch(engine, 3);
    batch.join({{3, {1}, gf::Sampler(nothing)}, {7, {1, 2, 3}, gf::Sampler({})}, {8, {1}, gf::Sampler(one)}});
    CHECK(batch.size() == 3);
    std::vector<int> tokens;
    std::map<std::size_t, std::string> errors;
    const auto take = [&](std::size_t id, int token) {
      if (id == 7) tokens.push_back(token);
      return id != 7 || tokens.size() < 5;
    };
    const auto failed = [&](std::size_t id, const std::string& why) { errors[id] = why; };
    while (batch.size() > 0) {
      if (!default_step) batch.step(take, failed);
      else try {
          batch.step(take);
        } catch (const gf::Error& error) {
          errors[std::string(error.what()).starts_with("sequence 3: ") ? 3 : 8] = error.what();
        }
    }
    CHECK(tokens == expected.tokens);
    CHECK(errors.size() == 2);
    CHECK_THAT(errors[3], Catch::Contains("no token can be sampled"));
    CHECK_THAT(errors[8], Catch::Contains("no token can be sampled"));
  }
}

TEST_CASE("Batch: after an exception from a callback the others go on, each token handed over once") {
  const gf::ModelEngine<float> engine(golden_model());
  const auto all = some_prompts(6, engine.dimensions().V);
  const auto expected = alone(engine, all);
  gf::Batch batch(engine, 6);
  std::vector<gf::Batch::Request> requests;
  for (std::size_t i = 0; i < all.size(); ++i) requests.push_back({i, all[i].prompt, gf::Sampler(all[i].settings)});
  batch.join(std::move(requests));
  std::vector<std::vector<int>> tokens(all.size());
  int thrown = 0;
  for (int call = 0; batch.size() > 0; ++call) {
    try {
      batch.step([&](std::size_t i, int token) {
        if (i == 4 && call == 2) throw std::bad_alloc();
        tokens[i].push_back(token);
        return tokens[i].size() < all[i].count;
      });
    } catch (const std::bad_alloc&) {
      ++thrown;
    }
  }
  CHECK(thrown == 1);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i == 4) CHECK(tokens[i].size() <= 2);
    else CHECK(tokens[i] == expected[i].tokens);
  }
}

TEST_CASE("Batch: where the evaluation fails, every later call says that the sequences are lost") {
  class Failing : public gf::ModelEngine<float> {
   public:
    using gf::ModelEngine<float>::ModelEngine;
    gf::Matrix<double> forward(const std::vector<Step>&, gf::TraceSink<double>*) const override { throw std::bad_alloc(); }
  };
  const Failing engine(golden_model());
  gf::Batch batch(engine, 2);
  const auto go_on = [](std::size_t, int) { return true; };
  batch.step(go_on);  // of nothing
  batch.join({{1, {1}, gf::Sampler({})}});
  CHECK_THROWS_AS(batch.step(go_on), std::bad_alloc);
  CHECK_THROWS_WITH(batch.step(go_on), Catch::Contains("were lost"));
  CHECK_THROWS_WITH(batch.join({{2, {1}, gf::Sampler({})}}), Catch::Contains("were lost"));
}

TEST_CASE("Batch: the repetition penalty sees the prompt") {
  const gf::ModelEngine<float> engine(golden_model());
  gf::SamplerSettings settings;
  settings.temperature = 0;
  gf::Batch plain(engine, 1), penalised(engine, 1);
  const auto first = [](gf::Batch& batch) {
    int drawn = -1;
    batch.step([&](std::size_t, int token) {
      drawn = token;
      return false;
    });
    return drawn;
  };
  plain.join({{0, {1}, gf::Sampler(settings)}});
  const int token = first(plain);
  settings.repeat_penalty = 1e6;
  settings.logit_bias = {{token, 1000}};  // far above 0, so that dividing takes it away
  penalised.join({{0, {1}, gf::Sampler(settings)}});
  CHECK(first(penalised) == token);
  gf::Batch read(engine, 1);
  const auto alone_logits = engine.forward({{std::vector<int>{token}, engine.start().get()}}, nullptr);
  read.join({{0, {token}, gf::Sampler(settings)}});
  int expected = 0;
  for (int i = 0; i < alone_logits.cols(); ++i) {
    const auto l = [&](int t) { return t == token ? (alone_logits(0, t) + 1000) / 1e6 : alone_logits(0, t); };
    if (l(i) > l(expected)) expected = i;
  }
  CHECK(first(read) == expected);
}
