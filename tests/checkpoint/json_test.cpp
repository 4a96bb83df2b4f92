// JSON that others wrote: what is nested without end, or says a key twice, is an error of one line to every reader.
#include "goldfinch/checkpoint/json.hpp"

#include <filesystem>

#include "files.hpp"
#include "goldfinch/checkpoint/config.hpp"
#include "goldfinch/checkpoint/several_files.hpp"
#include "goldfinch/generate/session.hpp"
#include "goldfinch/validate/golden_models.hpp"
#include "goldfinch/validate/manifest.hpp"
#include "goldfinch/validate/name_map.hpp"
#include "refused.hpp"

using namespace goldfinch;

namespace {

std::string nested(int levels) { return std::string(static_cast<std::size_t>(levels), '[') + std::string(static_cast<std::size_t>(levels), ']'); }
const std::string endless = nested(1000000);  // printing it needs more stack than there is

}  // namespace

TEST_CASE("JSON: what is no JSON comes back discarded, and what is comes back whole") {
  for (const char* text : {"", "{", "{\"a\": 1} 2", "\"\xff\"", "hello", "[1e999]"}) CHECK(parse_json(text, "x").is_discarded());
  CHECK(parse_json("{\"a\": [1, {\"a\": 2}], \"b\": [{\"a\": 3}, {\"a\": 4}]}", "x").dump() == "{\"a\":[1,{\"a\":2}],\"b\":[{\"a\":3},{\"a\":4}]}");
  CHECK(parse_json<nlohmann::ordered_json>("{\"b\": 1, \"a\": 2}", "x").dump() == "{\"b\":1,\"a\":2}");
}

TEST_CASE("JSON: 16 levels are read, and deeper ones and keys that an object has twice are refused") {
  CHECK(parse_json(nested(16), "x").is_array());
  REFUSED(parse_json(nested(17), "x.json"), "x.json: is nested deeper than 16 levels");
  REFUSED(parse_json(endless, "x.json"), "x.json: is nested deeper than 16 levels");
  REFUSED(parse_json(std::string(1000000, '['), "x.json"), "x.json: is nested deeper than 16 levels");
  REFUSED(parse_json("{\"a\": 1, \"b\": {}, \"a\": 2}", "x.json"), "x.json: the key 'a' stands there twice");
  REFUSED(parse_json("[[{\"a\": {\"b\": 1, \"b\": 1}}]]", "x.json"), "x.json: the key 'b' stands there twice");
}

TEST_CASE("JSON: a value is shown in one line, however large it is") {
  CHECK(shown(nlohmann::json::parse("[1]")) == "an array");
  CHECK(shown(nlohmann::json::parse("{}")) == "an object");
  CHECK(shown(nlohmann::json::parse("1.5")) == "'1.5'");
  CHECK(shown(nlohmann::json("a\nb")) == "'\"a\\nb\"'");
}

TEST_CASE("JSON: no reader of it is brought down by nesting, wherever it stands") {
  const std::string deep = "is nested deeper than 16 levels";
  Config config;
  for (const char* key : {"vocab_size", "rope_scaling", "unknown"}) REFUSED(read_config("{\"" + std::string(key) + "\":" + endless + "}", "config.json", false, config), "config.json: " + deep);
  REFUSED(parse_index("index", "{\"weight_map\":{\"a\":" + endless + "}}"), "index: " + deep);
  for (const std::string& rule : {endless, "{\"ours\":" + endless + "}", "{\"ours\":\"a\",\"theirs\":\"a\",\"scale\":" + endless + "}"}) REFUSED(NameMap("map", "[" + rule + "]"), "map: " + deep);
  Checkpoint session;
  session.path = "session";
  session.metadata["goldfinch.session"] = "{\"version\":" + endless + "}";
  REFUSED(about_session(session), "session: metadata goldfinch.session: " + deep);
  const files::TemporaryFile manifest("{\"cases\":[],\"numerics\":" + endless + "}");
  REFUSED(read_manifest(manifest.path()), manifest.path() + ": " + deep);
  const files::TemporaryFile model(files::good_safetensors()), tokens("");
  std::filesystem::copy_file(model.path(), tokens.path() + ".safetensors");
  std::ofstream(tokens.path() + ".json") << "{\"tokens\":[" << endless << "]}";
  REFUSED(read_golden_model(tokens.path()), tokens.path() + ".json: " + deep);
  std::filesystem::remove(tokens.path() + ".json"), std::filesystem::remove(tokens.path() + ".safetensors");
}

TEST_CASE("JSON: a manifest.json of another kind, whatever it holds, is passed over on the way up") {
  const files::TemporaryFile place;
  std::filesystem::remove(place.path());
  std::filesystem::create_directory(place.path());
  for (const std::string& text : {nested(17), std::string("{\"a\": 1, \"a\": 1}"), std::string("no JSON"), std::string("{}")}) {
    std::ofstream(place.path() + "/manifest.json") << text;
    CHECK_FALSE(find_manifest_case(place.path() + "/x.npz"));
  }
  std::filesystem::remove_all(place.path());
}

TEST_CASE("JSON: values of the wrong type are named by their kind") {
  Config config;
  REFUSED(read_config("{\"vocab_size\": [1, 2]}", "config.json", false, config), "config.json: vocab_size is an array, expected a whole number");
  REFUSED(read_config("{\"n_layer\": 2, \"n_layer\": 2}", "config.json", false, config), "the key 'n_layer' stands there twice");
  REFUSED(read_config("{\"n_layers\": 2}", "config.json", true, config), "has the unknown key 'n_layers'");
  REFUSED(parse_index("index", "{\"weight_map\":{\"a\":{}}}"), "the file of tensor 'a' is an object, expected a string");
}
