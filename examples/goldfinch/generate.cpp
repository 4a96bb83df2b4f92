// goldfinch generate: text from a prompt.
#include "generate.hpp"

#include <iostream>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/fingerprint.hpp"
#include "goldfinch/tokenizer/stream_decoder.hpp"

namespace tool {
namespace {

void report(const Statistics& s, const GenerateOptions& options) {
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
    goldfinch::write_file(options.stats_json, json.dump(2) + "\n");
  }
}

/// What a run does with tokens: it goes on from a session or begins one.
class Generation {
 public:
  Generation(const Engine& engine, const goldfinch::Tokenizer& tokenizer, const GenerateOptions& options, Statistics& statistics)
      : engine_(engine), tokenizer_(tokenizer), options_(options), statistics_(statistics) {}

  /// Goes on from a session: its tokens, state and sampler, but for the settings that flags gave.
  void resume(goldfinch::Session session, const goldfinch::SamplerSettings& flags, const std::vector<std::string>& given) {
    session_ = std::move(session);
    goldfinch::visit_settings([&](const char* key, auto member) {
      std::string flag = "--" + std::string(key);
      std::replace(flag.begin(), flag.end(), '_', '-');
      if (std::find(given.begin(), given.end(), flag) != given.end()) session_.settings.*member = flags.*member;
    });
  }
  void begin(const goldfinch::SamplerSettings& settings) { session_.settings = settings; }

  /// Makes the sequence one that has seen `tokens`: computes what follows a session's tokens, or all where they differ.
  void read(const std::vector<int>& tokens) {
    const auto& seen = session_.tokens;
    const auto same = static_cast<std::size_t>(std::mismatch(seen.begin(), seen.end(), tokens.begin(), tokens.end()).first - seen.begin());
    if (same < seen.size()) go_back(same);
    if (!session_.sequence) session_.sequence = engine_.start();
    statistics_.reused_tokens = seen.size();
    session_.ended = false;
    keep_point();
    feed(std::vector<int>(tokens.begin() + static_cast<std::ptrdiff_t>(seen.size()), tokens.end()));
    keep_point();
  }

  /// A session that ended with the end of the text goes on only if that is asked for: then the end of text is a token like others.
  bool go_on_after_end() {
    if (!session_.ended) return true;
    if (!options_.ignore_eos) return false;
    session_.ended = false;
    feed({tokenizer_.end_of_text().value()});
    return true;
  }

  /// Draws and prints up to `count` tokens. With `keep_state` the last one is evaluated too, so that the session can go on.
  void write(Index count, bool keep_state) {
    goldfinch::Sampler sampler(session_.settings, light_tokens(tokenizer_));
    sampler.resume(session_.drawn, session_.counts);
    goldfinch::StreamDecoder decoder(tokenizer_);
    StopFilter filter(options_.stops);
    const double since = now();
    const auto remember = [&] {
      session_.drawn = sampler.index();
      session_.counts = sampler.counts();
    };
    const auto finish = [&] {
      if (!filter.stopped()) write_output(filter.push(decoder.flush()) + filter.flush());
      if (::isatty(1)) write_output("\n");
      statistics_.decode_seconds = now() - since;
    };
    bool whole = true;  // no token is drawn but not yet written
    try {
      for (Index i = 0; i < count && !filter.stopped(); ++i) {
        check_interrupt();
        const int token = sampler.draw(session_.logits.data(), session_.logits.cols());
        if (!options_.ignore_eos && token == tokenizer_.end_of_text()) {
          session_.ended = true;
          remember();
          break;
        }
        whole = false;
        write_output(filter.push(decoder.push(token)));  // may be interrupted; the session then draws this token again
        whole = true;
        remember();
        if ((i + 1 == count || filter.stopped()) && !keep_state) break;
        session_.logits = engine_.forward({{std::span(&token, 1), session_.sequence.get()}});
        session_.tokens.push_back(token);
        ++statistics_.decode_tokens;
      }
    } catch (const Interrupted&) {
      if (whole) finish();
      throw;
    }
    finish();
  }

  const goldfinch::Session& session() const { return session_; }

