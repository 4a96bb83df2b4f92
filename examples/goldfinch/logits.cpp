// goldfinch logits: the numbers themselves, and every intermediate on the way to them.
#include "command.hpp"

#include "goldfinch/validate/npy.hpp"
#include "goldfinch/validate/recording.hpp"

namespace tool {
namespace {

struct Options {
  ModelOptions model;
  std::string tokens, out, trace;
  Index chunk = 512;
  bool last = false;
};

int logits(Options& options) {
  if (options.model.model.empty()) options.model.model = demo_model();
  const auto tokens = parse_tokens("--tokens", options.tokens);
  const auto engine = options.model.open();
  const auto sequence = engine->start();
  const Index T = static_cast<Index>(tokens.size()), V = engine->dimensions().V;
  for (const int token : tokens)  // before the first chunk, so that nothing is computed in vain
    if (token < 0 || token >= V) fail("--tokens: token ", token, " is out of range: the model's vocabulary has ", V, " entries");
  const auto dtype = options.model.precision == "f32" ? goldfinch::DType::f32 : goldfinch::DType::f64;
  goldfinch::NpyWriter file(options.out, dtype, options.last ? 1 : T, V);
  if (options.last) {
    const auto rows = engine->prefill({{tokens, sequence.get()}}, options.chunk);
    require_finite(rows, T - 1);
    file.write(rows);
    file.commit();
    return 0;
  }
  goldfinch::Recording<double> recording;
  StatusLine status;
  const double since = now();
  for (Index t = 0; t < T; t += options.chunk) {
    if (T > options.chunk) status.show("computing " + progress_bar(static_cast<double>(t), static_cast<double>(T), now() - since));
    const auto n = static_cast<std::size_t>(std::min(options.chunk, T - t));
    const auto rows = engine->forward({{std::span(tokens).subspan(static_cast<std::size_t>(t), n), sequence.get()}}, options.trace.empty() ? nullptr : &recording);
    require_finite(rows, t);
    file.write(rows);
  }
  if (!options.trace.empty()) recording.write(options.trace);
  file.commit();
  return 0;
}

}  // namespace

void add_logits(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("logits", "Logits of a list of tokens, and every intermediate, as NumPy and safetensors files");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  add_model(command, o.model.model, "Checkpoint, .safetensors or .pth (default: the demo model)");
  add_tokens(command, "--tokens", o.tokens, "\"1 2 3\", or @FILE with the same in it")->required();
  add_output(command, "--out", o.out, "The .npy to write: [T, V], or [1, V] with --last; f64, or f32 with --precision f32")->required();
  auto* trace = add_output(command, "--trace", o.trace, "A .safetensors to write with every intermediate, in f64");
  command.add_flag("--last", o.last, "Only the last token's logits, by the linear pre-fill; the same bits")->excludes(trace);
  add_number(command, "--chunk", o.chunk, {1, Index{1} << 40}, "Tokens at a time; the bits do not depend on it");
  o.model.add(command, "f64");
  o.model.add_cache_options(command);
  command.callback([options, &run] { run = [options] { return logits(*options); }; });
}

}  // namespace tool
