// goldfinch compare: another backend's numbers against the reference, tensor by tensor, and where they first go wrong.
#include "command.hpp"

#include "goldfinch/validate/comparison_html.hpp"
#include "goldfinch/validate/comparison_json.hpp"
#include "goldfinch/validate/comparison_text.hpp"
#include "goldfinch/validate/trace_comparison.hpp"

namespace tool {
namespace {

struct Options {
  std::string expected, got, format = "f32", map, json, html;
  bool first_rows = false;
  int threads = 0;
};

int compare(const Options& options) {
  use_threads(options.threads);
  const auto* const format = std::find_if(std::begin(goldfinch::all_dtypes), std::end(goldfinch::all_dtypes),
                                          [&](goldfinch::DType type) { return options.format == name_of(type); });
  const auto map = options.map.empty() ? goldfinch::NameMap() : goldfinch::open_name_map(options.map);
  const auto expected = goldfinch::open_arrays(options.expected);
  const auto got = goldfinch::open_arrays(options.got, *format == goldfinch::DType::bf16);
  const auto all = goldfinch::compare_traces(expected, got, map, *format, options.first_rows);
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
  command.add_option("--json", o.json, "Write all figures to this file");
  command.add_option("--html", o.html, "Write a report with pictures to this file");
  add_threads(command, o.threads);
  command.footer("Exit code 0: nothing failed; 1: a tensor is wrong or missing; 2: a file cannot be read, or bad usage.");
  command.callback([options, &run] { run = [options] { return compare(*options); }; });
}

}  // namespace tool
