#include "goldfinch/generate/sampler.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <numeric>

using namespace goldfinch;
using Catch::Contains;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The definition, by a full sort and one cut after the other. text: the prompt and what was drawn so far; counts: the latter.
int draw_plainly(std::vector<double> l, const SamplerSettings& s, const std::vector<int>& text, const std::map<int, double>& counts, Index index) {
  const std::size_t V = l.size();
  for (const auto& [token, bias] : s.logit_bias) l[static_cast<std::size_t>(token)] += bias;
  for (const int token : s.banned) l[static_cast<std::size_t>(token)] = -infinity;
  const std::size_t last = s.repeat_last_n < 0 ? text.size() : std::min(text.size(), static_cast<std::size_t>(s.repeat_last_n));
  for (std::size_t i = 0; i < V; ++i)
    if (std::find(text.end() - static_cast<std::ptrdiff_t>(last), text.end(), static_cast<int>(i)) != text.end()) {
      if (l[i] < 0) l[i] *= s.repeat_penalty;
      else l[i] /= s.repeat_penalty;
    }
  for (const auto& [token, count] : counts)
    l[static_cast<std::size_t>(token)] -= s.presence_penalty + s.frequency_penalty * count;
  const auto best = std::max_element(l.begin(), l.end());
  if (s.temperature == 0) return static_cast<int>(best - l.begin());

  const double max = *best;
  std::vector<double> p(V);
  for (std::size_t i = 0; i < V; ++i) p[i] = goldfinch::exp(l[i] - max);
  double sum = 0;
  for (std::size_t first = 0; first < V; first += 64) {
    double c = 0;
    for (std::size_t k = first; k < std::min(first + 64, V); ++k) c += p[k];
    sum += c;
  }
  for (double& x : p) x /= sum;

  std::vector<int> list(V);
  std::iota(list.begin(), list.end(), 0);
  const auto p_of = [&](int token) { return p[static_cast<std::size_t>(token)]; };
  const auto at = [&](std::size_t i) { return p_of(list[i]); };
  std::stable_sort(list.begin(), list.end(), [&](int a, int b) { return p_of(a) > p_of(b); });

  std::size_t k_cut = s.top_k > 0 ? std::min<std::size_t>(V, static_cast<std::size_t>(s.top_k)) : V, p_cut = V, min_cut = 0;
  if (s.top_p < 1) {
    double c = 0;
    for (std::size_t i = 0; i < V; ++i)
      if ((c += at(i)) >= s.top_p) {
        for (p_cut = i + 1; p_cut < V && at(p_cut) == at(i);) ++p_cut;
        break;
      }
  }
  while (min_cut < V && at(min_cut) >= s.min_p * at(0)) ++min_cut;
  list.resize(std::min({k_cut, p_cut, min_cut}));

  std::vector<double> w, sums;
  double total = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    w.push_back(s.temperature == 1 ? at(i) : goldfinch::exp(goldfinch::log(at(i)) / s.temperature));
    sums.push_back(total += w[i]);
  }
  const double u = static_cast<double>(RandomStream(s.seed, "sample").word(index) >> 11) * 0x1p-53;
  for (std::size_t i = 0; i < list.size(); ++i)
    if (sums[i] > u * total) return list[i];
  for (std::size_t i = list.size(); i > 0; --i)
    if (w[i - 1] > 0) return list[i - 1];
  return list[0];
}

/// Small integers over 8 give many ties.
std::vector<double> logits_of(const RandomStream& random, Index first, Index V, double scale, bool ties) {
  std::vector<double> l(static_cast<std::size_t>(V));
  random.normals(first, V, l.data());
  for (double& x : l) x = ties ? std::round(x * scale) / 8 : x * scale;
  return l;
}

}  // namespace

