// Random weights under which every path of a model is active (docs/numerics.md, rule 14): a rule a tensor, by its name and shape.
//
//   number i = bfloat16 of (mean + scale * normal(i) / divisor)          in double; normal(i) of core/random.hpp
//
// Not the authors' initial weights, with which most low-rank maps multiply zeros.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "goldfinch/core/narrow.hpp"
#include "goldfinch/core/random.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct Distribution {
  double mean = 0, scale = 1, divisor = 1;
};

/// The rule for a tensor of this name ("blocks.3.att.time_maa_w1", or any end of it) and shape.
inline Distribution active_distribution(const std::string& name, const Shape& shape) {
  const std::string last = name.substr(name.rfind('.', name.ends_with(".weight") ? name.size() - 8 : std::string::npos) + 1);
  const auto starts = [&](const char* text) { return last.starts_with(text); };
  const auto root = [](Index n) { return std::sqrt(static_cast<double>(n)); };
  if (last.ends_with("bias")) return {0, 0.1, 1};
  if (starts("ln") || last == "weight") return {1, 0.1, 1};
  if (last.ends_with("_w1")) return {0, 1, root(shape[0])};
  if (last.ends_with("_w2")) return {0, 0.5, root(shape[shape.size() - 2])};
  if (starts("time_maa")) return {0.5, 0.3, 1};
  if (starts("time_decay")) return {-1.5, 2, 1};
  if (starts("time_faaaa")) return {0, 0.5, 1};
  if (starts("emb")) return {};
  return {0, 1, root(shape.back())};
}

/// Numbers first .. first + n - 1 of a tensor whose normals are `stream`'s: rounded to bfloat16 whatever they are stored in, so that
/// one seed is one model.
template <class Stored>
void random_numbers(const RandomStream& stream, const Distribution& d, Index first, Index n, Stored* to) {
  constexpr Index piece = 1024;
  float normals[piece];
  for (Index begin = 0; begin < n; begin += piece) {
    const Index count = std::min(piece, n - begin);
    stream.normals(first + begin, count, normals);
    for (Index i = 0; i < count; ++i) {
      const double x = d.mean + d.scale * static_cast<double>(normals[i]) / d.divisor;
      to[begin + i] = narrow<Stored>(static_cast<double>(widen(narrow<BFloat16>(x))));
    }
  }
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
