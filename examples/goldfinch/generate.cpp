// goldfinch generate: text from a prompt.
#include "generate.hpp"

#include <iostream>

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/fingerprint.hpp"

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
    if (std::find(given.begin(), given.end(), "--logit-bias") == given.end()) return;
    session_.settings.logit_bias = flags.logit_bias;
    session_.settings.banned = flags.banned;
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
    session_.unwritten.clear();  // it is part of the prompt, or gone with the text that was left
    keep_point();
    feed(std::vector<int>(tokens.begin() + static_cast<std::ptrdiff_t>(seen.size()), tokens.end()));
    keep_point();
  }

  /// A session that ended with the end of the text goes on only if that is asked for: then the end of text is a token
  /// like others. Returns whether there is anything to draw.
  bool go_on_after_end() {
    if (!session_.ended) return true;
    if (!options_.ignore_eos) return false;
    feed({tokenizer_.end_of_text().value()});
    session_.ended = false;
    after_end_ = true;
    return true;
  }

  /// Writes what the session has not written yet, then draws and writes up to `count` tokens. With `keep_state` the
  /// last one is evaluated too, and what may become a stop string stays unwritten, so that the session can go on. A
  /// signal, a reader who has gone away or an output that cannot be written end it early, with the session as whole as
  /// otherwise; then rethrow_early() throws.
  void write(Index count, bool keep_state) {
    goldfinch::Sampler sampler(session_.settings, goldfinch::light_tokens(tokenizer_));
    sampler.resume(session_.drawn, session_.counts);
    sampler.read(session_.tokens);
    goldfinch::Continuation text(tokenizer_, options_.stops, options_.ignore_eos, count, goldfinch::at_start_of_text(tokenizer_, session_.tokens));
    const double since = now();
    std::string out = text.take_up(session_.unwritten);  // to be written, and not yet
    if (session_.ended || after_end_) out += text.flush();  // no stop string reaches across the end
    if (text.stopped()) std::cerr << "goldfinch: " << options_.load_session << ": its text has come to a stop string; without that --stop it goes on\n";
    put(out);
    while (text.goes_on() && !early_ && !output_closed()) {
      int token = 0;
      try {
        token = sampler.draw(session_.logits.data(), session_.logits.cols());
      } catch (const goldfinch::Error&) {
        put(out += text.flush());
        throw;
      }
      put(out += text.push(token));
      session_.ended = text.ended();
      const bool last = !text.goes_on() || early_ || output_closed();
      if (session_.ended || (last && !keep_state)) break;
      session_.logits = engine_.forward({{std::span(&token, 1), session_.sequence.get()}});
      session_.tokens.push_back(token);
      ++statistics_.decode_tokens;
      if (!early_) try {
          check_interrupt();
        } catch (const Interrupted&) {
          early_ = std::current_exception();
        }
    }
    out += keep_state && !session_.ended ? text.leave() : text.flush();
    if (!early_ || !keep_state) put(out);
    session_.unwritten = out + text.held();
    session_.drawn = sampler.index();
    session_.counts = sampler.counts();
    statistics_.decode_seconds = now() - since;
  }

  void rethrow_early() const {
    if (early_) std::rethrow_exception(early_);
  }

  /// Writes the beginning of `out`, as much as can be written, and takes it away there.
  void put(std::string& out) {
    if (output_failed_) return;
    std::size_t written = 0;
    try {
      write_output(out, &written);
    } catch (...) {
      output_failed_ = true;
      early_ = std::current_exception();
    }
    if (written > 0) last_ = out[written - 1];
    out.erase(0, written);
  }

  /// On a terminal the text ends with a newline, so that what comes next does not stick to it.
  void end_line() const {
    if (::isatty(1) && last_ != '\n' && !output_failed_) write_output("\n");
  }

  const goldfinch::Session& session() const { return session_; }

 private:
  /// Leaves of the session what goes before a prompt that has only its first `same` tokens: goes back to the last point
  /// kept there, or begins anew. The sampler begins anew in both cases.
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
  bool after_end_ = false;      // an end of text has been read before the text that comes
  std::exception_ptr early_;    // what ended the writing early
  bool output_failed_ = false;  // nothing more can be written
  char last_ = '\n';            // that was written
};

}  // namespace

