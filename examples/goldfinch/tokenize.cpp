// goldfinch tokenize: text to token ids, and back.
#include "command.hpp"

#include <iostream>

namespace tool {
namespace {

struct Options {
  std::string tokenizer, model, text, file, decode;
  bool has_text = false, has_decode = false, pieces = false;
};

std::unique_ptr<goldfinch::Tokenizer> open(const Options& options) {
  if (!options.tokenizer.empty()) return goldfinch::open_tokenizer(options.tokenizer);
  if (options.model.empty()) return goldfinch::open_tokenizer(find_data("demo/goldfinch-demo.model"));
  return open_tokenizer_for("", options.model, goldfinch::infer_shape(goldfinch::open_checkpoint(options.model)).config.vocab_size);
}

int tokenize(const Options& options) {
  if (options.has_text + options.has_decode + !options.file.empty() != 1) fail("tokenize: expected one of --text TEXT, --decode \"1 2 3\", a file, and - for standard input");
  const auto tokenizer = open(options);
  const auto tokens = options.has_decode ? parse_tokens("--decode", options.decode) : tokenizer->encode(options.has_text ? options.text : read_text(options.file));
  if (options.has_decode)
    for (const int token : tokens)
      if (!tokenizer->has(token)) fail("--decode: there is no token ", token, " in the vocabulary (", tokenizer->description(), ")");
  std::string out;
  if (options.pieces) {
    for (const int token : tokens) out += std::to_string(token) + " " + goldfinch::in_quotes(tokenizer->decode(token)) + "\n";
  } else if (options.has_decode) {
    out = tokenizer->decode_all(tokens);
    if (::isatty(1)) out += '\n';
  } else {
    for (const int token : tokens) out += (out.empty() ? "" : " ") + std::to_string(token);
    out += '\n';
  }
  write_output(out);
  return 0;
}

}  // namespace

void add_tokenize(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("tokenize", "Token ids of a text, and the text of token ids");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  auto* tokenizer = add_input(command, "--tokenizer", o.tokenizer, "World vocabulary, SentencePiece model, or \"bytes\" (default: the demo model's)");
  add_model(command, o.model, "The tokenizer beside this checkpoint")->excludes(tokenizer);
  auto* text = allow_empty(command.add_option("--text", o.text, "The text"));
  add_input(command, "FILE", o.file, "A file with the text; - is standard input");
  auto* decode = add_tokens(command, "--decode", o.decode, "\"1 2 3\", or @FILE with the same in it: write their bytes");
  command.add_flag("--pieces", o.pieces, "A line for each token, with its id and its text");
  command.callback([options, text, decode, &run] {
    options->has_text = text->count() > 0;
    options->has_decode = decode->count() > 0;
    run = [options] { return tokenize(*options); };
  });
}

}  // namespace tool
