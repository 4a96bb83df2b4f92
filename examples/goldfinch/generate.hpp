// What generating from one prompt (generate.cpp) and from many (batch.cpp) share.
#pragma once

#include "command.hpp"

#include <nlohmann/json.hpp>

#include "goldfinch/generate/continuation.hpp"
#include "goldfinch/generate/session.hpp"

namespace tool {

/// What the program draws with where nothing is said: at temperature 1, among all tokens, small models write gibberish.
inline goldfinch::SamplerSettings default_settings() {
  goldfinch::SamplerSettings settings;
  settings.temperature = 0.7;
  settings.top_p = 0.9;
  return settings;
}

/// What the command line says.
struct GenerateOptions {
  ModelOptions model;
  std::string tokenizer, prompt, prompt_file, standard_input, stats_json, save_session, load_session, batch, out;
  bool has_prompt = false;                          // given in any of the three ways
  std::vector<const CLI::Option*> sampler_options;  // those that were given override a session's
  const CLI::Option* cache_format_option = nullptr;  // where it is not given, the session's format is taken
  Index count = 200;
  std::size_t rows = 16;
  goldfinch::SamplerSettings sampler = default_settings();
  std::vector<std::string> biases, stops;
  bool ignore_eos = false, stats = false;
};

struct Statistics {
  double load_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
  std::size_t prefill_tokens = 0, decode_tokens = 0, reused_tokens = 0;
  std::size_t weights_bytes = 0, state_bytes = 0, cache_bytes = 0, memo_bytes = 0;
};

/// One of many prompts, and what holds for it.
struct Prompt {
  nlohmann::ordered_json id;  // comes out with the text as it went in; null: none
  std::string text, where;    // where it stands, for messages
  std::vector<int> tokens = {};
  goldfinch::SamplerSettings sampler;
  Index count;
  std::vector<std::string> stops = {};
};

/// The values of --logit-bias, "15043-1.5" as in llama.cpp, put into the settings; -inf bans the token. Throws Error
/// for other texts.
void read_biases(const std::vector<std::string>& texts, goldfinch::SamplerSettings& settings);

/// How prompts are written down and texts come out, for --help.
extern const char* const batch_format;

/// Checks options.out for --batch, before anything is read. Throws Error if it cannot be written, or nothing beside it.
void prepare_batch_output(const GenerateOptions& options);

/// The prompts of options.batch. Throws Error naming file and line where one is malformed.
std::vector<Prompt> read_prompts(const GenerateOptions& options);

/// Goes on from all prompts, options.rows at a time, into options.out; returns how many of them failed, which their
/// lines say. If it is a file: where this ends early, what is finished by then is in the journal beside it, and another
/// call begins with that.
std::size_t write_batch(std::vector<Prompt> prompts, const Engine& engine, const goldfinch::Tokenizer& tokenizer,
                 const goldfinch::SessionIdentity& identity, const GenerateOptions& options, Statistics& statistics);

}  // namespace tool
