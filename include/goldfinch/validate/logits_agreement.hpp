// How much two rows of logits agree as distributions: what matters of a model's output, and what no error of single numbers tells.
//
//   KL(e | g) = sum over v of p_v (log p_v - log q_v),    p = softmax(e), q = softmax(g), in nats, of each row
//   top-k       the share of the k most likely tokens that both have; where the k-th is tied with others, any of them counts as chosen
//               so that the two agree most (a tie broken otherwise is no disagreement)
//
// Rows with a NaN or an infinity are left out.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include "goldfinch/core/parallel.hpp"
#include "goldfinch/math/functions.hpp"
#include "goldfinch/validate/array.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct LogitsAgreement {
  static constexpr std::array<Index, 3> k = {1, 5, 10};

  Index rows = 0;                   // that were compared
  double kl_mean = 0, kl_max = 0;   // nats
  Index kl_max_at = -1;             // row
  std::array<double, k.size()> top{};  // mean agreement of the top k, 0 to 1
};

/// Both [V].
inline double kl_divergence(const std::vector<double>& e, const std::vector<double>& g) {
  const auto log_sum = [](const std::vector<double>& x, double most) {
    double s = 0;
    for (const double v : x) s += goldfinch::exp(v - most);
    return most + goldfinch::log(s);
  };
  const double e_log = log_sum(e, *std::max_element(e.begin(), e.end())), g_log = log_sum(g, *std::max_element(g.begin(), g.end()));
  double kl = 0;
  for (std::size_t v = 0; v < e.size(); ++v) kl += goldfinch::exp(e[v] - e_log) * ((e[v] - e_log) - (g[v] - g_log));
  return std::max(kl, 0.0);  // rounding may take it below
}

/// Both [V], 1 <= k <= V.
inline double top_agreement(const std::vector<double>& e, const std::vector<double>& g, Index k) {
  const auto kth = [&](std::vector<double> x) {
    std::nth_element(x.begin(), x.begin() + (k - 1), x.end(), std::greater<>());
    return x[static_cast<std::size_t>(k - 1)];
  };
  const double e_cut = kth(e), g_cut = kth(g);
  Index both = 0, e_only_tied = 0, g_only_tied = 0, tied = 0;  // above both cuts; above one, tied at the other; tied at both
  Index e_places = k, g_places = k;                            // left for tokens at the cut
  for (std::size_t v = 0; v < e.size(); ++v) {
    const bool e_above = e[v] > e_cut, g_above = g[v] > g_cut, e_tied = e[v] == e_cut, g_tied = g[v] == g_cut;
    e_places -= e_above, g_places -= g_above;
    both += e_above && g_above, e_only_tied += e_tied && g_above, g_only_tied += e_above && g_tied, tied += e_tied && g_tied;
  }
  const Index by_e = std::min(e_only_tied, e_places), by_g = std::min(g_only_tied, g_places);
  const Index by_both = std::min({tied, e_places - by_e, g_places - by_g});
  return static_cast<double>(both + by_e + by_g + by_both) / static_cast<double>(k);
}

/// Both [rows, V], of equal shapes.
inline LogitsAgreement logits_agreement(const Array& expected, const Array& got) {
  const Index V = expected.shape.back(), rows = V > 0 ? expected.count() / V : 0;
  struct Row {
    bool finite = false;
    double kl = 0;
    std::array<double, LogitsAgreement::k.size()> top{};
  };
  std::vector<Row> all(static_cast<std::size_t>(rows));
  parallel_for(rows, 1, [&](Index begin, Index end) {
    std::vector<double> e(static_cast<std::size_t>(V)), g(e.size());
    for (Index r = begin; r < end; ++r) {
      expected.read(r * V, V, e.data());
      got.read(r * V, V, g.data());
      Row& row = all[static_cast<std::size_t>(r)];
      const auto finite = [](double x) { return std::isfinite(x); };
      row.finite = std::all_of(e.begin(), e.end(), finite) && std::all_of(g.begin(), g.end(), finite);
      if (!row.finite) continue;
      row.kl = kl_divergence(e, g);
      for (std::size_t i = 0; i < row.top.size(); ++i) row.top[i] = top_agreement(e, g, std::min(LogitsAgreement::k[i], V));
    }
  });
  LogitsAgreement result;
  for (Index r = 0; r < rows; ++r) {
    const Row& row = all[static_cast<std::size_t>(r)];
    if (!row.finite) continue;
    ++result.rows;
    result.kl_mean += row.kl;
    if (result.kl_max_at < 0 || row.kl > result.kl_max) result.kl_max = row.kl, result.kl_max_at = r;
    for (std::size_t i = 0; i < row.top.size(); ++i) result.top[i] += row.top[i];
  }
  const auto n = static_cast<double>(std::max<Index>(result.rows, 1));
  result.kl_mean /= n;
  for (double& top : result.top) top /= n;
  return result;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
