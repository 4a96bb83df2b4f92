// Mapping files: where a tensor of ours is found among theirs, and how it lies there. JSON, a list of rules:
//
//   [{"ours": "blocks.{i}.att.wkv_state", "theirs": "layer{i}.S", "rearrange": "h v k -> h k v"},
//    {"ours": "blocks.{i}.att.time_maa_k", "theirs": "l{i}.mu", "rearrange": "g D -> 1 1 D", "take": {"g": [1]}},
//    {"ours": "blocks.{i}.att.*", "theirs": "l{i}.*"}]
//
//   ours, theirs   names; {i} stands for a number, * for any text, once each, the same on both sides
//   rearrange      from their layout to ours, as einops writes it (rearrange.hpp); "sizes" of axes that shapes do not tell; "take" the
//                  places along an axis in our order, or a single one
//   scale          theirs times this is ours; with "every": n, times scale^((i + from) div n), for weights scaled by layers ("from" is 0)
//   merge          true: where theirs is of another shape, and neighbouring dimensions of it make up each of ours ([1, T, H, N] for
//                  [T, D]), they are taken together
//   ours_as        "-exp" or "exp(-exp)": theirs is that function of ours
//
// For each tensor of ours the rules are tried in order; the first whose name theirs has is taken, and the same name if there is none.
// Leading dimensions of 1 (a batch of one) that ours or the pattern has not are dropped from tensors that a rule found; those that they
// have are added.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "goldfinch/checkpoint/json.hpp"
#include "goldfinch/validate/array_set.hpp"
#include "goldfinch/validate/name_maps.hpp"
#include "goldfinch/validate/rearrange.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct NameRule {
  std::string ours, theirs;
  Rearrangement layout;
  double scale = 1;
  Index every = 0, from = 0;
  bool merge = false;
  Elementwise ours_as = Elementwise::none;
};

/// What a name's placeholders stand for.
struct NameParts {
  std::string number, text;
};

/// Whether a name fits a pattern with at most one {i} and one *.
inline std::optional<NameParts> match_name(std::string_view pattern, std::string_view name) {
  NameParts parts;
  while (!pattern.empty()) {
    if (pattern.starts_with("{i}")) {
      const std::size_t n = std::min(name.find_first_not_of("0123456789"), name.size());
      if (n == 0) return std::nullopt;
      parts.number = name.substr(0, n);
      pattern.remove_prefix(3), name.remove_prefix(n);
    } else if (pattern[0] == '*') {
      for (std::size_t n = 0; n <= name.size(); ++n)
        if (auto rest = match_name(pattern.substr(1), name.substr(n))) {
          if (!rest->number.empty()) parts.number = rest->number;
          parts.text = name.substr(0, n);
          return parts;
        }
      return std::nullopt;
    } else {
      if (name.empty() || name[0] != pattern[0]) return std::nullopt;
      pattern.remove_prefix(1), name.remove_prefix(1);
    }
  }
  return name.empty() ? std::optional(parts) : std::nullopt;
}

/// The pattern with its placeholders filled in.
inline std::string fill_name(std::string pattern, const NameParts& parts) {
  if (const auto at = pattern.find('*'); at != std::string::npos) pattern.replace(at, 1, parts.text);
  if (const auto at = pattern.find("{i}"); at != std::string::npos) pattern.replace(at, 3, parts.number);
  return pattern;
}

class NameMap {
 public:
  NameMap() = default;

  /// The rules in a mapping file's text; `path` is for messages. Throws Error naming the rule and what is wrong with it.
  NameMap(const std::string& path, std::string_view text) {
    const auto json = parse_json(text, path);
    if (json.is_discarded()) fail(path, ": is not valid JSON");
    if (!json.is_array()) fail(path, ": holds no list of rules, expected [{\"ours\": \"…\", \"theirs\": \"…\"}, …]");
    for (const auto& rule : json) {
      try {
        rules_.push_back(parse(rule));
      } catch (const nlohmann::json::exception&) {
        fail(path, ": rule ", rules_.size() + 1, " has a value of the wrong type");
      } catch (const Error& error) {
        fail(path, ": rule ", rules_.size() + 1, ": ", error.what());
      }
    }
  }

  struct Found {
    std::string name;  // theirs
    Array array;
    Elementwise ours_as = Elementwise::none;
  };

  /// Where the tensor of ours is among theirs. Throws Error if it is there but does not fit its rule.
  std::optional<Found> find(const ArraySet& theirs, const std::string& ours, const Shape& shape) const {
    for (const NameRule& rule : rules_) {
      const auto parts = match_name(rule.ours, ours);
      if (!parts) continue;
      const std::string name = fill_name(rule.theirs, *parts);
      if (const Array* array = theirs.find(name)) return Found{name, apply(rule, *parts, *array, shape), rule.ours_as};
    }
    if (const Array* array = theirs.find(ours)) return Found{ours, *array};
    return std::nullopt;
  }

 private:
  /// A number under this key. nlohmann-json would cut the fraction off, and take 1e30 for any number whatever.
  static Index integer(const nlohmann::json& json, const char* key) {
    if (!json.is_number_unsigned() || json.get<std::uint64_t>() > std::uint64_t{largest_dimension})
      fail("has ", shown(json), " in '", key, "', expected a whole number from 0 to ", largest_dimension);
    return json.get<Index>();
  }
  /// Calls visit(axis, value) for what the object under this key holds, if there is one.
  template <class Visit>
  static void axes(const nlohmann::json& json, const char* key, Visit&& visit) {
    const auto found = json.find(key);
    if (found == json.end()) return;
    for (const auto& [axis, value] : found->get_ref<const nlohmann::json::object_t&>()) visit(axis, value);
  }

