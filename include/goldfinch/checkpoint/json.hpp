// Reading JSON that others wrote: a config.json, an index, a mapping file. nlohmann-json parses whatever depth without
// recursion, but compares and prints what it parsed recursively, and of a key that an object has twice it keeps the last in
// silence.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// JSON that nobody whose files we read has reason to write.
struct UnfitJson : Error {
  using Error::Error;
};

/// The value in a text; discarded (is_discarded()) where the text is not JSON in UTF-8. Throws UnfitJson, beginning with
/// `where`, if arrays and objects are nested deeper than 16 levels, or an object has a key twice.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, const std::string& where) {
  constexpr std::size_t deepest = 16;
  using Event = typename Json::parse_event_t;
  std::vector<std::set<std::string>> keys(deepest);  // so far, of the objects that are open
  return Json::parse(text, [&](int depth, Event event, Json& value) {
    const auto open = static_cast<std::size_t>(depth);  // arrays and objects around
    if (event == Event::object_start || event == Event::array_start) {
      if (open == deepest) throw UnfitJson(where + ": is nested deeper than " + std::to_string(deepest) + " levels");
      keys[open].clear();
    } else if (event == Event::key) {
      const auto& key = value.template get_ref<const std::string&>();
      if (!keys[open - 1].insert(key).second) throw UnfitJson(where + ": the key " + in_quotes(key) + " stands there twice");
    }
    return true;
  }, false);
}

/// A value for messages: "an array", "an object", or in quotes as it is spelled.
template <class Json>
std::string shown(const Json& json) {
  return json.is_array() ? "an array" : json.is_object() ? "an object" : in_quotes(json.dump());
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
