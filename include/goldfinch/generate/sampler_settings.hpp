// What a sampler (generate/sampler.hpp) is set to.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "goldfinch/core/error.hpp"
#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What is added to the logit of a token.
struct LogitBias {
  int token;
  double bias;
  bool operator==(const LogitBias&) const = default;
};

struct SamplerSettings {
  double temperature = 1;
  double top_p = 1;
  Index top_k = 0;
  double min_p = 0;
  double presence_penalty = 0;
  double frequency_penalty = 0;
  double penalty_decay = 0.996;
  double repeat_penalty = 1;  // 1: none
  Index repeat_last_n = 64;   // -1: the whole text
  std::uint64_t seed = 0;
  std::vector<LogitBias> logit_bias;
  std::vector<int> banned;

  /// Throws Error naming the first setting out of its range.
  void validate() const {
    const auto require = [](bool holds, const char* name, const auto& value, const char* range) {
      if (!holds) fail(name, " is ", value, ", expected ", range);
    };
    require(temperature >= 0 && std::isfinite(temperature), "temperature", temperature, "a finite number, 0 or more");
    require(top_p > 0 && top_p <= 1, "top_p", top_p, "more than 0 and at most 1");
    require(top_k >= 0, "top_k", top_k, "0 (off) or more");
    require(min_p >= 0 && min_p < 1, "min_p", min_p, "0 or more and less than 1");
    require(std::isfinite(presence_penalty), "presence_penalty", presence_penalty, "a finite number");
    require(std::isfinite(frequency_penalty), "frequency_penalty", frequency_penalty, "a finite number");
    require(penalty_decay >= 0 && penalty_decay <= 1, "penalty_decay", penalty_decay, "0 to 1");
    require(repeat_penalty > 0 && std::isfinite(repeat_penalty), "repeat_penalty", repeat_penalty, "a finite number above 0");
    require(repeat_last_n >= -1, "repeat_last_n", repeat_last_n, "-1 (the whole text) or more");
    for (const auto& [token, bias] : logit_bias) {
      require(token >= 0, "a token of logit_bias", token, "0 or more");
      require(std::isfinite(bias), "a bias of logit_bias", bias, "a finite number");
    }
    for (const int token : banned) require(token >= 0, "a banned token", token, "0 or more");
  }
};

/// Calls visit(key, member) for every setting that is one number; member is a pointer into SamplerSettings.
template <class Visitor>
void visit_settings(Visitor&& visit) {
  visit("temperature", &SamplerSettings::temperature);
  visit("top_p", &SamplerSettings::top_p);
  visit("top_k", &SamplerSettings::top_k);
  visit("min_p", &SamplerSettings::min_p);
  visit("presence_penalty", &SamplerSettings::presence_penalty);
  visit("frequency_penalty", &SamplerSettings::frequency_penalty);
  visit("penalty_decay", &SamplerSettings::penalty_decay);
  visit("repeat_penalty", &SamplerSettings::repeat_penalty);
  visit("repeat_last_n", &SamplerSettings::repeat_last_n);
  visit("seed", &SamplerSettings::seed);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
