// goldfinch generate --batch: texts from many prompts, decoded together; each is the text that its prompt gives alone.
#include "generate.hpp"

#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "goldfinch/generate/batch.hpp"
#include "goldfinch/tokenizer/stream_decoder.hpp"
#include "journal.hpp"

namespace tool {

const char* const batch_format =
    "--batch: a line is a JSON object with \"prompt\" and, at will, \"id\", \"count\", \"temperature\", \"top_p\", \"top_k\", \"min_p\",\n"
    "\"presence_penalty\", \"frequency_penalty\", \"penalty_decay\" and \"seed\". What it leaves out is as the flags say, --seed too: every\n"
    "text is the one that its prompt gives alone with those settings. Out come \"index\" (from 0), \"id\", \"text\" (what follows the prompt),\n"
    "\"tokens\" and \"finish\" (count, end or stop). Bytes that are not UTF-8 come out as U+FFFD, and \"utf8\" is then false. Finished texts\n"
    "are kept in OUT.partial until all are there: after a kill, the same command goes on from it.";

namespace {

using nlohmann::ordered_json;

/// The settings that a line may have: visit(key, member).
template <class Prompt, class Visitor>
void settings_of(Prompt& prompt, Visitor&& visit) {
  visit("count", prompt.count);
  goldfinch::visit_settings([&](const char* key, auto member) { visit(key, prompt.sampler.*member); });
}

/// One line of the file; `prompt` holds what the flags say.
void read_line(std::string_view line, Prompt& prompt) {
  std::set<std::string> keys;
  const auto json = ordered_json::parse(line, [&](int depth, ordered_json::parse_event_t event, ordered_json& value) {
    using Event = ordered_json::parse_event_t;
    if (depth > 0 && (event == Event::object_start || event == Event::array_start))
      fail(prompt.where, ": holds an array or an object, expected texts and numbers only");
    if (event == Event::key && !keys.insert(value.get<std::string>()).second)
      fail(prompt.where, ": the key ", goldfinch::in_quotes(value.get<std::string>()), " stands there twice");
    return true;
  }, false);
  if (!json.is_object()) fail(prompt.where, ": is not a JSON object in UTF-8");
  /// Whether the key is there with a value that `fits`, an `expected`.
  const auto get = [&](const char* key, auto fits, const char* expected) {
    keys.erase(key);
    if (!json.contains(key)) return false;
    if (!fits(json[key])) fail(prompt.where, ": ", key, " is ", goldfinch::in_quotes(json[key].dump()), ", expected ", expected);
    return true;
  };
  if (!get("prompt", [](const auto& value) { return value.is_string(); }, "a string")) fail(prompt.where, ": has no key 'prompt'");
  prompt.text = json["prompt"];
  if (get("id", [](const auto& value) { return value.is_string() || value.is_number(); }, "a string or a number")) prompt.id = json["id"];
  settings_of(prompt, [&]<class Member>(const char* key, Member& member) {
    if constexpr (std::is_same_v<Member, double>) {
      if (!get(key, [](const auto& value) { return value.is_number(); }, "a number")) return;
    } else if constexpr (std::is_same_v<Member, std::uint64_t>) {
      if (!get(key, [](const auto& value) { return value.is_number_unsigned(); }, "a whole number from 0 to 18446744073709551615")) return;
    } else {
      const auto fits = [](const auto& value) { return value.is_number_unsigned() && value.template get<std::uint64_t>() <= std::uint64_t{1} << 40; };
      if (!get(key, fits, "a whole number from 0 to 1099511627776")) return;
    }
    member = json[key].template get<Member>();
  });
  if (!keys.empty()) fail(prompt.where, ": has the unknown key ", goldfinch::in_quotes(*keys.begin()));
  try {
    prompt.sampler.validate();
  } catch (const goldfinch::Error& error) {
    fail(prompt.where, ": ", error.what());
  }
}

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
    add(settings, json.dump());
  }
  add(settings, options.ignore_eos ? "ignore the end of text" : "");
  for (const auto& stop : options.stops) add(settings, stop);
  return {{"the version of its format", 1},      {"the version of the arithmetic", identity.numerics},
          {"the model", identity.model},         {"the tokenizer", identity.tokenizer},
          {"the precision", identity.precision}, {"the cache format", identity.cache_format},
          {"the prompts", texts.finish()},       {"the settings", settings.finish()}};
}

/// The text that follows one prompt, as it comes.
class Continuation {
 public:
  Continuation(const goldfinch::Tokenizer& tokenizer, const GenerateOptions& options, Index count)
      : end_(options.ignore_eos ? std::nullopt : tokenizer.end_of_text()), count_(count), decoder_(tokenizer), filter_(options.stops) {}

  /// Whether there is more to come.
  bool goes_on() const { return finish_.empty() && tokens_ < count_; }

  void push(int token) {
    if (token == end_) {
      finish_ = "end";
      return;
    }
    ++tokens_;
    text_ += filter_.push(decoder_.push(token));
    if (filter_.stopped()) finish_ = "stop";
  }

