// The least time that a token can take: its operations (model/cost.hpp, an addition to every product) at the speed of arithmetic in
// registers, or the bytes that it reads at the speed of memory, whichever is longer.
#pragma once

#include <algorithm>

#include "goldfinch/layers/expansion_memo.hpp"
#include "goldfinch/model/cost.hpp"

namespace limits {

using goldfinch::Index;

struct Work {
  double operations = 0, bytes = 0;

  double seconds_of_reading(double bytes_a_second) const { return bytes / bytes_a_second; }
  double seconds_of_arithmetic(double operations_a_second) const { return operations / operations_a_second; }
  double seconds(double bytes_a_second, double operations_a_second) const {
    return std::max(seconds_of_reading(bytes_a_second), seconds_of_arithmetic(operations_a_second));
  }
};

/// One more token at the end of a context of `context` tokens with `distinct` different ids, in float, where the memo holds `memo`
/// bytes: ids first, then positions (layers/expansion_memo.hpp). What is remembered of a part counts as that part.
inline Work decode_work(const goldfinch::Config& config, const goldfinch::Dimensions& n, const goldfinch::StoredIn& in, Index context, Index distinct, double memo) {
  using goldfinch::Remembered;
  double ids = 0, positions = 0;
  if (config.has_gold()) {
    const auto layers = static_cast<std::size_t>(config.n_layer - config.split());
    const auto bytes_for = [&](Index t) { return goldfinch::ExpansionMemo<float>::bytes_for(static_cast<double>(t), n.V, n.D, layers); };
    const double tables = bytes_for(0), halves = static_cast<double>(distinct * n.D) * sizeof(float);
    const double rows = static_cast<double>(context) * static_cast<double>(layers) * 2 * static_cast<double>(n.D) * sizeof(float);
    ids = std::clamp((memo - tables) / halves, 0.0, 1.0);
    positions = std::clamp((memo - tables - halves) / rows, 0.0, 1.0);
  }
  const auto mixed = [&](const auto& cost) {
    const auto at = [&](Remembered remembered) { return cost.decode(remembered).at(context); };
    if (!config.has_gold()) return at(Remembered::nothing);
    const double rebuilt = ids * at(Remembered::ids) + (1 - ids) * at(Remembered::nothing);
    return positions * at(Remembered::everything) + (1 - positions) * rebuilt;
  };
  return {2 * mixed(goldfinch::OperationCost(config, n)), mixed(goldfinch::ByteCost(config, n, in))};
}

/// A pre-fill of `tokens` tokens, alone, nothing remembered.
inline Work prefill_work(const goldfinch::Config& config, const goldfinch::Dimensions& n, const goldfinch::StoredIn& in, Index tokens, Index chunk) {
  const goldfinch::OperationCost operations(config, n);
  const goldfinch::ByteCost bytes(config, n, in);
  Work work{2 * operations.prefill_tail(tokens, tokens), bytes.prefill_tail(tokens)};
  const auto a_token = operations.prefill_token(), read = bytes.prefill_token(std::min(chunk, tokens));
  for (Index t = 1; t <= tokens; ++t) work.operations += 2 * a_token.at(t), work.bytes += read.at(t);
  return work;
}

}  // namespace limits