 private:
  /// Leaves of the session what goes before a prompt that has only its first `same` tokens: goes back to the last point kept there,
  /// or begins anew. The sampler begins anew in both cases.
  void go_back(std::size_t same) {
    std::cerr << "goldfinch: " << options_.load_session << ": the prompt differs from the session at token " << same << " of " << session_.tokens.size();
    goldfinch::Session session;
    session.settings = session_.settings;
    if (const auto* kept = session_.points.rollback(static_cast<Index>(same))) {
      session.sequence = kept->sequence->fork();
      session.logits = kept->logits;
      const Index position = kept->sequence->position();
      session.tokens.assign(session_.tokens.begin(), session_.tokens.begin() + position);
      session_.points.forget_after(position);
      session.points = std::move(session_.points);
      std::cerr << "; going on from token " << position << "\n";
    } else {
      std::cerr << "; starting anew\n";
    }
    session_ = std::move(session);
  }

  /// The ends of prompts, and what a prompt is put behind, are where a text is likely to take another way.
  void keep_point() {
    if (!options_.save_session.empty() && !session_.tokens.empty()) session_.points.checkpoint(*session_.sequence, session_.logits);
  }

  void feed(const std::vector<int>& tokens) {
    if (tokens.empty()) return;
    StatusLine status;
    const double since = now();
    session_.logits = engine_.prefill({{tokens, session_.sequence.get()}}, goldfinch::Model<double>::default_chunk, [&](Index done) {
      check_interrupt();
      if (tokens.size() > 4096) status.show("reading the prompt " + progress_bar(static_cast<double>(done), static_cast<double>(tokens.size()), now() - since));
    });
    session_.tokens.insert(session_.tokens.end(), tokens.begin(), tokens.end());
    statistics_.prefill_tokens += tokens.size();
    statistics_.prefill_seconds += now() - since;
  }

  const Engine& engine_;
  const goldfinch::Tokenizer& tokenizer_;
  const GenerateOptions& options_;
  Statistics& statistics_;
  goldfinch::Session session_;
};

int generate(GenerateOptions options) {
  if (options.model.model.empty()) options.model.model = find_data("demo/goldfinch-demo.safetensors");
  for (const auto& stop : options.stops)
    if (stop.empty()) fail("--stop: is empty");
  options.sampler.validate();
  for (const auto* path : {&options.save_session, &options.stats_json, &options.out})
    if (!path->empty()) goldfinch::AtomicFile probe(*path);  // an unwritable path is better known before the work than after
  std::vector<std::string> given;
  for (const auto* option : options.sampler_options)
    if (option->count() > 0) given.push_back(option->get_name());
  const std::string prompt = !options.standard_input.empty() ? read_text("-") : !options.prompt_file.empty() ? read_text(options.prompt_file) : options.prompt;
  const bool sessions = !options.save_session.empty() || !options.load_session.empty(), batch = !options.batch.empty();
  std::vector<Prompt> prompts = batch ? read_prompts(options) : std::vector<Prompt>();

  if (!options.load_session.empty() && options.cache_format_option->count() == 0)
    options.model.cache_format = goldfinch::cache_format_of_session(options.load_session);

  Statistics statistics;
  const double start = now();
  goldfinch::SessionIdentity identity;
  const auto engine = options.model.open(sessions || batch ? &identity.model : nullptr);
  options.tokenizer = choose_tokenizer(options.tokenizer, options.model.model, engine->dimensions().V);
  const auto tokenizer = open_tokenizer_for(options.tokenizer, options.model.model, engine->dimensions().V);
  if (sessions || batch) identity.tokenizer = goldfinch::tokenizer_fingerprint(options.tokenizer);
  identity.precision = options.model.precision;
  identity.cache_format = options.model.cache_format;
  statistics.weights_bytes = engine->weights_bytes();
  if (batch) {
    statistics.load_seconds = now() - start;
    write_batch(std::move(prompts), *engine, *tokenizer, identity, options, statistics);
    report(statistics, options);
    return 0;
  }

  Generation generation(*engine, *tokenizer, options, statistics);
  if (options.load_session.empty()) generation.begin(options.sampler);
  else generation.resume(goldfinch::load_session(options.load_session, *engine, identity), options.sampler, given);
  statistics.load_seconds = now() - start;
  const auto finish = [&] {
    if (!options.save_session.empty()) goldfinch::save_session(options.save_session, generation.session(), identity);
    statistics.state_bytes = generation.session().sequence->state_bytes();
    statistics.cache_bytes = generation.session().sequence->cache_bytes();
    statistics.memo_bytes = engine->memo_bytes();
    report(statistics, options);
  };

  // One region of threads for the whole text (core/parallel.hpp).
  goldfinch::with_workers([&] {
    if (options.load_session.empty() || options.has_prompt) {
      const std::vector<int> tokens = prompt_tokens(*tokenizer, prompt);
      write_output(prompt);
      generation.read(tokens);
    } else {
      statistics.reused_tokens = generation.session().tokens.size();
    }
    try {
      if (generation.go_on_after_end()) generation.write(options.count, !options.save_session.empty());
    } catch (const Interrupted&) {
      finish();
      throw;
    }
  });
  finish();
  return 0;
}

}  // namespace

