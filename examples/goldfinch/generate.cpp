// goldfinch generate: text from a prompt.
#include "command.hpp"

#include <iostream>

#include <nlohmann/json.hpp>

#include "goldfinch/generate/sampler.hpp"
#include "goldfinch/tokenizer/stream_decoder.hpp"

namespace tool {
namespace {

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

struct Options {
  ModelOptions model;
  std::string tokenizer, prompt, prompt_file, standard_input, stats_json;
  Index count = 200;
  goldfinch::SamplerSettings sampler;
  std::vector<std::string> stops;
  bool ignore_eos = false, stats = false;
};

struct Statistics {
  double load_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
  std::size_t prefill_tokens = 0, decode_tokens = 0, reused_tokens = 0;
  std::size_t weights_bytes = 0, state_bytes = 0, cache_bytes = 0, memo_bytes = 0;
};

void report(const Statistics& s, const Options& options) {
  const auto rate = [](std::size_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0; };
  if (options.stats) {
    std::cerr << "load     " << s.load_seconds << " s, weights " << human_bytes(static_cast<double>(s.weights_bytes)) << "\n"
              << "pre-fill " << s.prefill_tokens << " tokens, " << rate(s.prefill_tokens, s.prefill_seconds) << " tokens/s (" << s.reused_tokens << " reused)\n"
              << "decode   " << s.decode_tokens << " tokens, " << rate(s.decode_tokens, s.decode_seconds) << " tokens/s\n"
              << "memory   state " << human_bytes(static_cast<double>(s.state_bytes)) << ", cache " << human_bytes(static_cast<double>(s.cache_bytes)) << ", memo "
              << human_bytes(static_cast<double>(s.memo_bytes)) << ", peak " << human_bytes(static_cast<double>(peak_rss())) << "\n";
  }
  if (!options.stats_json.empty()) {
    const nlohmann::ordered_json json = {
        {"load_seconds", s.load_seconds},     {"prefill_tokens", s.prefill_tokens}, {"prefill_seconds", s.prefill_seconds},
        {"decode_tokens", s.decode_tokens},   {"decode_seconds", s.decode_seconds}, {"reused_tokens", s.reused_tokens},
        {"weights_bytes", s.weights_bytes},   {"state_bytes", s.state_bytes},       {"cache_bytes", s.cache_bytes},
        {"memo_bytes", s.memo_bytes},         {"peak_rss_bytes", peak_rss()}};
    const std::string text = json.dump(2) + "\n";
    goldfinch::AtomicFile file(options.stats_json);
    file.write(text.data(), text.size());
    file.commit();
  }
}

/// Tokens that the frequency penalty leaves alone: those whose text is part of this one.
std::vector<bool> light_tokens(const goldfinch::Tokenizer& tokenizer) {
  std::vector<bool> light(static_cast<std::size_t>(tokenizer.vocabulary_size()));
  for (std::size_t i = 0; i < light.size(); ++i) light[i] = std::string_view(" \t0123456789").find(tokenizer.decode(static_cast<int>(i))) != std::string_view::npos;
  return light;
}

int generate(Options options) {
  const bool demo = options.model.model.empty();
  if (demo) options.model.model = find_data("demo/goldfinch-demo.safetensors");
  for (const auto& stop : options.stops)
    if (stop.empty()) fail("--stop: is empty");
  options.sampler.validate();
  const std::string prompt = !options.standard_input.empty() ? read_text("-") : !options.prompt_file.empty() ? read_text(options.prompt_file) : options.prompt;

  Statistics statistics;
  const double start = now();
  const auto engine = options.model.open();
  const auto tokenizer = open_tokenizer_for(options.tokenizer, options.model.model, engine->dimensions().V);
  statistics.load_seconds = now() - start;
  statistics.weights_bytes = engine->weights_bytes();

  std::vector<int> tokens = tokenizer->encode(prompt);
  if (tokens.empty()) tokens.push_back(tokenizer->begin_of_text().value_or(0));
  write_output(prompt);

  const auto sequence = engine->start();
  double since = now();
  goldfinch::Matrix<double> logits;
  {
    StatusLine status;
    logits = engine->prefill({{tokens, sequence.get()}}, goldfinch::Model<double>::default_chunk, [&](Index done) {
      check_interrupt();
      if (tokens.size() > 4096) status.show("reading the prompt " + progress_bar(static_cast<double>(done), static_cast<double>(tokens.size()), now() - since));
    });
  }
  statistics.prefill_tokens = tokens.size();
  statistics.prefill_seconds = now() - since;

  goldfinch::Sampler sampler(options.sampler, light_tokens(*tokenizer));
  goldfinch::StreamDecoder decoder(*tokenizer);
  StopFilter filter(options.stops);
  const auto finish = [&] {
    if (!filter.stopped()) write_output(filter.push(decoder.flush()) + filter.flush());
    if (::isatty(1)) write_output("\n");
    statistics.decode_seconds = now() - since;
    statistics.state_bytes = sequence->state_bytes();
    statistics.cache_bytes = sequence->cache_bytes();
    report(statistics, options);
  };
  since = now();
  try {
    for (Index i = 0; i < options.count; ++i) {
      const int token = sampler.draw(logits.data(), logits.cols());
      if (!options.ignore_eos && token == tokenizer->end_of_text()) break;
      write_output(filter.push(decoder.push(token)));
      if (filter.stopped() || i + 1 == options.count) break;
      check_interrupt();
      logits = engine->forward({{std::span(&token, 1), sequence.get()}});
      ++statistics.decode_tokens;
    }
  } catch (const Interrupted&) {
    finish();
    throw;
  }
  finish();
  return 0;
}

}  // namespace

void add_generate(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("generate", "Write text that goes on from a prompt");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  command.add_option("--model", o.model.model, "Checkpoint, .safetensors or .pth (default: the demo model)");
  command.add_option("--tokenizer", o.tokenizer, "World vocabulary, SentencePiece model, or \"bytes\" (default: the only one beside the model)");
  auto* prompt = command.add_option("--prompt", o.prompt, "The text to go on from (--prompt=TEXT if it begins with a dash)");
  auto* file = command.add_option("--prompt-file", o.prompt_file, "A file with that text")->excludes(prompt);
  command.add_option("input", o.standard_input, "A single dash: the text comes from standard input")->check(CLI::IsMember({"-"}))->excludes(prompt)->excludes(file);
  command.add_option("-n,--count", o.count, "Tokens to write at most")->check(CLI::Range(Index{0}, Index{1} << 40))->capture_default_str();
  command.add_option("--temperature", o.sampler.temperature, "0: always the likeliest token")->capture_default_str();
  command.add_option("--top-p", o.sampler.top_p, "Draw from the likeliest tokens that together have this probability; 1: all")->capture_default_str();
  command.add_option("--top-k", o.sampler.top_k, "Draw from this many likeliest tokens; 0: all")->capture_default_str();
  command.add_option("--min-p", o.sampler.min_p, "Leave out tokens less likely than this times the likeliest")->capture_default_str();
  command.add_option("--presence-penalty", o.sampler.presence_penalty, "Taken off the logit of every token written so far")->capture_default_str();
  command.add_option("--frequency-penalty", o.sampler.frequency_penalty, "Taken off once for each time it was written")->capture_default_str();
  command.add_option("--penalty-decay", o.sampler.penalty_decay, "What a count keeps from token to token")->capture_default_str();
  command.add_option("--seed", o.sampler.seed, "The same seed draws the same text")->capture_default_str();
  command.add_option("--stop", o.stops, "Stop before this text; may be given several times")->allow_extra_args(false);
  command.add_flag("--ignore-eos", o.ignore_eos, "Go on after the end of text");
  command.add_flag("--stats", o.stats, "Speed and memory on standard error");
  command.add_option("--stats-json", o.stats_json, "The same as JSON into a file");
  o.model.add(command, "f32");
  command.callback([options, &run] { run = [options] { return generate(*options); }; });
}

}  // namespace tool
