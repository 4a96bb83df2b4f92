// The formulas of model/cost.hpp against a scalar that counts its multiplications.
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>

#include "bits.hpp"
#include "goldfinch/layers/fill.hpp"
#include "goldfinch/model/cost.hpp"
#include "goldfinch/model/model.hpp"

namespace counting {

struct Number {
  double x;
  static inline std::atomic<long> products = 0;
  explicit Number(double value = 0) : x(value) {}
  friend Number operator+(Number a, Number b) { return Number(a.x + b.x); }
  friend Number operator-(Number a, Number b) { return Number(a.x - b.x); }
  friend Number operator*(Number a, Number b) {
    products.fetch_add(1, std::memory_order_relaxed);
    return Number(a.x * b.x);
  }
  friend Number operator/(Number a, Number b) { return Number(a.x / b.x); }
  friend Number operator-(Number a) { return Number(-a.x); }
  friend bool operator<(Number a, Number b) { return a.x < b.x; }
  friend Number sqrt(Number a) { return Number(std::sqrt(a.x)); }
  friend Number exp(Number a) { return Number(std::exp(a.x)); }
  friend Number expm1(Number a) { return Number(std::expm1(a.x)); }
  friend Number log(Number a) { return Number(std::log(a.x)); }
  friend Number tanh(Number a) { return Number(std::tanh(a.x)); }
  friend Number sin(Number a) { return Number(std::sin(a.x)); }
  friend Number cos(Number a) { return Number(std::cos(a.x)); }
};

}  // namespace counting

template <>
struct Eigen::NumTraits<counting::Number> : Eigen::GenericNumTraits<counting::Number> {};

namespace gf = goldfinch;
using counting::Number;
using gf::Index;

namespace {

double counted() { return static_cast<double>(Number::products.exchange(0)); }

struct Case {
  std::string name;
  gf::Config config;
  gf::Dimensions n;
};

/// Small shapes of every kind of model and block, with odd ranks.
std::vector<Case> cases() {
  gf::Config base;
  base.vocab_size = 13, base.n_layer = 3, base.n_embd = 12, base.head_size = 4, base.kv_cache_compression_ratio = 5;
  std::vector<Case> all;
  const auto add = [&](const std::string& name, auto&& change) {
    gf::Config config = base;
    change(config);
    config.validate(name);
    gf::Dimensions n = config.dimensions();
    n.F = 21, n.F_swiglu = 19;
    n.mix_rank = 3, n.decay_rank = 5, n.value2_rank = 7, n.query_mix_rank = 2, n.kv_mix_rank = 5, n.key_rank = 3,
    n.value_rank = 1;
    all.push_back({name, config, n});
  };
  add("goldfinch", [](auto& c) { c.tmix2 = "gold"; });
  add("goldfinch, rotary, half of 5 layers",
      [](auto& c) { c.tmix2 = "gold", c.rope_base = 10000, c.n_layer = 5, c.inv_other_layer_ratio = 2; });
  add("GOLD layers only, with SwiGLU",
      [](auto& c) { c.tmix2 = "gold", c.cmix2 = "llama", c.n_layer = 2, c.inv_other_layer_ratio = 1; });
  add("finch + gold, ratio 1", [](auto& c) { c.tmix = "x060", c.tmix2 = "gold", c.kv_cache_compression_ratio = 1; });
  add("gptalpha + gold", [](auto& c) { c.tmix = "gptalpha", c.tmix2 = "gold"; });
  add("finch", [](auto& c) { c.tmix = "x060"; });
  add("finchc2", [](auto&) {});
  add("finchc2 without v2", [](auto& c) { c.use_v2 = false; });
  add("finchc2 without 1 - w", [](auto& c) { c.use_one_minus_w = false; });
  add("gptalpha", [](auto& c) { c.tmix = "gptalpha", c.rope_base = 10000; });
  add("llama", [](auto& c) { c.tmix = "llama", c.cmix = "llama", c.rope_base = 10000, c.head_size = 6; });
  add("finchc2 + gptalpha", [](auto& c) { c.tmix2 = "gptalpha"; });
  return all;
}

gf::Model<Number> model_of(const Case& c) {
  gf::Model<Number> model(c.config, c.n);
  bits::Random random(3);
  model.parameters([&](const std::string&, auto& member, const gf::Shape& shape, gf::Role role) {
    const auto numbers = random.matrix<double>(1, gf::element_count(shape), 0.5);
    gf::Fill<Number>{{gf::DType::f64, shape, reinterpret_cast<const std::byte*>(numbers.data())}}(member, role);
  });
  return model;
}

/// The multiplications of a pre-fill, chunk by chunk, and of its tail.
struct Prefill {
  std::vector<double> chunks;
  double tail;
};

Prefill prefill(const gf::Model<Number>& model, gf::Model<Number>::State& state, Index tokens, Index chunk) {
  const std::vector<int> ids(static_cast<std::size_t>(tokens), 1);
  Prefill result;
  counted();
  model.prefill({{ids, &state}}, chunk, [&](Index) { result.chunks.push_back(counted()); });
  result.tail = counted();
  return result;
}

double decode(const gf::Model<Number>& model, gf::Model<Number>::State& state) {
  const std::vector<int> id = {2};
  counted();
  model.forward({{id, &state}});
  return counted();
}

}  // namespace