TEST_CASE("draws are those of a full sort with one cut after the other, for any settings") {
  const RandomStream random(11, "settings");
  Index next = 0;
  const auto u = [&] { return random.uniform(next++); };
  const auto one_of = [&](std::initializer_list<double> values) {
    return values.begin()[static_cast<std::size_t>(u() * static_cast<double>(values.size()))];
  };
  for (int trial = 0; trial < 400; ++trial) {
    SamplerSettings s;
    s.temperature = one_of({1, 1, 0, 0.7, 1.5, 0.001, 40});
    s.top_p = one_of({1, 1, 0.85, 0.3, 1e-9, 0.999999});
    s.top_k = static_cast<Index>(one_of({0, 0, 1, 2, 20, 100000}));
    s.min_p = one_of({0, 0, 0.05, 0.5, 0.999});
    s.presence_penalty = one_of({0, 0.25, -0.5});
    s.frequency_penalty = one_of({0, 0.25, 2});
    s.penalty_decay = one_of({0.996, 1, 0});
    s.seed = static_cast<std::uint64_t>(trial);
    const Index V = static_cast<Index>(one_of({1, 2, 63, 64, 65, 300, 2000}));
    s.repeat_penalty = one_of({1, 1, 1.3, 0.5, 10});
    s.repeat_last_n = static_cast<Index>(one_of({64, 0, 1, 5, -1}));
    for (int i = 0; i < 3 && V > 5; ++i) s.banned.push_back(static_cast<int>(u() * static_cast<double>(V)));
    for (int i = 0; i < 3 && V > 50; ++i) s.logit_bias.push_back({static_cast<int>(u() * static_cast<double>(V)), one_of({1.5, -3, 100})});
    std::vector<int> text;
    for (int i = 0; i < 6 && V > 64; ++i) text.push_back(static_cast<int>(u() * static_cast<double>(V)));
    std::vector<bool> light(static_cast<std::size_t>(V / 2));
    for (std::size_t i = 0; i < light.size(); ++i) light[i] = u() < 0.2;

    const double scale = one_of({0, 0.01, 1, 3, 30, 3000});
    const bool ties = u() < 0.5;
    Sampler sampler(s, light);
    sampler.read(text);
    std::map<int, double> counts;
    for (Index index = 0; index < 12; ++index) {
      auto l = logits_of(random, trial * 100000 + index * 4096, V, scale, ties);
      if (V > 10 && u() < 0.3) l[static_cast<std::size_t>(u() * static_cast<double>(V))] = -infinity;
      const int expected = draw_plainly(l, s, text, counts, index);
      CAPTURE(trial, index, V, s.temperature, s.top_p, s.top_k, s.min_p);
      REQUIRE(sampler.draw(l.data(), V) == expected);
      text.push_back(expected);
      for (auto& [token, count] : counts) count *= s.penalty_decay;
      const bool is_light = static_cast<std::size_t>(expected) < light.size() && light[static_cast<std::size_t>(expected)];
      counts[expected] += is_light ? 0 : 1;
    }
    REQUIRE(sampler.index() == 12);
    REQUIRE(sampler.counts().size() == counts.size());
    for (const auto& c : sampler.counts()) REQUIRE(counts.at(c.token) == c.count);
  }
}

TEST_CASE("a ranking is the full sort, ties by id, whatever the spread of the probabilities") {
  const RandomStream random(5, "ranking");
  for (const Index n : {Index{1}, Index{7}, Index{1000}, Index{20000}})
    for (int kind = 0; kind < 5; ++kind) {
      std::vector<double> p(static_cast<std::size_t>(n));
      for (Index i = 0; i < n; ++i) {
        const double x = random.normal(i);
        p[static_cast<std::size_t>(i)] = kind == 0   ? std::exp2(100 * x)
                                         : kind == 1 ? std::round(std::abs(x) * 4)          // many ties and zeros
                                         : kind == 2 ? 1 + std::round(x * 4) * 0x1p-52      // neighbours
                                         : kind == 3 ? (i == 3 ? 0x1p-1074 : 1 + x * x)     // one of them far below
                                                     : (i % 2 ? 0 : 0x1p-1074 * static_cast<double>(i));
      }
      std::vector<Ranked> expected, actual;
      for (Index i = 0; i < n; ++i)
        if (p[static_cast<std::size_t>(i)] > 0) expected.push_back({p[static_cast<std::size_t>(i)], static_cast<int>(i)});
      std::stable_sort(expected.begin(), expected.end(), [](const Ranked& a, const Ranked& b) { return a.p > b.p; });
      Ranking ranking;
      ranking.reset(p);
      for (auto group = ranking.next(); !group.empty(); group = ranking.next())
        actual.insert(actual.end(), group.begin(), group.end());
      CAPTURE(n, kind);
      REQUIRE(actual.size() == expected.size());
      bool same = true;
      for (std::size_t i = 0; i < actual.size(); ++i)
        same = same && actual[i].token == expected[i].token && actual[i].p == expected[i].p;
      REQUIRE(same);
    }
}

TEST_CASE("SMP.3 temperature 0 takes the lowest id among the largest logits, after bans and penalties") {
  SamplerSettings s;
  s.temperature = 0;
  const std::vector<float> l = {1, 3, 2, 3, -1};
  REQUIRE(Sampler(s).draw(l.data(), 5) == 1);
  s.banned = {1};
  REQUIRE(Sampler(s).draw(l.data(), 5) == 3);
  s.presence_penalty = 1.5;  // 3 falls to 1.5 once drawn, then 2 to 0.5, so 3 comes back
  Sampler sampler(s);
  REQUIRE(sampler.draw(l.data(), 5) == 3);
  REQUIRE(sampler.draw(l.data(), 5) == 2);
  REQUIRE(sampler.draw(l.data(), 5) == 3);
}

