// How options are declared and read, in one place, so that they follow the same rules in every command:
// numbers are decimal and in range, no value is empty unless that has a meaning, and no option takes another for its
// value; no output is an input, or another output, and what cannot be written is said before the work.
#pragma once

#include <CLI/CLI.hpp>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/error.hpp"

namespace tool {

/// Which numbers an option takes.
template <class T>
struct Range {
  T least = std::numeric_limits<T>::lowest(), most = std::numeric_limits<T>::max();

  std::string text() const {
    const std::string kind = std::is_integral_v<T> ? "a whole number" : "a number";
    std::ostringstream range;
    range << kind;
    if (least == Range().least && most == Range().most && !std::is_integral_v<T>) return kind;
    if (most == Range().most && !std::is_integral_v<T>) range << ", " << least << " or more";
    else range << " from " << least << " to " << most;
    return range.str();
  }
};

/// The number that `text` is in decimal, all of it: no octal, nothing that does not fit. Throws Error beginning with
/// `option`.
template <class T>
T parse_number(const std::string& option, const std::string& text, const std::type_identity_t<Range<T>>& range = {}) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || !(value >= range.least && value <= range.most))
    goldfinch::fail(option, ": ", goldfinch::in_quotes(text.substr(0, 40)), " is not ", range.text());
  return value;
}

/// The name for messages of "-t,--threads": --threads.
inline std::string long_name(const std::string& names) {
  const std::size_t begin = names.find("--");
  return names.substr(begin, names.find(',', begin) - begin);
}

/// --name NUMBER. `range` may be {least, most}. The variable may be a std::optional, for a number without a default.
template <class T>
CLI::Option* add_number(CLI::App& command, const std::string& names, T& variable,
                        const std::type_identity_t<Range<T>>& range, const std::string& help) {
  auto* const option = command.add_option_function<std::string>(
      names,
      [&variable, range, name = long_name(names)](const std::string& text) {
        variable = parse_number<T>(name, text, range);
      },
      help);
  std::ostringstream now;
  now << variable;
  return option->type_name(std::is_integral_v<T> ? "INT" : "NUMBER")->default_str(now.str());
}
template <class T>
CLI::Option* add_number(CLI::App& command, const std::string& names, std::optional<T>& variable,
                        const std::type_identity_t<Range<T>>& range, const std::string& help) {
  return command
      .add_option_function<std::string>(
          names,
          [&variable, range, name = long_name(names)](const std::string& text) {
            variable = parse_number<T>(name, text, range);
          },
          help)
      ->type_name(std::is_integral_v<T> ? "INT" : "NUMBER");
}

/// --dtype, or what else names a number type, one of `choices`; fp16 is f16.
CLI::Option* add_dtype(CLI::App& command, const std::string& names, std::string& dtype, std::vector<std::string> choices, const std::string& help);

/// An option for which an empty value means something: a text.
CLI::Option* allow_empty(CLI::Option* option);

/// A path that is read; "-" is standard input where the command says so.
CLI::Option* add_input(CLI::App& command, const std::string& names, std::string& path, const std::string& help);

/// Tokens, "1 2 3", or @FILE with the same in it (parse_tokens).
CLI::Option* add_tokens(CLI::App& command, const std::string& names, std::string& tokens, const std::string& help);

/// A path that is written; "-" is standard output (and becomes /dev/stdout).
CLI::Option* add_output(CLI::App& command, const std::string& names, std::string& path, const std::string& help);

/// The output may be the file that this input is, which it then replaces.
void may_replace(const CLI::Option* output, const CLI::Option* input);

/// A file that is named by an option which may also name something else (--map hf). Throws Error if it is an output.
void claim_input(const std::string& path);

/// A file that is written beside an output: throws Error if it is an input or another output, or cannot be written.
/// `name` is for messages.
void claim_output(const std::string& name, const std::string& path);

/// Once all is parsed: throws Error if an output is an input or another output, or cannot be written. From then on
/// reading a file that is an output throws Error, too, whatever led to it: a folder, an index, the name of a case, a
/// config.json or manifest.json beside a file.
void check_files();

/// The command line as CLI11 is to see it (its parse takes it backwards): every value an argument of its own behind its
/// option. Throws Error where an option is not known, lacks its value, has an empty one, or has one and takes none.
std::vector<std::string> read_arguments(CLI::App& app, int argc, const char* const* argv);

}  // namespace tool
