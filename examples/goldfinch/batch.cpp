// goldfinch generate --batch: texts from many prompts, decoded together; each is the text that its prompt gives alone.
#include "generate.hpp"

#include <filesystem>
#include <iostream>
#include <map>

#include "batch_line.hpp"
#include "goldfinch/generate/batch.hpp"
#include "journal.hpp"

namespace tool {

const char* const batch_format =
    "--batch: a line is a JSON object with \"prompt\" and, at will, \"id\", \"count\", \"temperature\", \"top_p\", \"top_k\", \"min_p\",\n"
    "\"repeat_penalty\", \"repeat_last_n\", \"presence_penalty\", \"frequency_penalty\", \"penalty_decay\", \"seed\", \"stop\" (a text or a list of\n"
    "texts) and \"logit_bias\" ({\"ID\": number}). What it leaves out is as the flags say, --seed too: every text is the one that its prompt\n"
    "gives alone with those settings. Out come \"index\" (from 0), \"id\", \"text\" (what follows the prompt), \"tokens\" and \"finish\": count,\n"
    "end, stop, or error where a text could not go on (\"error\" says why, and the exit code is 2 when all others are done). Bytes that are\n"
    "not UTF-8 come out as U+FFFD, and \"utf8\" is then false. Finished texts are kept in OUT.partial until all are there: after a kill, the\n"
    "same command goes on from it. With --out - they come as soon as all before them are there, and nothing is kept.";

namespace {

using nlohmann::ordered_json;

/// What a journal must be of for a run to go on from it.
ordered_json describe(const std::vector<Prompt>& prompts, const goldfinch::SessionIdentity& identity, const GenerateOptions& options) {
  goldfinch::Sha256 texts, settings;
  const auto add = [](goldfinch::Sha256& sha, const std::string& text) {
    const std::string sized = std::to_string(text.size()) + " " + text;
    sha.update(sized.data(), sized.size());
  };
  for (const Prompt& prompt : prompts) {
    add(texts, prompt.text);
    add(texts, prompt.id.dump());
    ordered_json json;
    settings_of(prompt, [&](const char* key, const auto& member) { json[key] = member; });
    for (const auto& [token, bias] : prompt.sampler.logit_bias) json["logit_bias"].push_back({token, bias});
    json["banned"] = prompt.sampler.banned;
    add(settings, json.dump());
    add(settings, std::to_string(prompt.stops.size()));
    for (const auto& stop : prompt.stops) add(settings, stop);
  }
  add(settings, options.ignore_eos ? "ignore the end of text" : "");
  return {{"the version of its format", 2},      {"the version of the arithmetic", identity.numerics},
          {"the model", identity.model},         {"the tokenizer", identity.tokenizer},
          {"the precision", identity.precision}, {"the cache format", identity.cache_format},
          {"the prompts", texts.finish()},       {"the settings", settings.finish()}};
}

/// The text that follows one prompt, as it comes.
class Text {
 public:
  Text(const goldfinch::Tokenizer& tokenizer, const GenerateOptions& options, const Prompt& prompt)
      : continuation_(tokenizer, prompt.stops, options.ignore_eos, prompt.count, goldfinch::at_start_of_text(tokenizer, prompt.tokens)) {}

  /// Whether there is more to come.
  bool goes_on() const { return continuation_.goes_on(); }
  void push(int token) { text_ += continuation_.push(token); }
  Index tokens() const { return continuation_.tokens(); }

  /// The line that comes out; call it when nothing more comes. `error`: why nothing can.
  std::string result(std::size_t index, const ordered_json& id, const std::string& error = "") {
    text_ += continuation_.flush();
    ordered_json json = {{"index", index}};
    if (!id.is_null()) json["id"] = id;
    json["text"] = text_;
    json["tokens"] = tokens();
    json["finish"] = error.empty() ? continuation_.finish() : "error";
    if (!error.empty()) json["error"] = error;
    if (!goldfinch::is_utf8(text_)) json["utf8"] = false;
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  }