TEST_CASE("SMP.1 a bias is added to its token's logit, before bans and penalties") {
  SamplerSettings s;
  s.temperature = 0;
  const std::vector<float> l = {1, 3, 2};
  s.logit_bias = {{2, 1.5}};
  REQUIRE(Sampler(s).draw(l.data(), 3) == 2);
  s.logit_bias = {{2, 1.5}, {2, -0.75}};  // one after the other
  REQUIRE(Sampler(s).draw(l.data(), 3) == 1);
  s.logit_bias = {{2, 100}};
  s.banned = {2};
  REQUIRE(Sampler(s).draw(l.data(), 3) == 1);
}

TEST_CASE("SMP.2 the repetition penalty divides what is above 0 and multiplies what is below, once a token, over the last tokens") {
  SamplerSettings s;
  s.temperature = 0;
  s.repeat_penalty = 2;
  s.repeat_last_n = 3;
  const std::vector<double> l = {4, 3, -1, -1.5};
  const auto after = [&](std::vector<int> text) {
    Sampler sampler(s);
    sampler.read(text);
    return sampler.draw(l.data(), 4);
  };
  REQUIRE(after({}) == 0);
  REQUIRE(after({0}) == 1);           // 4 / 2 is below 3
  REQUIRE(after({0, 1}) == 0);        // 2 against 1.5
  REQUIRE(after({0, 0, 0, 1}) == 0);  // once: 2, not 4 / 8
  REQUIRE(after({0, 2, 2, 2}) == 0);  // too long ago
  s.repeat_last_n = -1;
  REQUIRE(after({0, 2, 2, 2}) == 1);
  s.repeat_last_n = 0;
  REQUIRE(after({0}) == 0);
  s.repeat_last_n = 64;
  s.banned = {0, 1};
  REQUIRE(after({2}) == 3);  // -2 against -1.5
  Sampler sampler(s);        // what is drawn is part of the text
  REQUIRE(sampler.draw(l.data(), 4) == 2);
  REQUIRE(sampler.draw(l.data(), 4) == 3);
}

TEST_CASE("SMP.4 ties at the cut of top_p stay, at the cut of top_k they do not") {
  const std::vector<double> l = {0, 0, 0, 0};  // 0.25 each
  SamplerSettings s;
  const auto drawn = [&] {
    std::vector<bool> seen(4);
    Sampler sampler(s);
    for (int i = 0; i < 200; ++i) seen[static_cast<std::size_t>(sampler.draw(l.data(), 4))] = true;
    return seen;
  };
  s.top_p = 0.3;
  REQUIRE(drawn() == std::vector<bool>{true, true, true, true});
  s.top_k = 2;
  REQUIRE(drawn() == std::vector<bool>{true, true, false, false});
}

TEST_CASE("SMP.5 the temperature acts after the cuts") {
  const std::vector<double> l = {std::log(0.6), std::log(0.3), std::log(0.1)};
  SamplerSettings s;
  s.top_p = 0.65;
  s.temperature = 100;  // flat, but over two tokens only
  Sampler sampler(s);
  int count[3] = {};
  for (int i = 0; i < 2000; ++i) ++count[sampler.draw(l.data(), 3)];
  REQUIRE(count[2] == 0);
  REQUIRE(std::abs(count[0] - 1000) < 100);
}

TEST_CASE("SMP.6 a temperature so low that every power underflows takes the most probable token") {
  const std::vector<double> l = {0, 0.5, 0.25};
  SamplerSettings s;
  s.temperature = 1e-6;
  REQUIRE(Sampler(s).draw(l.data(), 3) == 1);
  const std::vector<double> close = {0, 0x1p-1074};  // different logits, equal probabilities: the lower id comes first
  REQUIRE(Sampler(s).draw(close.data(), 2) == 0);
}

TEST_CASE("SMP.6 tokens come as often as their probability says") {
  const std::vector<double> l = {std::log(0.5), std::log(0.2), std::log(0.3)};
  Sampler sampler(SamplerSettings{});
  int count[3] = {};
  for (int i = 0; i < 20000; ++i) ++count[sampler.draw(l.data(), 3)];
  REQUIRE(std::abs(count[0] - 10000) < 300);
  REQUIRE(std::abs(count[1] - 4000) < 250);
}

TEST_CASE("SMP.7 counts decay with each drawn token, and light tokens are entered with nothing added") {
  SamplerSettings s;
  s.temperature = 0;
  s.penalty_decay = 0.5;
  Sampler sampler(s, {false, true});  // token 1 is light; token 2 lies beyond the list
  const auto say = [&](int token) {
    std::vector<float> l(3);
    l[static_cast<std::size_t>(token)] = 1;
    REQUIRE(sampler.draw(l.data(), 3) == token);
  };
  using Counts = std::vector<Sampler::Count>;
  say(2);
  REQUIRE(sampler.counts() == Counts{{2, 1}});
  say(1);
  REQUIRE(sampler.counts() == Counts{{1, 0}, {2, 0.5}});
  say(2);
  REQUIRE(sampler.counts() == Counts{{1, 0}, {2, 1.25}});
}

