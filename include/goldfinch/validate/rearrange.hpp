// Layouts in the notation of einops.rearrange: one line says which axis goes where, and nothing is moved.
//
//   "h v k -> h k v"                  a state kept the other way round
//   "(g r) D -> D (g r)"  with g = 5  the five groups of a low-rank map, stored [out, in]
//   "g D -> 1 1 D"        taking g: 1    one row of a table
//
// Left of the arrow every dimension of the tensor is an axis, or in brackets several of which all but one have a known size; on the
// right the same axes appear in any order, in any brackets. Dimensions of 1 are written as 1. An axis may be taken in another order,
// or one place of it alone, and then it does not appear on the right.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/validate/array.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct Rearrangement {
  std::string pattern;                             // "" : as it is
  std::map<std::string, Index> sizes = {};         // of axes that the shape does not tell
  std::map<std::string, std::vector<Index>> take = {};  // places along an axis, in order; a single one removes the axis
};

namespace rearrange_detail {

using Side = std::vector<std::vector<std::string>>;  // the axes of each dimension, outermost first; a dimension of 1 has none

/// "(g r) D 1": what is in brackets is one dimension.
inline Side parse_side(const std::string& pattern, std::string_view text) {
  Side side;
  bool open = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == ' ') {
      ++at;
    } else if ((c == '(') != open && (c == '(' || c == ')')) {
      open = c == '(';
      if (open) side.emplace_back();
      ++at;
    } else {
      const std::size_t end = std::min(text.find_first_of(" ()", at), text.size());
      const std::string name(text.substr(at, end - at));
      if (end == at) fail("the pattern ", in_quotes(pattern), " has a bracket too many");
      if (!open) side.emplace_back();
      if (name != "1") side.back().push_back(name);
      at = end;
    }
  }
  if (open) fail("the pattern ", in_quotes(pattern), " has a bracket that does not close");
  return side;
}

}  // namespace rearrange_detail

/// Both sides of a pattern. Throws Error if it is malformed.
inline std::pair<rearrange_detail::Side, rearrange_detail::Side> parse_sides(const std::string& pattern) {
  const std::size_t arrow = pattern.find("->");
  if (arrow == std::string::npos) fail("the pattern ", in_quotes(pattern), " has no arrow ->");
  const std::string_view text(pattern);
  return {rearrange_detail::parse_side(pattern, text.substr(0, arrow)), rearrange_detail::parse_side(pattern, text.substr(arrow + 2))};
}

/// Throws Error if no tensor could fit: an axis twice, on one side alone, or taken without being there; two axes of one dimension whose
/// sizes nobody tells.
inline void check_rearrangement(const Rearrangement& how) {
  const auto [from, to] = parse_sides(how.pattern);
  std::map<std::string, int> left, right;
  const auto says = [&](const std::string& axis, const char* what) { fail("the pattern ", in_quotes(how.pattern), what, in_quotes(axis)); };
  for (const auto& dimension : from) {
    Index unknown = 0;
    for (const auto& name : dimension) {
      if (++left[name] > 1) says(name, " has twice the axis ");
      if (!how.sizes.count(name) && ++unknown > 1) says(name, " has, in one dimension with another axis of unknown size, the axis ");
    }
  }
  for (const auto& dimension : to)
    for (const auto& name : dimension) {
      if (++right[name] > 1) says(name, " has twice the axis ");
      if (!left.count(name)) says(name, " has on the right alone the axis ");
      if (const auto taken = how.take.find(name); taken != how.take.end() && taken->second.size() == 1) says(name, " has on the right, though one place of it is taken, the axis ");
    }
  for (const auto& [name, size] : how.sizes) {
    if (!left.count(name)) says(name, ", of which a size is given, has no axis ");
    if (size < 1 || size > largest_dimension) says(name, " has a size below 1, or one that no tensor has, of the axis ");
  }
  for (const auto& [name, places] : how.take) {
    if (!left.count(name)) says(name, ", of which places are taken, has no axis ");
    if (places.empty() || std::any_of(places.begin(), places.end(), [](Index place) { return place < 0; })) says(name, " takes no place, or one below 0, of the axis ");
  }
  for (const auto& [name, times] : left)
    if (const auto taken = how.take.find(name); !right.count(name) && (taken == how.take.end() || taken->second.size() != 1)) says(name, " loses the axis ");
}

/// The view rearranged. Throws Error if the pattern is malformed or the tensor does not fit it.
inline Array rearrange(const Array& x, const Rearrangement& how) {
  if (how.pattern.empty()) return x;
  const auto [from, to] = parse_sides(how.pattern);
  if (from.size() != x.shape.size() || x.axes.size() != x.shape.size())
    fail("shape ", to_string(x.shape), " does not fit the pattern ", in_quotes(how.pattern));

  std::map<std::string, Array::Axis> axes;
  Shape parts;
  for (std::size_t d = 0; d < from.size(); ++d) {
    const auto misfit = [&] { fail("shape ", to_string(x.shape), " does not fit the pattern ", in_quotes(how.pattern)); };
    Index rest = x.shape[d], unknown = 0;  // rest: what the axes of known sizes leave to the one of unknown size
    for (const auto& name : from[d]) {
      const auto known = how.sizes.find(name);
      if (known == how.sizes.end()) ++unknown;
      else if (known->second < 1 || rest % known->second != 0) misfit();
      else rest /= known->second;
    }
    if (unknown > 1 || (unknown == 0 && rest != 1)) misfit();
    Index stride = x.axes[d].stride;
    for (auto name = from[d].rbegin(); name != from[d].rend(); ++name) {
      const Index n = how.sizes.count(*name) ? how.sizes.at(*name) : rest;
      parts.push_back(n);
      if (element_count(parts) < 0) misfit();  // where there are no elements, sizes that are told divide them all
      if (!axes.emplace(*name, Array::Axis{n, stride, {}}).second)
        fail("the pattern ", in_quotes(how.pattern), " has the axis ", in_quotes(*name), " twice");
      stride *= n;
    }
  }

  Array result = x;
  result.shape.clear(), result.axes.clear();
  for (const auto& [name, places] : how.take) {
    const auto axis = axes.find(name);
    if (axis == axes.end()) fail("the pattern ", in_quotes(how.pattern), " has no axis ", in_quotes(name));
    if (places.empty() || static_cast<Index>(places.size()) > axis->second.size)
      fail(places.size(), " places are taken of axis ", in_quotes(name), ", which has ", axis->second.size);
    for (const Index place : places)
      if (place < 0 || place >= axis->second.size)
        fail("place ", place, " of axis ", in_quotes(name), " does not fit shape ", to_string(x.shape));
    if (places.size() == 1) {
      result.data += places[0] * axis->second.stride * info_of(x.type).size;
      axes.erase(axis);
    } else {
      axis->second.order = places, axis->second.size = static_cast<Index>(places.size());
    }
  }
  for (const auto& dimension : to) {
    Index size = 1;
    for (const auto& name : dimension) {
      const auto axis = axes.find(name);
      if (axis == axes.end()) fail("the pattern ", in_quotes(how.pattern), " has the axis ", in_quotes(name), " on the right alone, or twice");
      size *= axis->second.size;
      result.axes.push_back(axis->second);
      axes.erase(axis);
    }
    result.shape.push_back(size);
  }
  if (!axes.empty()) fail("the pattern ", in_quotes(how.pattern), " loses the axis ", in_quotes(axes.begin()->first));
  return result;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
