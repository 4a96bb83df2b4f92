#include "options.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <set>

#include "goldfinch/core/atomic_file.hpp"
#include "goldfinch/core/mapped_file.hpp"

namespace tool {
namespace {

using goldfinch::fail;
using goldfinch::in_quotes;

enum class Use { read, tokens, written };

/// An option that names a file; where it gives tokens, behind an @.
struct FileOption {
  const CLI::Option* option;
  const std::string* value;
  Use use;
};

/// A file that this run reads or writes, by the name for messages, and what it is.
struct File {
  std::string name, path;
  bool written;
  const CLI::Option* option = nullptr;
  std::string identity = {};
  mode_t kind = 0;  // of what is there, S_IFREG if there is nothing yet
};

std::vector<FileOption> file_options;
std::vector<File> files;
std::set<std::pair<const CLI::Option*, const CLI::Option*>> replacements;
std::set<const CLI::Option*> may_be_empty;

std::string identity(const struct stat& status) {
  return std::to_string(status.st_dev) + " " + std::to_string(status.st_ino);
}

/// Finds out what the file is: the same identity for all paths of one file, pipe or descriptor; where nothing is yet,
/// for the place. Throws Error if it is to be replaced, and standard output or error goes there.
void identify(File& file) {
  const auto place = goldfinch::follow_links(file.path);
  struct stat status;
  const bool there =
      (place.descriptor >= 0 ? ::fstat(place.descriptor, &status) : ::stat(file.path.c_str(), &status)) == 0;
  file.kind = there ? status.st_mode & S_IFMT : S_IFREG;
  if (there) file.identity = identity(status);
  else file.identity = place.descriptor >= 0 ? "descriptor " + std::to_string(place.descriptor) : place.path();
  for (const int standard : {1, 2})
    if (struct stat own; file.written && there && place.descriptor < 0 && S_ISREG(status.st_mode) &&
                         ::fstat(standard, &own) == 0 && identity(own) == file.identity)
      fail(file.name, ": is ", file.path, ", where standard ", standard == 1 ? "output" : "error", " goes, too");
}

[[noreturn]] void refuse_loss(const File& output, const std::string& input) {
  fail(output.name, ": is ", output.path, ", which is read", input, " and would be lost");
}

/// Takes note of a file. The same terminal, or /dev/null, may be several.
void claim(File file) {
  identify(file);
  const bool pipe = file.kind == S_IFIFO || file.kind == S_IFSOCK;
  for (const File& other : files) {
    if (file.kind == S_IFCHR || other.identity != file.identity) continue;
    if (other.written && file.written) fail(file.name, ": is ", file.path, ", where ", other.name, " is written, too");
    if (!other.written && !file.written && pipe)
      fail(file.name, ": is ", file.path, ", which ", other.name, " reads, too, and it can be read only once");
    const File &input = file.written ? other : file, &output = file.written ? file : other;
    if (input.written == output.written || pipe || replacements.count({output.option, input.option})) continue;
    refuse_loss(output, input.option ? " (" + input.name + ")" : "");
  }
  if (file.written) goldfinch::AtomicFile::require_writable(file.path);
  files.push_back(std::move(file));
}

/// Throws Error where what is about to be read is an output. An input that an option names is judged by claim().
void check_read(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const std::string read = identity(status);
  const File* lost = nullptr;
  for (const File& other : files) {
    if (other.identity != read) continue;
    if (!other.written) return;
    lost = &other;
  }
  if (lost) refuse_loss(*lost, "");
}

std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j)
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])}));
  }
  return row.back();
}

/// "; did you mean X?", for the nearest of these, if one is near.
std::string suggestion(const std::string& given, const std::vector<std::string>& known) {
  std::size_t least = given.size() / 4 + 2;
  std::string nearest;
  for (const std::string& name : known)
    if (const std::size_t d = distance(given, name); d < least) least = d, nearest = name;
  return nearest.empty() ? "" : "; did you mean " + nearest + "?";
}

/// All options of a command, those of its groups too.
std::vector<CLI::Option*> options_of(CLI::App& command) {
  auto all = command.get_options();
  for (CLI::App* group : command.get_subcommands([](const CLI::App* sub) { return sub->get_name().empty(); }))
    for (CLI::Option* option : group->get_options()) all.push_back(option);
  return all;
}

/// The command line, argument by argument.
class Reader {
 public:
  Reader(CLI::App& app, std::vector<std::string> given) : command_(&app), given_(std::move(given)) {}

  std::vector<std::string> read() {
    while (at_ < given_.size()) {
      const std::string argument = given_[at_++];
      if (argument == "--") {
        out_.insert(out_.end(), given_.begin() + static_cast<std::ptrdiff_t>(at_) - 1, given_.end());
        break;
      }
      if (argument.size() > 1 && argument[0] == '-') option(argument);
      else positional(argument);
    }
    return {out_.rbegin(), out_.rend()};
  }

 private:
  CLI::Option* find(const std::string& name) const {
    for (CLI::Option* option : options_of(*command_))
      if (option->nonpositional() && option->check_name(name)) return option;
    return nullptr;
  }