TEST_CASE("a resumed sampler draws what the first one would have drawn") {
  SamplerSettings s;
  s.presence_penalty = s.frequency_penalty = 0.3;
  s.seed = 99;
  const RandomStream random(1, "logits");
  Sampler first(s), second(s);
  const auto draw = [&](Sampler& sampler) {
    return sampler.draw(logits_of(random, sampler.index() * 50, 50, 1, false).data(), 50);
  };
  for (int i = 0; i < 20; ++i) draw(first);
  second.resume(first.index(), first.counts());
  for (int i = 0; i < 20; ++i) REQUIRE(draw(first) == draw(second));
}

TEST_CASE("settings out of range are refused by name, value and range") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [](auto&& change, const char* name) {
    SamplerSettings s;
    change(s);
    REQUIRE_THROWS_WITH(s.validate(), Contains(std::string(name) + " is ") && Contains(", expected "));
    REQUIRE_THROWS_AS(Sampler(s), Error);
  };
  for (const double x : {-0.1, nan, infinity}) refused([=](auto& s) { s.temperature = x; }, "temperature");
  for (const double x : {0.0, -1.0, 1.0001, nan}) refused([=](auto& s) { s.top_p = x; }, "top_p");
  refused([](auto& s) { s.top_k = -1; }, "top_k");
  for (const double x : {-0.1, 1.0, nan}) refused([=](auto& s) { s.min_p = x; }, "min_p");
  for (const double x : {infinity, nan}) refused([=](auto& s) { s.presence_penalty = x; }, "presence_penalty");
  for (const double x : {-infinity, nan}) refused([=](auto& s) { s.frequency_penalty = x; }, "frequency_penalty");
  for (const double x : {-0.1, 1.1, nan}) refused([=](auto& s) { s.penalty_decay = x; }, "penalty_decay");
  for (const double x : {0.0, -1.0, infinity, nan}) refused([=](auto& s) { s.repeat_penalty = x; }, "repeat_penalty");
  refused([](auto& s) { s.repeat_last_n = -2; }, "repeat_last_n");
  refused([](auto& s) { s.logit_bias = {{3, 1}, {-1, 1}}; }, "a token of logit_bias");
  for (const double x : {-infinity, nan}) refused([=](auto& s) { s.logit_bias = {{3, x}}; }, "a bias of logit_bias");
  refused([](auto& s) { s.banned = {3, -1}; }, "a banned token");
  REQUIRE_NOTHROW(SamplerSettings{}.validate());
}

TEST_CASE("logits that leave nothing to draw are refused, and nothing is counted") {
  SamplerSettings s;
  s.banned = {1};
  for (const double temperature : {0.0, 1.0}) {
    s.temperature = temperature;
    Sampler sampler(s);
    const std::vector<double> nan = {0, 0, std::nan("")}, huge = {0, 0, infinity}, none = {-infinity, 5, -infinity};
    const std::vector<double> short_one = {1};
    REQUIRE_THROWS_WITH(sampler.draw(nan.data(), 3), Contains("logit of token 2 is nan"));
    REQUIRE_THROWS_WITH(sampler.draw(huge.data(), 3), Contains("logit of token 2 is inf"));
    REQUIRE_THROWS_WITH(sampler.draw(none.data(), 3), Contains("no token can be sampled"));
    REQUIRE_THROWS_WITH(sampler.draw(short_one.data(), 1), Contains("token 1 is biased, banned or counted") && Contains("has 1 tokens"));
    REQUIRE(sampler.index() == 0);
    REQUIRE(sampler.counts().empty());
    REQUIRE(sampler.draw(std::vector<double>{-infinity, 5, -700}.data(), 3) == 2);
  }
  REQUIRE_THROWS_AS(Sampler(SamplerSettings{}).draw(static_cast<const double*>(nullptr), 0), Error);
}

TEST_CASE("a sampler state that no sampler could have is refused") {
  Sampler sampler(SamplerSettings{});
  REQUIRE_THROWS_WITH(sampler.resume(-1, {}), Contains("index is -1"));
  REQUIRE_THROWS_AS(sampler.resume(1, {{5, 1}, {5, 1}}), Error);
  REQUIRE_THROWS_AS(sampler.resume(1, {{-5, 1}}), Error);
  for (const double x : {std::nan(""), infinity, -1.0}) REQUIRE_THROWS_AS(sampler.resume(1, {{5, x}}), Error);
  REQUIRE(sampler.index() == 0);
}