  Index tokens() const { return tokens_; }

  /// The line that comes out; call it when nothing more comes.
  std::string result(std::size_t index, const ordered_json& id) {
    if (!filter_.stopped()) text_ += filter_.push(decoder_.flush()) + filter_.flush();
    ordered_json json = {{"index", index}};
    if (!id.is_null()) json["id"] = id;
    json["text"] = text_;
    json["tokens"] = tokens_;
    json["finish"] = filter_.stopped() ? "stop" : finish_.empty() ? "count" : finish_;
    if (!goldfinch::is_utf8(text_)) json["utf8"] = false;
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  }

 private:
  std::optional<int> end_;
  Index count_, tokens_ = 0;
  goldfinch::StreamDecoder decoder_;
  StopFilter filter_;
  std::string text_, finish_;
};

}  // namespace

std::vector<Prompt> read_prompts(const GenerateOptions& options) {
  std::error_code error;
  const auto kind = std::filesystem::status(options.out, error).type();
  if (kind != std::filesystem::file_type::not_found && kind != std::filesystem::file_type::regular) fail(options.out, ": is not a regular file");
  if (std::filesystem::equivalent(options.batch, options.out, error)) fail(options.out, ": is the file of the prompts, which would be lost");
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
    prompts.push_back({.id = nullptr, .text = "", .where = where, .sampler = options.sampler, .count = options.count});
    read_line(line, prompts.back());
  }
  return prompts;
}

void write_batch(std::vector<Prompt> prompts, const Engine& engine, const goldfinch::Tokenizer& tokenizer,
                 const goldfinch::SessionIdentity& identity, const GenerateOptions& options, Statistics& statistics) {
  for (Prompt& prompt : prompts) try {
      prompt.tokens = prompt_tokens(tokenizer, prompt.text);
    } catch (const goldfinch::Error& error) {
      fail(prompt.where, ": ", error.what());
    }
  Journal journal(options.out + ".partial", describe(prompts, identity, options), prompts.size());
  if (journal.size() > 0)
    std::cerr << "goldfinch: " << options.out << ".partial: going on, " << journal.size() << " of " << prompts.size() << " prompts are done\n";

  double expected = 0, done = 0;  // tokens, at most; those of texts that have ended, as if they had come to their full length
  for (std::size_t i = 0; i < prompts.size(); ++i)
    if (!journal.has(i)) expected += static_cast<double>(prompts[i].count);
  std::map<std::size_t, Continuation> texts;  // of the prompts in the batch
  const auto finish = [&](std::size_t i, Continuation& text) {
    journal.append(i, text.result(i, prompts[i].id));
    done += static_cast<double>(prompts[i].count);
  };

  const auto light = light_tokens(tokenizer);
  goldfinch::Batch batch(engine, options.rows);
  StatusLine status;
  const double start = now();
  double shown = start, in_progress = 0;  // tokens of the texts in the batch
  const auto show = [&] {
    if (now() < shown + 0.1) return;
    shown = now();
    const std::string count = std::to_string(journal.size()) + " of " + std::to_string(prompts.size()) + " prompts ";
    status.show(count + progress_bar(done + in_progress, expected, shown - start));
  };
  goldfinch::with_workers([&] {  // one region of threads for all texts (core/parallel.hpp)
    for (std::size_t next = 0;;) {
      double since = now();
      std::vector<goldfinch::Batch::Request> joining;
      for (; next < prompts.size() && joining.size() < batch.free_rows(); ++next) {
        if (journal.has(next)) continue;
        Prompt& prompt = prompts[next];
        Continuation text(tokenizer, options, prompt.count);
        if (!text.goes_on()) {  // no tokens are asked for
          finish(next, text);
          continue;
        }
        texts.emplace(next, std::move(text));
        statistics.prefill_tokens += prompt.tokens.size();
        joining.push_back({next, std::move(prompt.tokens), goldfinch::Sampler(prompt.sampler, light)});
      }
      batch.join(std::move(joining), [&](Index) {
        check_interrupt();
        show();
      });
      statistics.prefill_seconds += now() - since;
      if (batch.size() == 0) break;

      since = now();
      statistics.state_bytes = std::max(statistics.state_bytes, batch.state_bytes());
      statistics.cache_bytes = std::max(statistics.cache_bytes, batch.cache_bytes());
      in_progress = 0;
      batch.step([&](std::size_t i, int token) {
        check_interrupt();
        Continuation& text = texts.at(i);
        text.push(token);
        if (text.goes_on()) {
          in_progress += static_cast<double>(text.tokens());
          return true;
        }
        finish(i, text);
        texts.erase(i);
        return false;
      });
      statistics.decode_tokens += batch.size();
      statistics.decode_seconds += now() - since;
      show();
    }
  });
  statistics.memo_bytes = engine.memo_bytes();
  journal.deliver(options.out);
}

}  // namespace tool
