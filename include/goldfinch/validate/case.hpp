// One reference case: an operator of the kit on inputs that anybody can make anew. Every number of an input is a bfloat16, made from
// integers by a rule that stands in the manifest:
//
//   normal     bfloat16 of (mean + scale * normal(i) / divisor)       integers   word(i) mod below
//   choice     values[word(i) mod their count]                        list       values[i mod their count]
//
// of the stream (1, "CASE/TENSOR") of core/random.hpp; i counts a tensor's numbers in row-major order. Settings (sizes, lengths,
// positions, ids) are stored as F64, tensors of the computation as BF16.
#pragma once

#include <algorithm>

#include "goldfinch/core/narrow.hpp"
#include "goldfinch/core/random.hpp"
#include "goldfinch/layers/random_weights.hpp"
#include "goldfinch/validate/operator.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// How the numbers of an input are made.
struct Recipe {
  enum class Kind { normal, integers, choice, list } kind = Kind::normal;
  Distribution distribution = {};
  double below = 0;
  std::vector<double> values = {};

  static Recipe normal(double mean, double scale) { return {Kind::normal, {mean, scale, 1}, 0, {}}; }
  static Recipe integers(double below) { return {Kind::integers, {}, below, {}}; }
  static Recipe choice(std::vector<double> values) { return {Kind::choice, {}, 0, std::move(values)}; }
  static Recipe list(std::vector<double> values) { return {Kind::list, {}, 0, std::move(values)}; }

  double number(const RandomStream& stream, Index i) const {
    const auto nth = [&](std::uint64_t n) { return values[static_cast<std::size_t>(n % values.size())]; };
    switch (kind) {
      case Kind::normal: return distribution.mean + distribution.scale * stream.normal(i) / distribution.divisor;
      case Kind::integers: return static_cast<double>(stream.word(i) % static_cast<std::uint64_t>(below));
      case Kind::choice: return nth(stream.word(i));
      case Kind::list: break;
    }
    return nth(static_cast<std::uint64_t>(i));
  }
};

inline constexpr std::uint64_t case_seed = 1;

struct Case {
  std::string name;   // "wkv6.strong_decay"
  std::string op;     // of the kit
  std::string purpose;
  std::vector<std::string> catches;       // mistakes, as flags
  std::map<std::string, Index> sizes;     // of the letters of the description
  std::map<std::string, Recipe> recipes;  // where not the usual one; naming an optional tensor includes it
  bool on_demand = false;                 // too large to keep: in the manifest, but written only when named

  std::string file(const std::string& kind) const { return kind + "s/" + name + ".safetensors"; }
};

/// "[D, 5 mix_rank]" as numbers.
inline Shape in_numbers(const std::string& shape, const std::map<std::string, Index>& sizes, const std::string& where) {
  Shape numbers;
  const auto size_of_letter = [&](const std::string& letter) {
    const auto found = sizes.find(letter);
    if (found == sizes.end()) fail(where, ": no size is given for the letter ", letter);
    return found->second;
  };
  std::istringstream terms(shape.substr(1, shape.size() - 2));
  for (std::string term; std::getline(terms, term, ',');) {
    std::istringstream words(term);
    Index size = 1;
    for (std::string word; words >> word;) {  // "5 mix_rank", "G rank", "D + R", "3", "T"
      if (word == "+") {
        words >> word;
        size += size_of_letter(word);
      } else {
        size *= word.find_first_not_of("0123456789") == std::string::npos ? std::stol(word) : size_of_letter(word);
      }
    }
    numbers.push_back(size);
  }
  return numbers;
}

/// One input of a case: where it comes from and what it is.
struct CaseInput {
  const TensorSpec* spec;
  Recipe recipe;
  Shape shape;
  DType dtype;
};

/// The inputs of a case, in the order of the description.
inline std::vector<CaseInput> inputs_of(const Case& c, const OperatorInfo& info) {
  std::vector<CaseInput> inputs;
  for (const auto& [name, recipe] : c.recipes)
    if (const TensorSpec* const spec = info.find(name); !spec || !spec->given()) fail(c.name, ": ", info.name, " takes no tensor ", name);
  for (const TensorSpec& spec : info.tensors) {
    const auto named = c.recipes.find(spec.name);
    if (!spec.given() || (spec.optional && named == c.recipes.end())) continue;
    const Shape shape = in_numbers(spec.shape, c.sizes, c.name + ": " + spec.name);
    Recipe recipe = Recipe::normal(0, 1);
    if (spec.role == TensorRole::weight) recipe.distribution = active_distribution(spec.name, shape);
    if (named != c.recipes.end()) recipe = named->second;
    inputs.push_back({&spec, recipe, shape, spec.exact ? DType::f64 : DType::bf16});
  }
  return inputs;
}

/// The inputs, made.
inline Checkpoint make_inputs(const Case& c, const OperatorInfo& info) {
  Checkpoint made;
  made.path = c.name;
  for (const CaseInput& in : inputs_of(c, info)) {
    const RandomStream stream(case_seed, c.name + "/" + in.spec->name);
    const auto count = static_cast<std::size_t>(element_count(in.shape));
    const auto bytes = std::make_shared<std::vector<std::byte>>(count * static_cast<std::size_t>(size_of(in.dtype)));
    dispatch(in.dtype, [&]<class Stored>(Stored*) {
      for (std::size_t i = 0; i < count; ++i) {
        const Stored x = narrow<Stored>(in.recipe.number(stream, static_cast<Index>(i)));
        std::memcpy(bytes->data() + i * sizeof x, &x, sizeof x);
      }
    });
    made.tensors[in.spec->name] = {in.dtype, in.shape, bytes->data()};
    made.storage.push_back(bytes);
  }
  return made;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
