// The entrances of the layers: inputs, segments, states and caches that do not fit are refused before any state changes.
#include "bits.hpp"
#include "goldfinch/layers/fill.hpp"
#include "goldfinch/model/block.hpp"
#include "refused.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

using Rows = gf::Matrix<double>;

gf::Dimensions tiny() {
  gf::Dimensions n;
  n.V = 9, n.D = 12, n.N = 4, n.R = 2, n.F = 10, n.F_swiglu = 7;
  n.mix_rank = 3, n.decay_rank = 2, n.value2_rank = 5, n.query_mix_rank = 4, n.kv_mix_rank = 3, n.key_rank = 2, n.value_rank = 6;
  return n;
}

template <class Layer>
void fill(Layer& layer, const gf::Dimensions& n) {
  bits::Random random(3);
  layer.parameters(n, [&](const std::string&, auto& member, const gf::Shape& shape, gf::Role role) {
    const Rows numbers = random.matrix<double>(1, gf::element_count(shape));
    gf::Fill<double>(shape, {numbers.data(), static_cast<std::size_t>(numbers.size())})(member, role);
  });
}

/// Every member of a state as one row of numbers.
template <class State>
Rows numbers_of(const State& state) {
  std::vector<double> all;
  const auto put = [&](const auto& m) { all.insert(all.end(), m.data(), m.data() + m.size()); };
  if constexpr (requires { state.last_z; }) put(state.last_z);
  if constexpr (requires { state.S; }) put(state.S);
  if constexpr (requires { state.stored; }) put(state.stored.k.rows(0, state.stored.k.size())), put(state.stored.v.rows(0, state.stored.v.size()));
  return Eigen::Map<Rows>(all.data(), 1, static_cast<Index>(all.size()));
}

/// What every layer with a state refuses; forward(z, segments) calls it.
template <class Layer, class Forward>
void check_entrance(const Layer& layer, const gf::Dimensions& n, const std::string& kind, Forward&& forward) {
  using State = typename Layer::State;
  using Segments = gf::Segments<State>;
  const Rows z = bits::Random(5).matrix<double>(5, n.D);
  State a = layer.initial_state(n), b = layer.initial_state(n);
  forward(z, Segments{{0, 5, &a}});  // so that the state is no initial one
  const Rows before = numbers_of(a);
  for (const Index cols : {0, 11, 13, 24}) REFUSED(forward(Rows(5, cols), Segments{{0, 5, &a}}), kind + " has " + std::to_string(cols) + " columns, expected 12");
  REFUSED(forward(z, Segments{}), "the segments have 0 rows, expected the 5");
  REFUSED(forward(z, Segments{{0, 4, &a}}), "the segments have 4 rows, expected the 5");
  REFUSED(forward(z, Segments{{0, 6, &a}}), "segment 0 is 6 rows");
  REFUSED(forward(z, Segments{{0, 3, &a}, {2, 3, &b}}), "segment 1 is 3 rows from row 2 on");
  REFUSED(forward(z, Segments{{0, 3, &a}, {3, 2, nullptr}}), "sequence 1 of a call has no state (null)");
  REFUSED(forward(z, Segments{{0, 3, &a}, {3, 2, &a}}), "sequences 0 and 1 of a call have the same state");
  gf::Dimensions other = n;
  other.D = 16;
  b = layer.initial_state(other);
  REFUSED(forward(z, Segments{{0, 3, &a}, {3, 2, &b}}), "of a state ha");
  b = State();
  REFUSED(forward(z, Segments{{0, 3, &a}, {3, 2, &b}}), "of a state ha");
  if constexpr (requires { b.S; }) {
    other = n, other.N = 6;
    b = layer.initial_state(other);
    REFUSED(forward(z, Segments{{0, 3, &a}, {3, 2, &b}}), "S of a state is [12, 6], expected [12, 4]");
  }
  if constexpr (requires { b.stored; }) {
    b = layer.initial_state(n);
    b.stored.k.append(z.data());
    REFUSED(forward(z, Segments{{0, 3, &a}, {3, 2, &b}}), "stored 1 keys and 0 values");
  }
  CHECK(bits::same(numbers_of(a), before));
}