void read_biases(const std::vector<std::string>& texts, goldfinch::SamplerSettings& settings) {
  for (const std::string& text : texts) {
    const std::size_t sign = text.find_first_of("+-");
    if (sign == std::string::npos) fail("--logit-bias: ", goldfinch::in_quotes(text.substr(0, 40)), " is not a token's id, a sign and a number, such as 15043-1.5");
    const int token = parse_number<int>("--logit-bias", text.substr(0, sign), {0, std::numeric_limits<int>::max()});
    const std::string bias = text.substr(sign + (text[sign] == '+' ? 1 : 0));
    if (bias == "-inf") settings.banned.push_back(token);
    else settings.logit_bias.push_back({token, parse_number<double>("--logit-bias", bias)});
  }
}

namespace {

int generate(GenerateOptions options) {
  const bool batch = !options.batch.empty();
  if (options.model.model.empty()) options.model.model = demo_model();
  read_biases(options.biases, options.sampler);
  options.sampler.validate();
  if (batch) prepare_batch_output(options);
  std::vector<std::string> given;
  for (const auto* option : options.sampler_options)
    if (option->count() > 0) given.push_back(option->get_name());
  const std::string prompt = !options.standard_input.empty() ? read_text("-") : !options.prompt_file.empty() ? read_text(options.prompt_file) : options.prompt;
  const bool sessions = !options.save_session.empty() || !options.load_session.empty();
  std::vector<Prompt> prompts = batch ? read_prompts(options) : std::vector<Prompt>();

  if (!options.load_session.empty() && options.cache_format_option->count() == 0)
    options.model.cache_format = goldfinch::cache_format_of_session(options.load_session);

  Statistics statistics;
  const double start = now();
  goldfinch::SessionIdentity identity;
  const auto engine = options.model.open(sessions || batch ? &identity.model : nullptr);
  const Index V = engine->dimensions().V;
  try {
    goldfinch::Sampler(options.sampler).check_vocabulary(V);
  } catch (const goldfinch::Error& error) {
    fail("--logit-bias: ", error.what());
  }
  options.tokenizer = choose_tokenizer(options.tokenizer, options.model.model, V);
  const auto tokenizer = open_tokenizer_for(options.tokenizer, options.model.model, V);
  if (sessions || batch) identity.tokenizer = goldfinch::tokenizer_fingerprint(options.tokenizer);
  identity.precision = options.model.precision;
  identity.cache_format = options.model.cache_format;
  statistics.weights_bytes = engine->weights_bytes();
  if (batch) {
    statistics.load_seconds = now() - start;
    const std::size_t all = prompts.size();
    const std::size_t failed = write_batch(std::move(prompts), *engine, *tokenizer, identity, options, statistics);
    report(statistics, options);
    if (failed > 0) fail(options.out, ": ", failed, " of ", all, " prompts failed; the key \"error\" in their lines says why");
    return 0;
  }

  Generation generation(*engine, *tokenizer, options, statistics);
  if (options.load_session.empty()) generation.begin(options.sampler);
  else generation.resume(goldfinch::load_session(options.load_session, *engine, identity), options.sampler, given);
  statistics.load_seconds = now() - start;

  // One region of threads for the whole text (core/parallel.hpp).
  goldfinch::with_workers([&] {
    if (options.load_session.empty() || options.has_prompt) {
      const std::vector<int> tokens = goldfinch::prompt_tokens(*tokenizer, prompt);
      std::string out = prompt;
      generation.put(out);
      generation.rethrow_early();
      generation.read(tokens);
    } else {
      statistics.reused_tokens = generation.session().tokens.size();
    }
    const bool goes_on = generation.go_on_after_end();
    // Up to here a signal ends the program at once, and an earlier session stands. From here on it ends the text, and
    // the session is saved; a second one ends the program, and the earlier session stands.
    const CooperativeInterrupt guard;
    try {
      generation.write(goes_on ? options.count : 0, !options.save_session.empty());
      if (!options.save_session.empty()) goldfinch::save_session(options.save_session, generation.session(), identity);
    } catch (...) {
      generation.end_line();
      throw;
    }
    generation.end_line();
    statistics.state_bytes = generation.session().sequence->state_bytes();
    statistics.cache_bytes = generation.session().sequence->cache_bytes();
    statistics.memo_bytes = engine->memo_bytes();
    report(statistics, options);
    generation.rethrow_early();
  });
  return 0;
}

}  // namespace