 private:
  goldfinch::Continuation continuation_;
  std::string text_;
};

/// How a line spells the number at its key "id", if that is no whole number of 64 bits.
class SpellingOfId : public nlohmann::json_sax<ordered_json> {
 public:
  static std::string in(std::string_view line) {
    SpellingOfId sax;
    ordered_json::sax_parse(line, &sax);
    return sax.spelling_;
  }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t& spelling) override {
    if (depth_ == 1 && key_ == "id") spelling_ = spelling;
    return true;
  }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return ++depth_, true; }
  bool key(string_t& name) override {
    if (depth_ == 1) key_ = name;
    return true;
  }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t) override { return ++depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  int depth_ = 0;
  std::string key_, spelling_;
};

/// Throws Error where a number at "id" would not come out as it went in: nobody would find the text that belongs to it.
void check_id(const Prompt& prompt, std::string_view line) {
  if (!prompt.id.is_number_float()) return;
  const std::string spelling = SpellingOfId::in(line), out = prompt.id.dump();
  if (spelling != out)
    fail(prompt.where, ": id is ", goldfinch::in_quotes(spelling), ", which would come out as ", out, "; a string comes out as it is");
}

bool is_error(std::string_view result) { return ordered_json::parse(result).contains("error"); }

/// Whether lines go to `out` as they come: to a descriptor that is open already, to a pipe or a device.
bool is_stream(const std::string& out) {
  std::error_code error;
  const auto kind = std::filesystem::status(out, error).type();
  return goldfinch::follow_links(out).is_open() || (kind != std::filesystem::file_type::not_found && kind != std::filesystem::file_type::regular);
}

/// Where the lines go: into a journal, and from there into a file, all at once; or to a stream, each as soon as all
/// before it are there.
class Results {
 public:
  Results(const GenerateOptions& options, const ordered_json& about, std::size_t count) : out_(options.out), count_(count) {
    if (!is_stream(out_)) journal_.emplace(out_ + ".partial", about, count);
    else if (goldfinch::follow_links(out_).descriptor != 1) stream_.emplace(out_);
  }

  std::size_t size() const { return journal_ ? journal_->size() : next_ + waiting_.size(); }
  bool has(std::size_t index) const { return journal_ && journal_->has(index); }

  void append(std::size_t index, const std::string& line) {
    if (journal_) return journal_->append(index, line);
    waiting_[index] = line + "\n";
    for (auto first = waiting_.begin(); first != waiting_.end() && first->first == next_; first = waiting_.erase(first), ++next_) {
      failed_ += is_error(first->second);
      if (stream_) stream_->write(first->second.data(), first->second.size());
      else write_output(first->second);
      if (stream_ ? stream_->reader_gone() : output_closed())
        fail(stream_ ? out_ : "standard output", ": its reader has gone away after ", next_, " of ", count_, " lines");
    }
  }

  /// All are there. Returns how many are errors.
  std::size_t finish() {
    if (journal_) journal_->deliver(out_, [&](std::string_view line) { failed_ += is_error(line); });
    if (stream_) stream_->commit();
    return failed_;
  }

 private:
  std::string out_;
  std::size_t count_;
  std::optional<Journal> journal_;
  std::optional<goldfinch::AtomicFile> stream_;
  std::map<std::size_t, std::string> waiting_;
  std::size_t next_ = 0, failed_ = 0;
};

}  // namespace

void prepare_batch_output(const GenerateOptions& options) {
  if (!is_stream(options.out)) claim_output("--out's journal", options.out + ".partial");
}