  static std::string name_in(const std::string& argument) {
    return argument.starts_with("--") ? argument.substr(0, argument.find('=')) : argument.substr(0, 2);
  }

  void option(const std::string& argument) {
    const std::string name = name_in(argument);
    CLI::Option* const option = find(name);
    const bool lacks_a_dash = !argument.starts_with("--") && find("-" + argument.substr(0, argument.find('=')));
    if (!option || lacks_a_dash) {  // -tokens is no -t okens
      std::vector<std::string> known;
      for (const CLI::Option* other : options_of(*command_))
        for (const std::string& lname : other->get_lnames()) known.push_back("--" + lname);
      const std::string whole = argument.substr(0, argument.find('='));
      const std::string long_name = whole.starts_with("--") ? whole : "-" + whole;
      fail("there is no option ", in_quotes(whole), suggestion(long_name, known));
    }
    const bool joined = argument.size() > name.size();
    if (option->get_items_expected_max() == 0) {
      if (joined) fail(name, ": takes no value, so ", in_quotes(argument), " is not possible");
      out_.push_back(name);
      return;
    }
    std::string value;
    if (joined) {
      value = argument.substr(name.size() + (argument[name.size()] == '=' ? 1 : 0));
    } else {
      if (at_ == given_.size()) fail(name, ": expected a value behind it");
      value = given_[at_++];
      if (value.size() > 1 && value[0] == '-' && find(name_in(value)))
        fail(name, ": expected a value behind it, not the option ", name_in(value), " (", name, "=", value,
             ", if that is the value)");
    }
    if (value.empty() && !may_be_empty.count(option)) fail(name, ": is empty, expected a value");
    out_.insert(out_.end(), {name, value});
  }

  void positional(const std::string& argument) {
    const auto commands = command_->get_subcommands([](const CLI::App* sub) { return !sub->get_name().empty(); });
    if (!commands.empty()) {
      std::vector<std::string> names;
      for (CLI::App* sub : commands) {
        names.push_back(sub->get_name());
        if (sub->get_name() != argument) continue;
        command_ = sub;
        out_.push_back(argument);
        return;
      }
      fail("there is no command ", in_quotes(argument), suggestion(argument, names));
    }
    if (argument.empty()) fail("an argument of ", command_->get_name(), " is empty");
    out_.push_back(argument);
  }

  CLI::App* command_;
  std::vector<std::string> given_, out_;
  std::size_t at_ = 0;
};

}  // namespace

CLI::Option* add_dtype(CLI::App& command, const std::string& names, std::string& dtype, std::vector<std::string> choices, const std::string& help) {
  const auto shortest = [](std::string& name) {
    if (name == "fp16") name = "f16";
    return std::string();
  };
  return command.add_option(names, dtype, help)->transform(CLI::Validator(shortest, ""))->check(CLI::IsMember(std::move(choices)));
}

CLI::Option* allow_empty(CLI::Option* option) {
  may_be_empty.insert(option);
  return option;
}

CLI::Option* add_input(CLI::App& command, const std::string& names, std::string& path, const std::string& help) {
  auto* const option = command.add_option(names, path, help);
  file_options.push_back({option, &path, Use::read});
  return option;
}

CLI::Option* add_tokens(CLI::App& command, const std::string& names, std::string& tokens, const std::string& help) {
  auto* const option = command.add_option(names, tokens, help);
  file_options.push_back({option, &tokens, Use::tokens});
  return option;
}

CLI::Option* add_output(CLI::App& command, const std::string& names, std::string& path, const std::string& help) {
  const auto take = [&path](const std::string& given) { path = given == "-" ? "/dev/stdout" : given; };
  auto* const option = command.add_option_function<std::string>(names, take, help + "; - is standard output");
  file_options.push_back({option, &path, Use::written});
  return option->type_name("TEXT");
}

void may_replace(const CLI::Option* output, const CLI::Option* input) { replacements.insert({output, input}); }

void claim_input(const std::string& path) { claim({path, path, false}); }

void claim_output(const std::string& name, const std::string& path) { claim({name, path, true}); }

void check_files() {
  for (const bool written : {false, true})
    for (const auto& [option, value, use] : file_options) {
      if ((use == Use::written) != written || option->count() == 0 || (use == Use::tokens && !value->starts_with("@")))
        continue;
      const std::string path = use == Use::tokens ? value->substr(1) : *value;
      claim({option->get_name(), !written && path == "-" ? "/dev/stdin" : path, written, option});
    }
  // What is read in several steps, its kind first, is in memory for all of them.
  static std::vector<std::unique_ptr<const goldfinch::MappedFile>> pipes;
  for (const File& file : files)
    if (!file.written && (file.kind == S_IFIFO || file.kind == S_IFSOCK))
      pipes.push_back(std::make_unique<const goldfinch::MappedFile>(file.path));
  goldfinch::MappedFile::notice() = check_read;
}

std::vector<std::string> read_arguments(CLI::App& app, int argc, const char* const* argv) {
  return Reader(app, std::vector<std::string>(argv + 1, argv + std::max(argc, 1))).read();
}

}  // namespace tool
