// goldfinch compare: another backend's numbers against the reference, tensor by tensor, and where they first go wrong.
#include "command.hpp"

#include "goldfinch/checkpoint/checkpoint.hpp"
#include "goldfinch/validate/comparison_html.hpp"
#include "goldfinch/validate/comparison_json.hpp"
#include "goldfinch/validate/comparison_text.hpp"
#include "goldfinch/validate/golden_models.hpp"
#include "goldfinch/validate/local_comparison.hpp"
#include "op.hpp"

namespace tool {
namespace {

struct Options {
  std::string expected, got, format = "f32", map, json, html, model, tokens;
  bool first_rows = false, local = false;
  int threads = 0;
};

/// What the case of EXPECTED takes: a model's checkpoint and tokens, as told or as its manifest says, or what the file itself holds.
std::pair<goldfinch::OperatorInfo, goldfinch::Checkpoint> inputs_of(const Options& options, const goldfinch::TraceComparison& all) {
  if (!options.model.empty()) {
    if (options.tokens.empty()) fail("--model needs --tokens: those that EXPECTED is the trace of");
    auto weights = goldfinch::open_checkpoint(options.model);
    goldfinch::add_tokens(weights, parse_tokens("--tokens", options.tokens));
    return {find_operator("model"), std::move(weights)};
  }
  if (all.manifest && all.manifest->kind == "model" && !all.manifest->inputs.empty()) {
    const std::string weights = all.manifest->beside(all.manifest->inputs[0]);
    return {find_operator("model"), goldfinch::read_golden_model(weights.substr(0, weights.rfind(".safetensors"))).inputs};
  }
  auto in = goldfinch::read_safetensors(options.expected);
  if (!in.metadata.count("goldfinch.operator"))
    fail(options.expected, ": is no case of the kit, so --local needs the --model and --tokens that it is the trace of");
  auto info = find_operator(in.metadata.at("goldfinch.operator"));
  std::erase_if(in.tensors, [&](const auto& tensor) {
    const auto* const spec = info.find(tensor.first);
    return !spec || !spec->given();
  });
  return {std::move(info), std::move(in)};
}

int compare(const Options& options) {
  use_threads(options.threads);
  const auto format = goldfinch::dtype_named(options.format);
  const auto map = options.map.empty() ? goldfinch::NameMap() : goldfinch::open_name_map(options.map);
  const auto expected = goldfinch::open_arrays(options.expected);
  const auto got = goldfinch::open_arrays(options.got, *format == goldfinch::DType::bf16);
  if (!options.local && !(options.model.empty() && options.tokens.empty())) fail("--model and --tokens go with --local");
  auto all = goldfinch::compare_traces(expected, got, map, *format, options.first_rows);
  if (options.local) {
    auto [info, in] = inputs_of(options, all);
    goldfinch::compare_locally(all, info, std::move(in), run_op_f64);
  }
  if (!options.json.empty()) goldfinch::write_file(options.json, to_json_text(all));
  if (!options.html.empty()) goldfinch::write_file(options.html, to_html(all));
  write_output(to_text(all));
  return all.first_failure() ? 1 : 0;
}

}  // namespace

void add_compare(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("compare", "Another backend's tensors against a reference: which are wrong, and which first");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  command.add_option("EXPECTED", o.expected, "The reference: .safetensors, .npz, .npy or a folder of .npy")->required();
  command.add_option("GOT", o.got, "What is to be checked, in any of these forms")->required();
  command.add_option("--format", o.format,
                     "Number format of GOT, which chooses the budgets and what ULPs are of: f64, f32, f16 or bf16. Without a manifest "
                     "the relative rms may be 1e-9, 1e-4, 0.01 or 0.05. With bf16, 16-bit integers in .npy are bfloat16")
      ->check(CLI::IsMember({"f64", "f32", "f16", "bf16"}))
      ->capture_default_str();
  command.add_option("--map", o.map, "Names and layouts of GOT: hf, fla, ggml, cuda, or a mapping file (docs/compare.md)");
  command.add_flag("--first-rows", o.first_rows, "Where GOT has more rows of a tensor than EXPECTED, compare the first");
  command.add_flag("--local", o.local, "Also every step on GOT's own inputs to it, which tells the cause from what it caused. EXPECTED is a case of "
                                       "the kit, or the trace of --model");
  command.add_option("--model", o.model, "With --local: the checkpoint that EXPECTED is the trace of");
  command.add_option("--tokens", o.tokens, "With --model: the tokens, \"1 2 3\", or @FILE with the same in it");
  command.add_option("--json", o.json, "Write all figures to this file");
  command.add_option("--html", o.html, "Write a report with pictures to this file");
  add_threads(command, o.threads);
  command.footer("Exit code 0: nothing failed; 1: a tensor is wrong or missing; 2: a file cannot be read, or bad usage.");
  command.callback([options, &run] { run = [options] { return compare(*options); }; });
}

}  // namespace tool
