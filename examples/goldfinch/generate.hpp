// What generating from one prompt (generate.cpp) and from many (batch.cpp) share.
#pragma once

#include "command.hpp"

#include <nlohmann/json.hpp>

#include "goldfinch/generate/session.hpp"

namespace tool {

/// Text on its way out that stops at any of several strings: a tail that may yet become one of them is held back.
class StopFilter {
 public:
  explicit StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  /// Takes text; returns what may be printed. After a stop string, stopped() holds and nothing more comes.
  std::string push(const std::string& text) {
    held_ += text;
    std::size_t end = std::string::npos;
    for (const auto& stop : stops_) end = std::min(end, held_.find(stop));
    if (end != std::string::npos) {
      stopped_ = true;
      held_.resize(end);
      return flush();
    }
    std::size_t keep = 0;
    for (const auto& stop : stops_)
      for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n)
        if (held_.ends_with(std::string_view(stop).substr(0, n))) keep = n;
    std::string out = held_.substr(0, held_.size() - keep);
    held_.erase(0, out.size());
    return out;
  }
  std::string flush() { return std::exchange(held_, ""); }
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

/// What the command line says.
struct GenerateOptions {
  ModelOptions model;
  std::string tokenizer, prompt, prompt_file, standard_input, stats_json, save_session, load_session, batch, out;
  bool has_prompt = false;                          // given in any of the three ways
  std::vector<const CLI::Option*> sampler_options;  // those that were given override a session's
  const CLI::Option* cache_format_option = nullptr;  // where it is not given, the session's format is taken
  Index count = 200;
  std::size_t rows = 16;
  goldfinch::SamplerSettings sampler;
  std::vector<std::string> stops;
  bool ignore_eos = false, stats = false;
};

struct Statistics {
  double load_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
  std::size_t prefill_tokens = 0, decode_tokens = 0, reused_tokens = 0;
  std::size_t weights_bytes = 0, state_bytes = 0, cache_bytes = 0, memo_bytes = 0;
};

/// Tokens that the frequency penalty leaves alone: those whose text is part of this one.
inline std::vector<bool> light_tokens(const goldfinch::Tokenizer& tokenizer) {
  std::vector<bool> light(static_cast<std::size_t>(tokenizer.vocabulary_size()));
  for (std::size_t i = 0; i < light.size(); ++i) light[i] = std::string_view(" \t0123456789").find(tokenizer.decode(static_cast<int>(i))) != std::string_view::npos;
  return light;
}

/// The tokens of a text to go on from, at least one.
inline std::vector<int> prompt_tokens(const goldfinch::Tokenizer& tokenizer, const std::string& text) {
  std::vector<int> tokens = tokenizer.encode(text);
  if (tokens.empty()) tokens.push_back(tokenizer.begin_of_text().value_or(0));
  return tokens;
}

/// One of many prompts, and what holds for it.
struct Prompt {
  nlohmann::ordered_json id;  // comes out with the text as it went in; null: none
  std::string text, where;    // where it stands, for messages
  std::vector<int> tokens = {};
  goldfinch::SamplerSettings sampler;
  Index count;
};

/// How prompts are written down and texts come out, for --help.
extern const char* const batch_format;

/// The prompts of options.batch. Throws Error naming file and line where one is malformed.
std::vector<Prompt> read_prompts(const GenerateOptions& options);

/// Goes on from all prompts, options.rows at a time, into options.out. Throws Interrupted, or Error; what is finished by then is in
/// the journal beside options.out, and another call begins with it.
void write_batch(std::vector<Prompt> prompts, const Engine& engine, const goldfinch::Tokenizer& tokenizer,
                 const goldfinch::SessionIdentity& identity, const GenerateOptions& options, Statistics& statistics);

}  // namespace tool
