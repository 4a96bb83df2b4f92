// The JSON header of a safetensors file (safetensors.hpp), checked for form as it is parsed. Of what the numbers mean it knows
// nothing. Parsed event by event: no tree is built, and nesting deeper than the format's is refused where it begins.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// nlohmann::json::sax_parse(begin, end, &header) fills it. Throws Error naming the path, the entry and the field.
class SafetensorsHeader {
 public:
  struct Entry {
    std::string dtype;
    Shape shape, offsets;
  };
  std::map<std::string, Entry> entries;
  std::map<std::string, std::string> metadata;

  explicit SafetensorsHeader(const std::string& path) : path_(path) {}

  // The events, as nlohmann-json calls them.
  bool start_object(std::size_t) {
    if (depth_ > 1) return unexpected("an object");
    keys_[++depth_].clear();
    return true;
  }
  bool key(std::string& key) {
    if (!keys_[depth_].insert(key).second) fail(path_, ": header", place(depth_), " holds the key ", in_quotes(key), " twice");
    (depth_ == 1 ? name_ : field_) = key;
    if (depth_ == 2 && !in_metadata() && key != "dtype" && key != "shape" && key != "data_offsets")
      fail(path_, ": header", place(2), " has the unknown field ", in_quotes(key));
    return true;
  }
  bool end_object() {
    if (depth_ == 2 && !in_metadata()) {
      for (const char* field : {"dtype", "shape", "data_offsets"})
        if (!keys_[2].count(field)) fail(path_, ": header", place(2), " has no field '", field, "'");
      if (const auto n = entries[name_].offsets.size(); n != 2)
        fail(path_, ": header", place(2), " has ", n, " numbers as data_offsets, expected 2");
    }
    --depth_;
    return true;
  }
  bool start_array(std::size_t) {
    if (depth_ != 2 || in_metadata() || field_ == "dtype") return unexpected("an array");
    ++depth_;
    return true;
  }
  bool end_array() {
    --depth_;
    return true;
  }
  bool string(std::string& text) {
    if (depth_ == 2 && in_metadata()) metadata[field_] = text;
    else if (depth_ == 2 && field_ == "dtype") entries[name_].dtype = text;
    else return unexpected("a string");
    return true;
  }
  bool number_unsigned(std::uint64_t n) {
    if (depth_ != 3 || n > static_cast<std::uint64_t>(std::numeric_limits<Index>::max())) return unexpected(std::to_string(n));
    Shape& numbers = field_ == "shape" ? entries[name_].shape : entries[name_].offsets;
    if (numbers.size() == most_dimensions) fail(path_, ": header", place(3), " holds more than ", most_dimensions, " numbers");
    numbers.push_back(static_cast<Index>(n));
    return true;
  }
  bool number_integer(std::int64_t n) { return unexpected(std::to_string(n)); }  // a negative one
  bool number_float(double, const std::string& text) { return unexpected(in_quotes(text)); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool null() { return unexpected("null"); }
  bool binary(std::vector<std::uint8_t>&) { return unexpected("binary"); }
  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception&) {
    fail(path_, ": header is not valid JSON in UTF-8, at byte ", position);
  }

 private:
  bool in_metadata() const { return name_ == "__metadata__"; }
  std::string place(int depth) const {
    return (depth > 1 ? " entry " + in_quotes(name_) : "") + (depth > 2 ? ", " + in_quotes(field_) : "");
  }
  [[noreturn]] bool unexpected(const std::string& found) const {
    const char* expected = depth_ < 2 ? "an object" : depth_ == 3 ? "an integer that counts something"
                         : in_metadata() || field_ == "dtype" ? "a string" : "an array of integers";
    fail(path_, ": header", place(depth_ + 1), " holds ", found, ", expected ", expected);
  }

  std::string path_, name_, field_;
  int depth_ = 0;                    // 1 in the header, 2 in an entry, 3 in an array
  std::set<std::string> keys_[3];    // seen so far in the object at each depth
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
