// From logits to the next token (docs/numerics.md, rule 11). All in double, whatever the logits are.
//
//   SMP.1   l[i] = logit[i];  l[i] = l[i] + bias for each of logit_bias, in their order;  banned tokens: l[i] = -inf
//   SMP.2   l[i] = l[i] > 0 ? l[i] / repeat_penalty : l[i] * repeat_penalty     for each token among the last repeat_last_n of the
//                                                                               text, its prompt included, once; not at 1
//           l[i] = l[i] - (presence_penalty + frequency_penalty * count[i])     for each token that has been drawn so far
//   SMP.3   e[i] = exp(l[i] - max l);  p[i] = e[i] / sum e                      temperature 0 ends here: the lowest id of max l
//   SMP.4   list = the tokens by p descending, then id ascending, up to the first one that fails one of
//             top_k   it is among the first top_k                               0: any number
//             top_p   the sum of p before it is less than top_p,                1: any sum
//                     or it ties with the token before it
//             min_p   its p is at least min_p * the largest
//   SMP.5   w[i] = p[i]^(1/T) = exp(log(p[i]) / T);  p[i] itself at T = 1       the temperature acts after the cuts
//   SMP.6   the first token of the list at which the sum of w exceeds u * total, u = uniform(index) of stream (seed, "sample");
//           where rounding leaves none, the last with w > 0; where all w are 0 (T near 0), the first
//   SMP.7   count[i] *= penalty_decay for all, then count[drawn] += 1, or 0 if it is a light token (blanks and digits)
//
// The sum of the softmax is by rule 2; sums along the list are plain sequential, in its order. Tokens with p = 0 are
// never drawn, and their place in the list changes nothing. Prompt tokens are not counted. The repetition penalty is
// llama.cpp's, and with repeat_last_n = -1 (the whole text) that of Hugging Face's transformers. What a session needs
// to go on where it stopped: settings, index, counts, and the tokens of its text for SMP.2. A draw depends on nothing
// else.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "goldfinch/core/random.hpp"
#include "goldfinch/generate/ranking.hpp"
#include "goldfinch/generate/recent_tokens.hpp"
#include "goldfinch/generate/sampler_settings.hpp"
#include "goldfinch/math/functions.hpp"
#include "goldfinch/math/sum.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class Sampler {
 public:
  /// How often a token has been drawn, decayed. One that is listed with 0 has been drawn, too: presence counts.
  struct Count {
    int token;
    double count;
    bool operator==(const Count&) const = default;
  };

  /// light_tokens[i]: token i's bytes are a substring of " \t0123456789", so that the frequency penalty leaves it
  /// alone. Tokens beyond the end are not light. Throws Error for settings out of range.
  explicit Sampler(SamplerSettings settings, std::vector<bool> light_tokens = {})
      : settings_(std::move(settings)), light_(std::move(light_tokens)), stream_(settings_.seed, "sample"), recent_(settings_.repeat_last_n) {
    settings_.validate();
  }

  /// The tokens of the text so far, which the repetition penalty looks at: of its prompt, or of all that a session has
  /// seen. Those that are drawn are added by themselves.
  void read(std::span<const int> tokens) {
    for (const int token : tokens) recent_.push(token);
  }

  const SamplerSettings& settings() const { return settings_; }
  Index index() const { return index_; }                        // tokens drawn so far
  const std::vector<Count>& counts() const { return counts_; }  // by token ascending

  /// Goes on after `index` drawn tokens with these counts. Throws Error where counts() could not have returned them.
  void resume(Index index, std::vector<Count> counts) {
    constexpr Index most = Index{1} << 53;  // far from where counting on overflows
    if (index < 0 || index > most) fail("sampler state: index is ", index, ", expected 0 to ", most);
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i].token < 0 || (i > 0 && counts[i].token <= counts[i - 1].token) || !std::isfinite(counts[i].count) ||
          counts[i].count < 0)
        fail("sampler state: penalty count ", i, " is ", counts[i].count, " for token ", counts[i].token,
             ", expected tokens ascending and finite counts of 0 or more");
    index_ = index;
    counts_ = std::move(counts);
  }

  /// Throws Error if a setting or a count is about a token that is not below V.
  void check_vocabulary(Index V) const {
    const auto check = [&](int token, const char* what) {
      if (token >= V) fail("token ", token, " is ", what, ", but the vocabulary has ", V, " tokens");
    };
    for (const auto& bias : settings_.logit_bias) check(bias.token, "in logit_bias");
    for (const int token : settings_.banned) check(token, "banned");
    for (const Count& count : counts_) check(count.token, "counted by the sampler");
  }

  /// Draws token number index() from logits [V] and counts it. Throws Error, and counts nothing, where a logit is NaN
  /// or infinity, where no token is possible, or where a banned or counted token is not below V.
  template <class Scalar>
  int draw(const Scalar* logits, Index V) {
    p_.resize(static_cast<std::size_t>(V));
    for (Index i = 0; i < V; ++i) p_[static_cast<std::size_t>(i)] = static_cast<double>(logits[i]);
    for (const auto& [token, bias] : settings_.logit_bias) at(token) = at(token) + bias;  // SMP.1
    for (const int token : settings_.banned) at(token) = -std::numeric_limits<double>::infinity();
    if (settings_.repeat_penalty != 1)  // SMP.2
      for (const auto& [token, times] : recent_.times()) {
        double& l = at(token);
        l = l > 0 ? l / settings_.repeat_penalty : l * settings_.repeat_penalty;
      }
    for (const auto& [token, count] : counts_)
      at(token) = at(token) - (settings_.presence_penalty + settings_.frequency_penalty * count);
    const int best = largest();
    const int token = settings_.temperature == 0 ? best : pick(at(best));
    enter(token);
    recent_.push(token);
    ++index_;
    return token;
  }

 private:
  double& at(int token) {
    if (static_cast<std::size_t>(token) >= p_.size())
      fail("token ", token, " is biased, banned or counted by the sampler, but the vocabulary has ", p_.size(), " tokens");
    return p_[static_cast<std::size_t>(token)];
  }

  int largest() const {
    std::size_t best = 0;
    for (std::size_t i = 0; i < p_.size(); ++i) {
      if (!(p_[i] < std::numeric_limits<double>::infinity())) fail("logit of token ", i, " is ", p_[i], ", expected a number");
      if (p_[i] > p_[best]) best = i;
    }
    if (p_.empty() || std::isinf(p_[best])) fail("no token can be sampled: every one is banned or has logit -inf");
    return static_cast<int>(best);
  }

  int pick(double max) {
    softmax(max);                      // SMP.3
    cut();                             // SMP.4
    if (settings_.temperature != 1) {  // SMP.5
      const Index n = static_cast<Index>(w_.size());
      log(w_.data(), w_.data(), n);
      for (double& x : w_) x = x / settings_.temperature;
      exp(w_.data(), w_.data(), n);
    }
    double total = 0, sum = 0;
    for (const double w : w_) total = total + w;
    const double threshold = stream_.uniform(index_) * total;
    int token = kept_.front();
    for (std::size_t i = 0; i < w_.size() && !(sum > threshold); ++i) {  // SMP.6
      if (w_[i] > 0) token = kept_[i];
      sum = sum + w_[i];
    }
    return token;
  }

  void softmax(double max) {
    for (double& x : p_) x = x - max;
    const Index V = static_cast<Index>(p_.size());
    exp(p_.data(), p_.data(), V);
    const double sum = blocked_sum<double>(V, [&](Index i) { return p_[static_cast<std::size_t>(i)]; });
    for (double& x : p_) x = x / sum;
  }

  void cut() {
    kept_.clear();
    w_.clear();
    double floor = 0, sum = 0;  // floor: the smallest p still kept, by min_p, then that of the token that reaches top_p
    ranking_.reset(p_);
    for (auto group = ranking_.next(); !group.empty(); group = ranking_.next())
      for (const Ranked& t : group) {
        if (kept_.empty()) floor = settings_.min_p * t.p;
        if (t.p < floor || (settings_.top_k > 0 && static_cast<Index>(kept_.size()) == settings_.top_k)) return;
        kept_.push_back(t.token);
        w_.push_back(t.p);
        sum = sum + t.p;
        if (settings_.top_p < 1 && sum >= settings_.top_p) floor = t.p;
      }
  }

  void enter(int token) {  // SMP.7
    for (Count& c : counts_) c.count = c.count * settings_.penalty_decay;
    auto place = std::lower_bound(counts_.begin(), counts_.end(), token, [](const Count& c, int t) { return c.token < t; });
    if (place == counts_.end() || place->token != token) place = counts_.insert(place, {token, 0.0});
    const auto i = static_cast<std::size_t>(token);
    if (i >= light_.size() || !light_[i]) place->count += 1;
  }

  SamplerSettings settings_;
  std::vector<bool> light_;
  RandomStream stream_;
  Index index_ = 0;
  std::vector<Count> counts_;
  RecentTokens recent_;

  std::vector<double> p_;  // scratch of a draw: logits, then probabilities, [V]
  std::vector<int> kept_;  // the list of SMP.4...
  std::vector<double> w_;  // ...and its probabilities, then weights
  Ranking ranking_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