void add_generate(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("generate", "Write text that goes on from a prompt");
  const auto options = std::make_shared<GenerateOptions>();
  auto& o = *options;
  command.footer(batch_format);
  command.add_option("--model", o.model.model, "Checkpoint, .safetensors or .pth (default: the demo model)");
  command.add_option("--tokenizer", o.tokenizer, "World vocabulary, SentencePiece model, or \"bytes\" (default: the only one beside the model)");
  auto* prompt = command.add_option("--prompt", o.prompt, "The text to go on from (--prompt=TEXT if it begins with a dash)");
  auto* file = command.add_option("--prompt-file", o.prompt_file, "A file with that text")->excludes(prompt);
  auto* input = command.add_option("input", o.standard_input, "A single dash: the text comes from standard input")->check(CLI::IsMember({"-"}))->excludes(prompt)->excludes(file);
  const auto not_empty = [](const std::string& text) { return std::string(text.empty() ? "is empty" : ""); };
  auto* batch = command.add_option("--batch", o.batch, "A file of prompts to go on from together, one a line; see below")->check(not_empty)->excludes(prompt)->excludes(file)->excludes(input);
  auto* out = command.add_option("--out", o.out, "Where the texts of --batch go, one JSON object a line, in the order of the prompts")->check(not_empty)->needs(batch);
  batch->needs(out);
  command.add_option("--rows", o.rows, "Prompts of --batch that are decoded at a time; changes time and memory, not a bit")->check(CLI::Range(1, 1024))->needs(batch)->capture_default_str();
  command.add_option("-n,--count", o.count, "Tokens to write at most")->check(CLI::Range(Index{0}, Index{1} << 40))->capture_default_str();
  const auto sampling = [&o](CLI::Option* option) { o.sampler_options.push_back(option->capture_default_str()); };
  sampling(command.add_option("--temperature", o.sampler.temperature, "0: always the likeliest token"));
  sampling(command.add_option("--top-p", o.sampler.top_p, "Draw from the likeliest tokens that together have this probability; 1: all"));
  sampling(command.add_option("--top-k", o.sampler.top_k, "Draw from this many likeliest tokens; 0: all"));
  sampling(command.add_option("--min-p", o.sampler.min_p, "Leave out tokens less likely than this times the likeliest"));
  sampling(command.add_option("--presence-penalty", o.sampler.presence_penalty, "Taken off the logit of every token written so far"));
  sampling(command.add_option("--frequency-penalty", o.sampler.frequency_penalty, "Taken off once for each time it was written"));
  sampling(command.add_option("--penalty-decay", o.sampler.penalty_decay, "What a count keeps from token to token"));
  sampling(add_seed(command, o.sampler.seed, "The same seed draws the same text"));
  command.add_option("--stop", o.stops, "Stop before this text; may be given several times")->allow_extra_args(false);
  command.add_flag("--ignore-eos", o.ignore_eos, "Go on after the end of text");
  command.add_flag("--stats", o.stats, "Speed and memory on standard error");
  command.add_option("--stats-json", o.stats_json, "The same as JSON into a file");
  command.add_option("--save-session", o.save_session, "Write all that is needed to go on into this file at the end")->excludes(batch);
  command.add_option("--load-session", o.load_session, "Go on from such a file; with a prompt, only what the session has not seen is computed. Sampler and cache format are the session's, but for flags given")->excludes(batch);
  o.model.add(command, "f32");
  o.model.add_cache_options(command);
  o.cache_format_option = command.get_option("--cache-format");
  command.callback([options, prompt, file, input, &run] {
    options->has_prompt = prompt->count() + file->count() + input->count() > 0;
    run = [options] { return generate(*options); };
  });
}

}  // namespace tool