template <class Layer>
void check_layer(Layer layer, const gf::Dimensions& n) {
  fill(layer, n);
  check_entrance(layer, n, Layer::kind, [&](const Rows& z, const auto& segments) { return layer.forward(z, segments); });
  REFUSED(Layer(layer).forward(Rows(0, 13), {}), "13 columns");
}

}  // namespace

TEST_CASE("Time mixes and channel mixes refuse what does not fit, before their state changes") {
  const auto n = tiny();
  check_layer(gf::FinchTimeMix<double>(n, 8), n);
  check_layer(gf::FinchC2TimeMix<double>(n, true, true), n);
  check_layer(gf::FinchC2TimeMix<double>(n, false, false), n);
  check_layer(gf::GptAlphaAttention<double>(n, {10000, 1}), n);
  check_layer(gf::LlamaAttention<double>(n, {}), n);
  check_layer(gf::RwkvChannelMix<double>(), n);
  gf::SwiGlu<double> swiglu;
  fill(swiglu, n);
  REFUSED(swiglu.forward(Rows(5, 11), {}), "has 11 columns, expected 12");
}

TEST_CASE("A layer that was never filled, or has heads that do not divide its width, refuses its input") {
  auto n = tiny();
  auto state = gf::FinchC2TimeMix<double>(n, true, true).initial_state(n);
  REFUSED(gf::FinchC2TimeMix<double>(n, true, true).forward(Rows(1, 12), {{0, 1, &state}}), "has 12 columns, expected 0");
  n.N = 5;
  gf::FinchC2TimeMix<double> layer(n, true, true);
  fill(layer, tiny());
  REFUSED(layer.forward(Rows(1, 12), {{0, 1, &state}}), "x060c2 has 12 channels, which are no whole heads of 5");
}

TEST_CASE("GOLD refuses caches that are not there, too short, of other sizes, or of a memo that does not know the layer") {
  const auto n = tiny();
  gf::GoldAttention<double> layer(n, {});
  gf::Embedding<double> embedding;
  gf::TokenCat<double> token_cat;
  fill(layer, n), fill(embedding, n), fill(token_cat, n);
  const double c[4] = {1, 2, 3, 4};
  const auto cache_of = [&](Index R, Index tokens, std::shared_ptr<gf::ExpansionMemo<double>> memo = nullptr) {
    gf::KeyCache<double> cache(n.V, R, gf::KeyFormat::native, memo);
    for (Index t = 0; t < tokens; ++t) cache.append(static_cast<std::int32_t>(t % n.V), c);
    return cache;
  };
  const auto cache = cache_of(2, 30), fewer = cache_of(2, 1), wider = cache_of(4, 30);
  check_entrance(layer, n, "gold", [&](const Rows& z, const auto& segments) {
    return layer.forward(z, segments, {embedding, token_cat, std::vector<const gf::KeyCache<double>*>(segments.size(), &cache), 0, {}});
  });
  const Rows z = Rows::Constant(2, 12, 0.5);
  auto state = layer.initial_state(n);
  const auto forward = [&](const std::vector<const gf::KeyCache<double>*>& caches, std::size_t number = 0) {
    return layer.forward(z, {{0, 2, &state}}, {embedding, token_cat, caches, number, {}});
  };
  REFUSED(forward({}), "gold: 0 key caches for 1 segments");
  REFUSED(forward({&cache, &cache}), "gold: 2 key caches for 1 segments");
  REFUSED(forward({nullptr}), "its key cache is null");
  REFUSED(forward({&fewer}), "gold: segment 0 has 2 rows, its key cache 1 tokens");
  const auto last_z = state.last_z;
  REFUSED(forward({&wider}), "keys of 4 numbers, expected 9 ids and 2 numbers");
  const auto memo = std::make_shared<gf::ExpansionMemo<double>>(gf::unlimited_memory, n.V, n.D, 2), narrow = std::make_shared<gf::ExpansionMemo<double>>(gf::unlimited_memory, n.V, 8, 2);
  const auto remembered = cache_of(2, 30, memo), other = cache_of(2, 30, narrow);
  CHECK_NOTHROW(forward({&remembered}, 1));
  REFUSED(forward({&remembered}, 2), "gold: layer 2 of 2");
  state = layer.initial_state(n);
  REFUSED(forward({&other}, 0), "memo is for rows of 8 numbers, expected 12");
  CHECK(bits::same(state.last_z, last_z));  // refused before anything changed
}

