// The entrance of a model: states that are none of its own are refused before anything changes.
#include <limits>

#include "model/random_model.hpp"
#include "refused.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

using Model = gf::Model<float>;
using State = Model::State;

/// Both ways into a model refuse `bad` beside a good state, which is then as it was, and so is whatever stood in bad.
void refuses(const Model& model, State* bad, const std::string& words) {
  const auto tokens = random_model::tokens(70), next = random_model::tokens(3, 70);
  State good = model.initial_state();
  model.forward(tokens, good);
  State before = good;
  REFUSED(model.forward({{next, &good}, {next, bad}}), words);
  REFUSED(model.prefill({{next, bad}, {next, &good}}), words);
  CHECK(good.position == 70);
  CHECK(bits::same(model.forward(next, good), model.forward(next, before)));
}

}  // namespace

TEST_CASE("States that are null, default-constructed, moved from or there twice are refused") {
  for (const auto& config : {random_model::config(), random_model::config("gptalpha", ""), random_model::config("llama", "gold")}) {
    INFO(config.model_name());
    const auto model = random_model::make<float>(config);
    refuses(model, nullptr, "has no state (null)");
    State none;
    refuses(model, &none, "a state that was default-constructed or moved from");
    State state = model.initial_state();
    model.forward(random_model::tokens(70), state);
    const State moved = std::move(state);
    refuses(model, &state, "a state that was default-constructed or moved from");
    State twice = model.initial_state();
    const auto next = random_model::tokens(3);
    REFUSED(model.forward({{next, &twice}, {next, &twice}}), "sequences 0 and 1 of a call have the same state");
    REFUSED(model.prefill({{next, &twice}, {next, &twice}}), "sequences 0 and 1 of a call have the same state");
    CHECK(twice.position == 0);
  }
}

TEST_CASE("States of models of another shape, of other layers, or with another memo are refused") {
  const auto config = random_model::config();
  const auto model = random_model::make<float>(config);
  const auto foreign = [&](const gf::Config& other, const std::string& words, const gf::CacheSettings& cache = {}) {
    INFO(words);
    const auto of_another = random_model::make<float>(other, cache);
    State state = of_another.initial_state();
    of_another.forward(random_model::tokens(3), state);
    refuses(model, &state, "a state of another model: " + words);
    CHECK(state.position == 3);
  };
  auto other = config;
  other.n_layer = 6;
  foreign(other, "it has 6 blocks, the model 4");
  other = config, other.n_embd = 32, other.kv_cache_compression_ratio = 8;
  foreign(other, "last_z of a state has 32 numbers, expected 16");
  other = config, other.head_size = 4;
  foreign(other, "S of a state is [16, 4], expected [16, 8]");
  other = config, other.vocab_size = 60;
  foreign(other, "a key cache for 60 ids and keys of 4 numbers in native, expected 50 ids");
  other = config, other.kv_cache_compression_ratio = 8;
  foreign(other, "a key cache for 50 ids and keys of 2 numbers");
  foreign(random_model::config("gptalpha", "gold"), "a state of another kind of layer than x060c2");
  foreign(random_model::config("x060c2", "x060"), "a state of another kind of layer than gold");
  foreign(config, "a key cache for 50 ids and keys of 4 numbers in int8, expected", {gf::KeyFormat::int8, 1 << 20});
  foreign(config, "a key cache that is remembered by another model");  // equal in all but what its pages remember
  foreign(config, "a key cache that is remembered by another model", {gf::KeyFormat::native, 0});
  State state = model.initial_state();
  model.forward(random_model::tokens(3), state);
  state.position = 2;
  refuses(model, &state, "a key cache of 3 tokens, expected 2");
}

TEST_CASE("Two models of equal weights and one memo, as copies are, know each other's states") {
  const auto model = random_model::make<float>(random_model::config());
  const auto copy = model;
  State state = model.initial_state();
  CHECK_NOTHROW(copy.forward(random_model::tokens(3), state));
  CHECK_NOTHROW(model.forward(random_model::tokens(3), state));
}

TEST_CASE("The overloads for one sequence give what a call with one sequence gives") {
  const auto model = random_model::make<float>(random_model::config());
  State a = model.initial_state(), b = a;
  const auto prompt = random_model::tokens(30), next = random_model::tokens(1, 30);
  CHECK(bits::same(model.prefill(prompt, a, 7), model.prefill({{prompt, &b}}, 7)));
  CHECK(bits::same(model.forward(next, a), model.forward({{next, &b}})));
  CHECK(a.position == 31);
}

TEST_CASE("Progress counts the tokens of the longest sequence, and never more") {
  const auto model = random_model::make<float>(random_model::config());
  State a = model.initial_state(), b = a;
  const auto five = random_model::tokens(5), ten = random_model::tokens(10);
  std::vector<Index> heard;
  const auto hear = [&](Index done) { heard.push_back(done); };
  model.prefill({{five, &a}, {ten, &b}}, 4, hear);
  CHECK(heard == std::vector<Index>{4, 8, 10});
  heard.clear();
  model.prefill(five, a, 5, hear);
  model.prefill(five, a, Model::default_chunk, hear);
  model.prefill(five, a, std::numeric_limits<Index>::max(), hear);
  CHECK(heard == std::vector<Index>{5, 5, 5});
}

TEST_CASE("A model refuses settings that describe none, and sizes that are not its own") {
  const auto good = random_model::config();
  const auto refused = [](const gf::Config& config, const std::string& words) { REFUSED(Model(config, config.dimensions()), words); };
  auto c = good;
  c.head_size = 0, refused(c, "head_size is 0, expected a number above 0");
  c.head_size = 3, refused(c, "head_size is 3, which does not divide n_embd 16");
  c = good, c.tmix = "x070", refused(c, "tmix is \"x070\"");
  c = good, c.n_layer = -1, refused(c, "n_layer is -1");
  c = good, c.n_embd = std::numeric_limits<Index>::max(), refused(c, "expected a number above 0 and at most 2^40");
  c = good, c.dim_ffn = std::numeric_limits<Index>::max(), refused(c, "dim_ffn is");
  for (const double ratio : {1e-300, 17.0}) c = good, c.kv_cache_compression_ratio = ratio, refused(c, "leaves no room for a compressed key");
  for (const auto member : {&gf::Dimensions::V, &gf::Dimensions::D, &gf::Dimensions::N, &gf::Dimensions::R}) {
    auto n = good.dimensions();
    n.*member *= 2;
    REFUSED(Model(good, n), "its configuration says");
  }
  auto n = good.dimensions();
  n.mix_rank = -1;
  REFUSED(Model(good, n), "a width or a rank of a model is -1");
}