TEST_CASE("Every multiplication of pre-fill, tail and decode is in the formulas") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const auto model = model_of(c);
    const gf::OperationCost cost(c.config, c.n);
    for (const Index T : {1, 2, 3, 4, 5, 6, 63, 64, 256, 257}) {
      const Index chunk = T % 2 == 0 ? 7 : 512;
      INFO("a prompt of " << T << ", in chunks of " << chunk);
      auto state = model.initial_state();
      const auto [chunks, tail] = prefill(model, state, T, chunk);
      double sum = 0, expected = 0;
      for (const double x : chunks) sum += x;
      for (Index t = 1; t <= T; ++t) expected += cost.prefill_token().at(t);
      CHECK(sum == expected);
      CHECK(tail == cost.prefill_tail(T, T));
      CHECK(decode(model, state) == cost.decode().at(T + 1));
      CHECK(prefill(model, state, 3, chunk).tail == cost.prefill_tail(3, T + 4));
    }
  }
}

TEST_CASE("COST.5 scoring costs what its formula says, whatever came before") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const auto model = model_of(c);
    const gf::OperationCost cost(c.config, c.n);
    auto state = model.initial_state();
    Index context = 0;
    for (const Index n : {1, 5, 64, 70}) {
      const std::vector<int> ids(static_cast<std::size_t>(n), 1);
      counted();
      model.forward({{ids, &state}});
      CHECK(counted() == cost.scoring(n, context += n));
    }
    CHECK(cost.scoring(1, 141) == cost.decode().at(141));
  }
}

TEST_CASE("Multiplications per pre-filled token of a GoldFinch do not depend on the context, the tail apart") {
  const Case c = cases()[0];
  const auto model = model_of(c);
  const gf::OperationCost cost(c.config, c.n);
  auto state = model.initial_state();
  const auto first = prefill(model, state, 512, 64);
  decode(model, state);
  const auto later = prefill(model, state, 128, 64);
  for (const double chunk : first.chunks) CHECK(chunk == first.chunks[0]);
  for (const double chunk : later.chunks) CHECK(chunk == first.chunks[0]);
  CHECK(first.chunks[0] == 64 * cost.prefill_token().fixed);
  CHECK(cost.prefill_token().slope() == 0);
}