TEST_CASE("A ddlerp refuses groups that it does not have and hidden layers of other widths") {
  const std::vector<gf::Weight> B(3, gf::Weight::in_out(Rows(Rows::Constant(2, 5, 1))));
  CHECK(gf::ddlerp_offset(Rows(Rows::Constant(4, 6, 1)), B, 2).cols() == 5);
  for (const Index group : {-1, 3}) REFUSED(gf::ddlerp_offset(Rows(Rows::Constant(4, 6, 1)), B, group), "groups of a ddlerp");
  for (const Index cols : {4, 5, 7}) REFUSED(gf::ddlerp_offset(Rows(Rows::Constant(4, cols, 1)), B, 0), "the hidden layer of a ddlerp has");
  std::vector<gf::Weight> uneven = B;
  uneven[1] = gf::Weight::in_out(Rows(Rows::Constant(4, 5, 1)));
  for (const Index group : {0, 1, 2}) REFUSED(gf::ddlerp_offset(Rows(Rows::Constant(4, 6, 1)), uneven, group), "ranks of 2 and 4");
}

TEST_CASE("An embedding refuses ids that it does not have") {
  const auto n = tiny();
  gf::Embedding<double> embedding;
  fill(embedding, n);
  const int ids[] = {0, 8, 9}, negative[] = {-1};
  CHECK(embedding.rows(ids, 2).rows() == 2);
  REFUSED(embedding.rows(ids, 3), "id 9 is out of range: the embedding has 9 rows");
  REFUSED(embedding.rows(negative, 1), "id -1 is out of range");
}

TEST_CASE("What a key cache was moved from is empty and usable; one that was made without sizes says so") {
  const float c[3] = {1, 2, 3};
  const auto memo = std::make_shared<gf::ExpansionMemo<float>>(gf::unlimited_memory, 100, 16, 1);
  for (const auto format : {gf::KeyFormat::native, gf::KeyFormat::int8})
    for (const int n : {1, 64, 70}) {
      gf::KeyCache<float> cache(100, 3, format, memo);
      for (int t = 0; t < n; ++t) cache.append(t, c);
      const auto moved = std::move(cache);
      CHECK(moved.size() == n);
      CHECK(cache.size() == 0);
      CHECK(cache.bytes() == 0);
      const auto copy = cache;
      cache.append(5, c);
      CHECK(cache.ids(0, 1) == std::vector<std::int32_t>{5});
      CHECK(bits::same(cache.compressed(0, 1), moved.compressed(0, 1)));
      CHECK(copy.size() == 0);
    }
  gf::KeyCache<float> none;
  REFUSED(none.append(0, c), "id 0 is out of range: the key cache is for 0 ids (it was made without sizes)");
  CHECK(none.size() == 0);
}

TEST_CASE("A key cache refuses ids and positions that do not exist") {
  gf::KeyCache<float> cache(100, 1, gf::KeyFormat::native);
  const float c = 1;
  for (const int id : {-1, 100, 65536}) REFUSED(cache.append(id, &c), "id " + std::to_string(id) + " is out of range: the key cache is for 100 ids");
  const std::byte row[2] = {std::byte{100}, std::byte{0}};
  REFUSED(cache.append_row(row, &c), "id 100 is out of range");
  cache.append(99, &c);
  REFUSED(cache.ids(0, 2), "2 tokens of a key cache from 0 on, but there are 1");
  REFUSED(cache.compressed(1, 1), "from 1 on, but there are 1");
  REFUSED(cache.memo(1), "tokens of a key cache from 1 on");
  REFUSED(cache.page(1), "tokens of a key cache from 1 on");
  REFUSED(gf::KeyCache<float>(cache, 2), "2 rows from 0 on, but there are 1");
  REFUSED(gf::KeyCache<float>(0, 1, gf::KeyFormat::native), "a key cache for 0 ids");
  REFUSED(gf::KeyCache<float>(10, -1, gf::KeyFormat::native), "-1 numbers");
  gf::ExpansionMemo<float> memo(gf::unlimited_memory, 10, 4, 1);
  for (const Index id : {-1, 10}) {
    REFUSED(memo.half(id), "ids of a memo");
    REFUSED(memo.expect(id), "ids of a memo");
  }
  REFUSED(gf::ExpansionMemo<float>(100, 10, 4, 0), "0 layers");
}