void add_generate(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("generate", "Write text that goes on from a prompt");
  const auto options = std::make_shared<GenerateOptions>();
  auto& o = *options;
  command.footer(batch_format);
  add_model(command, o.model.model, "Checkpoint, .safetensors or .pth (default: the demo model)");
  add_input(command, "--tokenizer", o.tokenizer, "World vocabulary, SentencePiece model, or \"bytes\" (default: the only one beside the model)");
  auto* prompt = allow_empty(command.add_option("-p,--prompt", o.prompt, "The text to go on from (--prompt=TEXT if it begins with a dash)"));
  auto* file = add_input(command, "-f,--prompt-file", o.prompt_file, "A file with that text, all of it; - is standard input")->excludes(prompt);
  auto* input = add_input(command, "input", o.standard_input, "A single dash: the text comes from standard input")->excludes(prompt)->excludes(file);
  auto* batch = add_input(command, "--batch", o.batch, "A file of prompts to go on from together, one a line, see below; - is standard input")->excludes(prompt)->excludes(file)->excludes(input);
  auto* out = add_output(command, "--out", o.out, "Where the texts of --batch go, one JSON object a line, in the order of the prompts")->needs(batch);
  batch->needs(out);
  add_number(command, "--rows", o.rows, {1, 1024}, "Prompts of --batch that are decoded at a time; changes time and memory, not a bit")->needs(batch);
  add_number(command, "-n,--count,--n-predict", o.count, {0, Index{1} << 40}, "Tokens to write at most");
  const auto sampling = [&o](CLI::Option* option) { o.sampler_options.push_back(option); };
  sampling(add_number(command, "--temperature,--temp", o.sampler.temperature, {}, "0: always the likeliest token; 1 and --top-p 1: the model's own probabilities"));
  sampling(add_number(command, "--top-p", o.sampler.top_p, {}, "Draw from the likeliest tokens that together have this probability; 1: all"));
  sampling(add_number(command, "--top-k", o.sampler.top_k, {0, std::numeric_limits<Index>::max()}, "Draw from this many likeliest tokens; 0: all"));
  sampling(add_number(command, "--min-p", o.sampler.min_p, {}, "Leave out tokens less likely than this times the likeliest"));
  sampling(add_number(command, "--repeat-penalty", o.sampler.repeat_penalty, {},
                      "Logits of tokens that are in the text already, the prompt included, are divided by this, or multiplied where they are negative; 1: none (as in llama.cpp)"));
  sampling(add_number(command, "--repeat-last-n", o.sampler.repeat_last_n, {-1, std::numeric_limits<Index>::max()}, "How many of the last tokens that looks at; -1: all"));
  sampling(add_number(command, "--presence-penalty", o.sampler.presence_penalty, {}, "Taken off the logit of every token written so far"));
  sampling(add_number(command, "--frequency-penalty", o.sampler.frequency_penalty, {}, "Taken off once for each time it was written"));
  sampling(add_number(command, "--penalty-decay", o.sampler.penalty_decay, {}, "What a count keeps from token to token"));
  sampling(command.add_option("--logit-bias", o.biases, "ID+X or ID-X: added to the logit of that token, which ID-inf bans; may be given several times")->allow_extra_args(false));
  sampling(add_seed(command, o.sampler.seed, "The same seed draws the same text"));
  command.add_option("--stop", o.stops, "Stop before this text; may be given several times")->allow_extra_args(false);
  command.add_flag("--ignore-eos", o.ignore_eos, "Go on after the end of text");
  command.add_flag("--stats", o.stats, "Speed and memory on standard error");
  add_output(command, "--stats-json", o.stats_json, "The same as JSON into a file");
  auto* load = add_input(command, "--load-session", o.load_session, "Go on from such a file; with a prompt, only what the session has not seen is computed. Sampler and cache format are the session's, but for flags given")->excludes(batch);
  auto* save = add_output(command, "--save-session", o.save_session, "Write all that is needed to go on into this file at the end; what may become a --stop is then written by whoever goes on")->excludes(batch);
  may_replace(save, load);
  o.model.add(command, "f32");
  o.model.add_cache_options(command);
  o.cache_format_option = command.get_option("--cache-format");
  command.callback([options, prompt, file, input, &run] {
    if (input->count() > 0 && options->standard_input != "-") fail("input: is ", goldfinch::in_quotes(options->standard_input), ", expected a single dash (a prompt goes behind --prompt)");
    options->has_prompt = prompt->count() + file->count() + input->count() > 0;
    run = [options] { return generate(*options); };
  });
}

}  // namespace tool