  static NameRule parse(const nlohmann::json& json) {
    const std::set<std::string> keys = {"ours", "theirs", "rearrange", "sizes", "take", "scale", "every", "from", "merge", "ours_as"};
    if (!json.is_object()) fail("is no object");
    for (const auto& item : json.items())
      if (!keys.count(item.key())) fail("unknown key ", in_quotes(item.key()));
    NameRule rule;
    json.at("ours").get_to(rule.ours), json.at("theirs").get_to(rule.theirs);
    for (const char* placeholder : {"{i}", "*"}) {
      const auto count = [&](const std::string& name) {
        const auto first = name.find(placeholder);
        return first == std::string::npos ? 0 : name.find(placeholder, first + 1) == std::string::npos ? 1 : 2;
      };
      if (count(rule.ours) > 1 || count(rule.theirs) > 1) fail("has ", placeholder, " twice in a name");
      if (count(rule.theirs) > count(rule.ours)) fail("has ", placeholder, " in 'theirs' but not in 'ours'");
    }
    rule.layout.pattern = json.value("rearrange", "");
    axes(json, "sizes", [&](const std::string& axis, const nlohmann::json& size) { rule.layout.sizes[axis] = integer(size, "sizes"); });
    axes(json, "take", [&](const std::string& axis, const nlohmann::json& places) {
      auto& taken = rule.layout.take[axis];
      for (const auto& place : places.get_ref<const nlohmann::json::array_t&>()) taken.push_back(integer(place, "take"));
    });
    if (rule.layout.pattern.empty() && !(rule.layout.sizes.empty() && rule.layout.take.empty())) fail("has 'sizes' or 'take' without 'rearrange'");
    if (!rule.layout.pattern.empty()) check_rearrangement(rule.layout);
    rule.merge = json.value("merge", false);
    if (rule.merge && !rule.layout.pattern.empty()) fail("has both 'merge' and 'rearrange'");
    rule.scale = json.value("scale", 1.0);
    if (json.contains("every")) rule.every = integer(json.at("every"), "every");
    if (json.contains("from")) rule.from = integer(json.at("from"), "from");
    if (!std::isfinite(rule.scale) || rule.scale == 0) fail("has a scale that is 0 or not finite");
    if (rule.from > 1000000) fail("has a 'from' that no layer reaches");
    if (rule.every > 0 && rule.ours.find("{i}") == std::string::npos) fail("has 'every' without {i} in its names");
    const std::string as = json.value("ours_as", "");
    if (as == "-exp") rule.ours_as = Elementwise::minus_exp;
    else if (as == "exp(-exp)") rule.ours_as = Elementwise::exp_minus_exp;
    else if (!as.empty()) fail("has 'ours_as' ", in_quotes(as), ", expected -exp or exp(-exp)");
    return rule;
  }

  /// Whether each dimension of `shape` is the product of the next ones of `parts`.
  static bool made_of(const Shape& shape, const Shape& parts) {
    std::size_t at = 0;
    for (const Index size : shape) {
      Index product = 1;
      while (at < parts.size() && product < size && parts[at] > 0) product *= parts[at++];
      if (product != size) return false;
    }
    return std::all_of(parts.begin() + static_cast<std::ptrdiff_t>(at), parts.end(), [](Index n) { return n == 1; });
  }

  static Array apply(const NameRule& rule, const NameParts& parts, Array array, const Shape& shape) {
    const std::size_t wanted = rule.layout.pattern.empty() ? shape.size() : parse_sides(rule.layout.pattern).first.size();
    while (array.shape.size() > wanted && array.shape[0] == 1) {
      array.shape.erase(array.shape.begin());
      array.axes.erase(array.axes.begin());
    }
    while (array.shape.size() < wanted && shape.size() == wanted && shape[wanted - array.shape.size() - 1] == 1) {
      array.shape.insert(array.shape.begin(), 1);
      array.axes.insert(array.axes.begin(), Array::Axis{1, 0, {}});
    }
    if (rule.merge && array.shape != shape && made_of(shape, array.shape))
      if (const auto merged = array.reshaped(shape)) array = *merged;
    array = rearrange(array, rule.layout);
    if (rule.every == 0) {
      array.scale = rule.scale;
    } else {
      if (parts.number.size() > 6) fail("layer ", in_quotes(parts.number), " is out of range");
      array.scale = std::pow(rule.scale, static_cast<double>((std::stol(parts.number) + rule.from) / rule.every));
    }
    return array;
  }

  std::vector<NameRule> rules_;
};

/// The text of the built-in map of that name: hf, fla, ggml or cuda.
inline std::optional<std::string_view> built_in_name_map(const std::string& name) {
  for (const auto& [known, text] : built_in_name_maps)
    if (name == known) return text;
  return std::nullopt;
}

/// The built-in map of that name, or that of the mapping file with this path.
inline NameMap open_name_map(const std::string& name) {
  if (const auto text = built_in_name_map(name)) return NameMap("map " + name, *text);
  const MappedFile file(name);
  return NameMap(name, {reinterpret_cast<const char*>(file.data()), file.size()});
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
