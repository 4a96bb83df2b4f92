// What the subcommands of the tool share: how they are declared, the options that name and adjust a model, and what they print.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>

#include "engines.hpp"
#include "goldfinch/core/resources.hpp"
#include "goldfinch/tokenizer/open.hpp"
#include "options.hpp"
#include "process.hpp"

namespace tool {

using goldfinch::Engine;
using goldfinch::available_memory;
using goldfinch::fail;
using goldfinch::Index;

/// What the chosen subcommand does; returns the exit code.
using Run = std::function<int()>;

void add_generate(CLI::App& app, Run& run);
void add_logits(CLI::App& app, Run& run);
void add_perplexity(CLI::App& app, Run& run);
void add_info(CLI::App& app, Run& run);
void add_convert(CLI::App& app, Run& run);
void add_init(CLI::App& app, Run& run);
void add_tokenize(CLI::App& app, Run& run);
void add_cost(CLI::App& app, Run& run);
void add_cache(CLI::App& app, Run& run);
void add_bench(CLI::App& app, Run& run);
void add_compare(CLI::App& app, Run& run);
void add_op(CLI::App& app, Run& run);
void add_reference(CLI::App& app, Run& run);

/// A whole file, or standard input for "-".
std::string read_text(const std::string& path);

/// "1 2 3", with blanks, commas or newlines between, or @FILE with the same in it: at least one token. `option` is for messages.
std::vector<int> parse_tokens(const std::string& option, const std::string& argument);

/// Where the files that come with the program are: $GOLDFINCH_DATA, beside the program, or in its source tree. Throws Error naming
/// what was looked for where.
std::string find_data(const std::string& relative);

/// --threads, or OMP_NUM_THREADS, or the CPUs that the process may use.
void add_threads(CLI::App& command, int& threads);
void use_threads(int threads);

/// --seed.
CLI::Option* add_seed(CLI::App& command, std::uint64_t& seed, const char* help);

/// --model: a checkpoint. Where it may be left out, `help` says what it is then.
CLI::Option* add_model(CLI::App& command, std::string& model, const std::string& help = "Checkpoint, .safetensors or .pth");

/// The demo model, for commands that go on with it where no --model is given.
std::string demo_model();

/// Throws Error if any of these logits, [tokens, V], is NaN or infinite; the first row is that of token number `first` of the text.
void require_finite(const goldfinch::Matrix<double>& logits, Index first = 0);

/// "[#####     ] 52 %  3 min left"; done of total, since `seconds`.
std::string progress_bar(double done, double total, double seconds);

/// Seconds on a clock that only goes forward.
double now();

/// The largest memory that this process has had, in bytes.
std::size_t peak_rss();

/// "1.45 GB".
std::string human_bytes(double bytes);

/// Throws Error if so much memory is not available; the message begins with what takes it.
void require_memory(const std::string& what, double bytes);

/// --model and what adjusts it.
struct ModelOptions {
  std::string model;
  goldfinch::ConfigOverrides overrides;
  bool ignore_unexpected = false;
  bool no_v2 = false, no_one_minus_w = false;
  std::string precision;
  int threads = 0;
  std::string cache_format = "native", cache_memo = "512MiB";
  std::string state;  // a file of states that every text begins with

  /// --cache-format and --cache-memo, for commands that run long sequences.
  void add_cache_options(CLI::App& command);
  goldfinch::CacheSettings cache_settings() const;
  /// Adds the options; precision begins as `default_precision`, or is left out where it is "".
  void add(CLI::App& command, const std::string& default_precision);
  goldfinch::ConfigOverrides all_overrides() const;
  /// The checkpoint at `model` and what it holds, all checked but for NaN; notes go to standard error.
  std::pair<goldfinch::Checkpoint, goldfinch::ModelShape> open_checkpoint() const;
  /// The engine of that checkpoint, NaN refused, whose sequences start with `state`; the fingerprint of both, if there is a place for it.
  std::unique_ptr<Engine> open(std::string* fingerprint = nullptr) const;
};

/// The tokenizer at `path`; if that is empty, the only one beside the model, or bytes for a vocabulary of 256. Warns on standard
/// error if it does not look like the model's own. Throws Error if there is none, or if its ids reach beyond the vocabulary.
std::unique_ptr<goldfinch::Tokenizer> open_tokenizer_for(const std::string& path, const std::string& model, Index vocabulary_size);
/// The tokenizers beside a model, in order.
std::vector<std::string> tokenizers_beside(const std::string& model);
/// The path that open_tokenizer_for opens, or "bytes".
std::string choose_tokenizer(const std::string& path, const std::string& model, Index vocabulary_size);

}  // namespace tool
