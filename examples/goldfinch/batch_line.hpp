// A line of the prompts of generate --batch (batch.cpp's --help tells what it may hold).
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "goldfinch/checkpoint/json.hpp"

#include "generate.hpp"
#include "options.hpp"

namespace tool {

/// The settings that a line may have: visit(key, member).
template <class Prompt, class Visitor>
void settings_of(Prompt& prompt, Visitor&& visit) {
  visit("count", prompt.count);
  goldfinch::visit_settings([&](const char* key, auto member) { visit(key, prompt.sampler.*member); });
}

/// One line of the file; `prompt` holds what the flags say.
inline void read_line(std::string_view line, Prompt& prompt) {
  const auto json = goldfinch::parse_json(line, prompt.where);
  if (!json.is_object()) fail(prompt.where, ": is not a JSON object in UTF-8");
  std::set<std::string> keys;
  for (const auto& item : json.items()) keys.insert(item.key());
  /// Whether the key is there with a value that `fits`, an `expected`.
  const auto get = [&](const char* key, auto fits, const char* expected) {
    keys.erase(key);
    if (!json.contains(key)) return false;
    if (!fits(json[key])) fail(prompt.where, ": ", key, " is ", goldfinch::shown(json[key]), ", expected ", expected);
    return true;
  };
  if (!get("prompt", [](const auto& value) { return value.is_string(); }, "a string")) fail(prompt.where, ": has no key 'prompt'");
  prompt.text = json["prompt"];
  if (get("id", [](const auto& value) { return value.is_string() || value.is_number(); }, "a string or a number")) prompt.id = json["id"];
  settings_of(prompt, [&]<class Member>(const char* key, Member& member) {
    if constexpr (std::is_same_v<Member, double>) {
      if (!get(key, [](const auto& value) { return value.is_number(); }, "a number")) return;
    } else if constexpr (std::is_same_v<Member, std::uint64_t>) {
      if (!get(key, [](const auto& value) { return value.is_number_unsigned(); }, "a whole number from 0 to 18446744073709551615")) return;
    } else {
      const bool or_all = key == std::string_view("repeat_last_n");  // which -1 stands for
      const auto fits = [&](const auto& value) {
        return value.is_number_unsigned() ? value.template get<std::uint64_t>() <= std::uint64_t{1} << 40 : or_all && value == -1;
      };
      if (!get(key, fits, or_all ? "a whole number from -1 to 1099511627776" : "a whole number from 0 to 1099511627776")) return;
    }
    member = json[key].template get<Member>();
  });
  const auto is_stop = [](const auto& value) { return value.is_string() && !value.template get_ref<const std::string&>().empty(); };
  const auto are_stops = [&](const auto& value) { return value.is_array() ? std::all_of(value.begin(), value.end(), is_stop) : is_stop(value); };
  if (get("stop", are_stops, "a string that is not empty, or a list of such")) {
    prompt.stops.clear();
    if (json["stop"].is_array()) json["stop"].get_to(prompt.stops);
    else prompt.stops = {json["stop"].get<std::string>()};
  }
  const auto are_numbers = [](const auto& value) {
    return value.is_object() && std::all_of(value.begin(), value.end(), [](const auto& bias) { return bias.is_number(); });
  };
  if (get("logit_bias", are_numbers, "an object of numbers")) {
    prompt.sampler.logit_bias.clear();
    prompt.sampler.banned.clear();
    std::map<int, double> biases;  // by token: "1" and "01" are one
    for (const auto& [id, bias] : json["logit_bias"].items()) {
      const int token = parse_number<int>(prompt.where + ": logit_bias", id, {0, std::numeric_limits<int>::max()});
      if (!biases.emplace(token, bias.template get<double>()).second) fail(prompt.where, ": logit_bias: token ", token, " stands there twice");
    }
    for (const auto& [token, bias] : biases) prompt.sampler.logit_bias.push_back({token, bias});
  }
  if (!keys.empty()) fail(prompt.where, ": has the unknown key ", goldfinch::in_quotes(*keys.begin()));
  try {
    prompt.sampler.validate();
  } catch (const goldfinch::Error& error) {
    fail(prompt.where, ": ", error.what());
  }
}

}  // namespace tool