std::vector<Prompt> read_prompts(const GenerateOptions& options) {
  const std::string text = read_text(options.batch);
  std::vector<Prompt> prompts;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = (options.batch == "-" ? "standard input" : options.batch) + ", line " + std::to_string(number);
    prompts.push_back({.id = nullptr, .text = "", .where = where, .sampler = options.sampler, .count = options.count, .stops = options.stops});
    read_line(line, prompts.back());
    check_id(prompts.back(), line);
  }
  return prompts;
}

std::size_t write_batch(std::vector<Prompt> prompts, const Engine& engine, const goldfinch::Tokenizer& tokenizer,
                        const goldfinch::SessionIdentity& identity, const GenerateOptions& options, Statistics& statistics) {
  for (Prompt& prompt : prompts) try {
      goldfinch::Sampler(prompt.sampler).check_vocabulary(engine.dimensions().V);
      prompt.tokens = goldfinch::prompt_tokens(tokenizer, prompt.text);
    } catch (const goldfinch::Error& error) {
      fail(prompt.where, ": ", error.what());
    }
  Results results(options, describe(prompts, identity, options), prompts.size());
  if (results.size() > 0)
    std::cerr << "goldfinch: " << options.out << ".partial: going on, " << results.size() << " of " << prompts.size() << " prompts are done\n";

  double expected = 0, done = 0;  // tokens, at most; those of texts that have ended, as if they had come to their full length
  for (std::size_t i = 0; i < prompts.size(); ++i)
    if (!results.has(i)) expected += static_cast<double>(prompts[i].count);
  std::map<std::size_t, Text> texts;  // of the prompts in the batch
  const auto finish = [&](std::size_t i, Text& text, const std::string& error = "") {
    results.append(i, text.result(i, prompts[i].id, error));
    done += static_cast<double>(prompts[i].count);
  };

  const auto light = goldfinch::light_tokens(tokenizer);
  goldfinch::Batch batch(engine, options.rows);
  StatusLine status;
  const double start = now();
  double shown = start, in_progress = 0;  // tokens of the texts in the batch
  const auto show = [&] {
    if (now() < shown + 0.1) return;
    shown = now();
    const std::string count = std::to_string(results.size()) + " of " + std::to_string(prompts.size()) + " prompts ";
    status.show(count + progress_bar(done + in_progress, expected, shown - start));
  };
  goldfinch::with_workers([&] {  // one region of threads for all texts (core/parallel.hpp)
    for (std::size_t next = 0;;) {
      double since = now();
      std::vector<goldfinch::Batch::Request> joining;
      for (; next < prompts.size() && joining.size() < batch.free_rows(); ++next) {
        if (results.has(next)) continue;
        Prompt& prompt = prompts[next];
        Text text(tokenizer, options, prompt);
        if (!text.goes_on()) {  // no tokens are asked for
          finish(next, text);
          continue;
        }
        texts.emplace(next, std::move(text));
        statistics.prefill_tokens += prompt.tokens.size();
        joining.push_back({next, std::move(prompt.tokens), goldfinch::Sampler(prompt.sampler, light)});
      }
      batch.join(std::move(joining), [&](Index) { show(); });
      statistics.prefill_seconds += now() - since;
      if (batch.size() == 0) break;

      since = now();
      statistics.state_bytes = std::max(statistics.state_bytes, batch.state_bytes());
      statistics.cache_bytes = std::max(statistics.cache_bytes, batch.cache_bytes());
      in_progress = 0;
      const auto take = [&](std::size_t i, int token) {
        Text& text = texts.at(i);
        text.push(token);
        if (text.goes_on()) {
          in_progress += static_cast<double>(text.tokens());
          return true;
        }
        finish(i, text);
        texts.erase(i);
        return false;
      };
      batch.step(take, [&](std::size_t i, const std::string& why) {
        finish(i, texts.at(i), why);
        texts.erase(i);
      });
      statistics.decode_tokens += batch.size();
      statistics.decode_seconds += now() - since;
      show();
    }
  });
  statistics.memo_bytes = engine.memo_bytes();
  return results.finish();
}

}  // namespace tool