TEST_CASE("Decode grows by an exact constant a token of context, and one a page of 64") {
  for (const std::size_t i : {0, 10}) {
    const Case c = cases()[i];
    INFO(c.name);
    const auto model = model_of(c);
    const gf::Growth cost = gf::OperationCost(c.config, c.n).decode();
    auto state = model.initial_state();
    double before = decode(model, state);
    for (Index t = 2; t <= 270; ++t) {
      const double now = decode(model, state);
      const double expected = cost.per_token + (t % 64 == 1 ? cost.per_tile : 0);
      if (now - before != expected) {
        INFO("at a context of " << t);
        CHECK(now - before == expected);
      }
      before = now;
    }
    CHECK(before == cost.at(270));
    CHECK(cost.slope() > 0);
  }
}

TEST_CASE("A Finch decodes at the same cost whatever came before") {
  for (const Case& c : cases())
    if (c.name == "finch" || c.name == "finchc2") CHECK(gf::OperationCost(c.config, c.n).decode().slope() == 0);
}

TEST_CASE("With everything remembered, decoding costs attention and the newest position only") {
  const Case c = cases()[1];
  const double D = 12, H = 3, G = 3;
  const gf::OperationCost cost(c.config, c.n);
  const gf::Growth all = cost.decode(gf::Remembered::everything), nothing = cost.decode();
  CHECK(all.per_token == G * (2 * D + H));
  CHECK(all.per_tile == G * (D + H));
  // The context's first token is rebuilt by all; besides, remembering has the row before it, and no half of an id to compute.
  const double R = static_cast<double>(c.n.R);
  CHECK(all.at(1) == nothing.at(1) + G * (3 * D + R * D + D) - G * D * D);
  const gf::Growth ids = cost.decode(gf::Remembered::ids);
  CHECK(ids.at(1) == nothing.at(1) - G * D * D);
  CHECK(ids.at(65) == nothing.at(65) - G * 66 * D * D);  // a row more, in front of the second page
}

TEST_CASE("Bytes: state, cache and weights are those of the objects") {
  for (Case c : cases())
    for (const Index V : {13, 70000}) {
      INFO(c.name << ", " << V << " tokens");
      c.n.V = c.config.vocab_size = V;
      gf::Model<double> model(c.config, c.n);
      const gf::ByteCost cost(c.config, c.n, {.matrix = 2, .scalar = sizeof(double)});
      auto state = model.initial_state();
      CHECK(cost.state() == static_cast<double>(state.state_bytes()));
      double cache = c.config.has_gold() ? static_cast<double>(state.keys.bytes_per_token()) : 0;
      for (const auto& block : state.blocks)
        std::visit(
            [&](const auto& mix) {
              if constexpr (requires { mix.stored; }) cache += static_cast<double>(mix.stored.bytes_per_token());
            },
            block.time_mix);
      CHECK(cost.cache_per_token() == cache);

      // A call reads all weights once but the embedding, of which it reads one row, and w_kv_cache_b, which GOLD layers read each.
      double weights = static_cast<double>(c.n.D) * 2;
      model.parameters([&]<class Member>(const std::string& name, Member&, const gf::Shape& shape, gf::Role role) {
        const double bytes = static_cast<double>(gf::element_count(shape)) * (std::is_same_v<Member, gf::Vector<double>> ? 8 : 2);
        if (role != gf::Role::embedding)
          weights += bytes * (name == "w_kv_cache_b.weight" ? static_cast<double>(c.config.n_layer - c.config.split()) : 1);
      });
      const bool gold = c.config.has_gold();
      const double G = gold ? static_cast<double>(c.config.n_layer - c.config.split()) : 0, D = static_cast<double>(c.n.D);
      const double key = gold ? static_cast<double>(state.keys.bytes_per_token()) : 0, stored = cache - key;
      CHECK(cost.decode().at(1) == weights + cost.state() + stored + G * (key + 2 * D));  // and a key and an embedding a GOLD layer
      CHECK(cost.decode(gf::Remembered::everything).per_token == 16.0 * D * G + cost.prefill_token(1).per_token);
    }
}
