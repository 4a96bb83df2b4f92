// goldfinch perplexity: how well a model foresees a text.
#include "command.hpp"

#include <iostream>

#include <nlohmann/json.hpp>

#include "goldfinch/math/loss.hpp"

namespace tool {
namespace {

struct Options {
  ModelOptions model;
  std::string tokenizer, file, context_token;
  Index block = 1024;
  bool json = false;
};

/// The token that stands before every block, if one does, and why it is that one.
struct ContextToken {
  std::optional<int> token;
  std::string reason;
};

ContextToken choose_context_token(const std::string& argument, const goldfinch::Tokenizer& tokenizer, Index V) {
  if (argument == "none") return {{}, "the first token of each block is not scored"};
  if (argument.empty()) {
    if (const auto begin = tokenizer.begin_of_text()) return {begin, "the tokenizer's begin of text"};
    if (const auto newline = tokenizer.encode("\n"); newline.size() == 1) return {newline[0], "a newline"};
    fail("--context-token: the tokenizer (", tokenizer.description(), ") has no begin of text and no token for a newline; name a token, or none");
  }
  const auto tokens = parse_tokens("--context-token", argument);
  if (tokens.size() != 1) fail("--context-token: names ", tokens.size(), " tokens, expected one, or none");
  if (tokens[0] < 0 || tokens[0] >= V) fail("--context-token: token ", tokens[0], " is out of range: the model's vocabulary has ", V, " entries");
  return {tokens[0], "as told"};
}

/// The loss of every scored token, in the order of the text. Logits are made of at most `rows` tokens at a time: several blocks in one
/// call where blocks are short, else a part of one.
std::vector<double> losses_of(const Engine& engine, const std::vector<int>& tokens, Index block, std::optional<int> context_token) {
  const Index V = engine.dimensions().V, T = static_cast<Index>(tokens.size());
  const Index rows = std::clamp<Index>((Index{1} << 24) / V, 64, 512), chunk = std::min(block, rows), together = rows / chunk;
  std::vector<double> losses;
  StatusLine status;
  const double since = now();
  for (Index first = 0; first < T; first += together * block) {
    std::vector<std::vector<int>> texts;  // the blocks of this round, each behind its context token
    std::vector<std::unique_ptr<Engine::Sequence>> sequences;
    for (Index begin = first; begin < std::min(T, first + together * block); begin += block) {
      auto& text = texts.emplace_back();
      if (context_token) text.push_back(*context_token);
      text.insert(text.end(), tokens.begin() + begin, tokens.begin() + std::min(T, begin + block));
      sequences.push_back(engine.start());
    }
    for (Index done = 0; done < block; done += chunk) {
      status.show("scoring " + progress_bar(static_cast<double>(first + done), static_cast<double>(T), now() - since));
      std::vector<Engine::Step> steps;
      std::vector<int> targets;
      for (std::size_t i = 0; i < texts.size(); ++i) {
        const Index n = std::min(chunk, static_cast<Index>(texts[i].size()) - 1 - done);
        if (n <= 0) continue;
        steps.push_back({std::span(texts[i]).subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(n)), sequences[i].get()});
        targets.insert(targets.end(), texts[i].begin() + done + 1, texts[i].begin() + done + 1 + n);
      }
      if (steps.empty()) break;
      const auto logits = engine.forward(steps);
      require_finite(logits, first + done);
      const auto part = goldfinch::cross_entropy(logits, targets);
      losses.insert(losses.end(), part.begin(), part.end());
    }
  }
  return losses;
}

int perplexity(Options& options) {
  if (options.model.model.empty()) options.model.model = demo_model();
  const std::string text = read_text(options.file);
  const auto engine = options.model.open();
  const auto tokenizer = open_tokenizer_for(options.tokenizer, options.model.model, engine->dimensions().V);
  const auto context = choose_context_token(options.context_token, *tokenizer, engine->dimensions().V);
  const auto tokens = tokenizer->encode(text);
  const auto losses = losses_of(*engine, tokens, options.block, context.token);
  if (losses.empty()) fail(options.file, ": has no token to score");

  std::size_t bytes = text.size();  // those of the scored tokens
  if (!context.token)
    for (std::size_t i = 0; i < tokens.size(); i += static_cast<std::size_t>(options.block)) bytes -= std::min(bytes, tokenizer->decode(tokens[i]).size());
  const double nats = goldfinch::mean_loss(losses.data(), static_cast<Index>(losses.size()));
  if (bytes == 0) fail(options.file, ": the tokens to score stand for no bytes");
  const double perplexity = goldfinch::exp(nats), bits = nats * static_cast<double>(losses.size()) / goldfinch::log(2.0) / static_cast<double>(bytes);
  if (!std::isfinite(perplexity)) fail(options.file, ": the perplexity is too large for a number, at ", nats, " nats per token");
  std::ostringstream out;
  if (options.json) {
    nlohmann::ordered_json json = {{"nats_per_token", nats}, {"perplexity", perplexity}, {"bits_per_byte", bits}, {"tokens", losses.size()},
                                   {"bytes", bytes},         {"block", options.block},   {"context_token", nullptr}};
    if (context.token) json["context_token"] = *context.token;
    out << json.dump(2) << "\n";
  } else {
    out.precision(8);
    out << "nats per token  " << nats << "\nperplexity      " << perplexity << "\nbits per byte   " << bits << "\ntokens          " << losses.size()
        << "\nbytes           " << bytes << "\nblocks          of " << options.block << " tokens";
    if (context.token) out << ", each behind token " << *context.token;
    out << " (" << context.reason << ")\n";
  }
  write_output(out.str());
  return 0;
}

}  // namespace

void add_perplexity(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("perplexity", "How well a model foresees a text: nats per token, perplexity, bits per byte");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  add_model(command, o.model.model, "Checkpoint, .safetensors or .pth (default: the demo model)");
  add_input(command, "--tokenizer", o.tokenizer, "World vocabulary, SentencePiece model, or \"bytes\" (default: the only one beside the model)");
  add_input(command, "FILE", o.file, "The text; - is standard input")->required();
  add_number(command, "--block", o.block, {1, Index{1} << 40}, "Tokens that are read in one go; each block starts from nothing");
  add_tokens(command, "--context-token", o.context_token,
                     "The id of a token put before each block, or none: then its first token is not scored (default: the tokenizer's begin of text, else a newline)");
  command.add_flag("--json", o.json, "Print JSON");
  o.model.add(command, "f32");
  o.model.add_cache_options(command);
  command.callback([options, &run] { run = [options] { return perplexity(*options); }; });
}

}  // namespace tool
