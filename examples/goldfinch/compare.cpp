// goldfinch compare: another backend's numbers against the reference, tensor by tensor, and where they first go wrong.
#include "command.hpp"

#include <filesystem>
#include <map>

#include "goldfinch/checkpoint/checkpoint.hpp"
#include "goldfinch/validate/comparison_html.hpp"
#include "goldfinch/validate/comparison_json.hpp"
#include "goldfinch/validate/comparison_text.hpp"
#include "goldfinch/validate/golden_models.hpp"
#include "goldfinch/validate/local_comparison.hpp"
#include "op.hpp"

namespace tool {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string expected, got, format = "f32", map, json, html, model, tokens, suite, reference;
  std::vector<std::string> only;
  bool first_rows = false, local = false;
  int threads = 0;
};

/// The manifest of --reference, or of the cases that come along.
std::string manifest_path(const Options& options) {
  return options.reference.empty() ? find_data("../reference_outputs/manifest.json") : options.reference + "/manifest.json";
}

std::vector<goldfinch::ManifestCase> reference_cases(const std::string& path) {
  auto cases = goldfinch::read_manifest(path);
  if (!cases || cases->empty()) fail(path, ": is not a manifest of reference cases");
  return std::move(*cases);
}

/// EXPECTED, which may be the name of a case.
std::string expected_file(const Options& options) {
  std::error_code error;
  if (fs::exists(options.expected, error) || options.expected.find('/') != std::string::npos) return options.expected;
  std::string manifest;
  try {
    manifest = manifest_path(options);
  } catch (const goldfinch::Error&) {
    return options.expected;  // no cases have come along, so it can be but a file
  }
  const auto cases = reference_cases(manifest);
  for (const auto& one : cases) {
    if (one.name != options.expected) continue;
    const std::string file = one.beside(one.file);
    if (!fs::exists(file, error)) fail(file, ": is too large to keep; ", one.reproduce, " makes it");
    return file;
  }
  fail(options.expected, ": there is no such file, and no such case in ", cases[0].path);
}

/// A reference that stands in the place of what is to be checked would be judged by no budgets of its own.
void refuse_exchanged(const std::string& expected, const std::string& got) {
  if (goldfinch::find_manifest_case(expected)) return;
  if (const auto one = goldfinch::find_manifest_case(got))
    fail(got, ": is the reference case ", one->name, ", so it comes first: goldfinch compare EXPECTED GOT");
}

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
  auto in = goldfinch::read_safetensors(all.expected);
  if (!in.metadata.count("goldfinch.operator"))
    fail(all.expected, ": is no case of the kit, so --local needs the --model and --tokens that it is the trace of");
  auto info = find_operator(in.metadata.at("goldfinch.operator"));
  std::erase_if(in.tensors, [&](const auto& tensor) {
    const auto* const spec = info.find(tensor.first);
    return !spec || !spec->given();
  });
  return {std::move(info), std::move(in)};
}

goldfinch::NameMap map_of(const Options& options) {
  if (options.map.empty()) return {};
  if (!goldfinch::built_in_name_map(options.map)) claim_input(options.map);
  return goldfinch::open_name_map(options.map);
}

goldfinch::ArraySet open_got(const std::string& path, const goldfinch::ComparisonFormat& format) {
  return goldfinch::open_arrays(path, format.numbers == goldfinch::DType::bf16);
}

int compare(const Options& options) {
  if (options.got.empty()) fail("GOT is missing: expected EXPECTED and GOT, or --suite and a folder");
  if (!options.local && !(options.model.empty() && options.tokens.empty())) fail("--model and --tokens go with --local");
  use_threads(options.threads);
  const auto& format = goldfinch::comparison_format(options.format);
  const auto map = map_of(options);
  const std::string file = expected_file(options);
  const auto expected = goldfinch::open_arrays(file);
  const auto got = open_got(options.got, format);
  refuse_exchanged(file, options.got);
  // Locally, any tensor of theirs may be an input to one of those that --only names.
  auto all = goldfinch::compare_traces(expected, got, map, format, options.first_rows, options.local ? std::vector<std::string>() : options.only);
  if (options.local) {
    auto [info, in] = inputs_of(options, all);
    goldfinch::compare_locally(all, info, std::move(in), run_op_f64);
    if (!options.only.empty()) all.keep_only(options.only);
  }
  if (!options.json.empty()) goldfinch::write_file(options.json, to_json_text(all));
  if (!options.html.empty()) goldfinch::write_file(options.html, to_html(all));
  write_output(to_text(all));
  return all.first_failure() ? 1 : 0;
}

/// Of a folder, the file that holds a case's numbers; "" where there is none.
std::string file_of_case(const std::string& folder, const std::string& name) {
  std::error_code error;
  for (const char* ending : {".npz", ".safetensors", ".npy", ""})
    if (const std::string path = (fs::path(folder) / (name + ending)).string(); fs::exists(path, error)) return path;
  return "";
}

/// Every case of an operator, layer or model against a folder of files: a line for each.
int suite(const Options& options) {
  if (!options.got.empty()) fail("with --suite, expected one folder, not ", goldfinch::in_quotes(options.expected), " and ", goldfinch::in_quotes(options.got));
  std::error_code error;
  if (!fs::is_directory(options.expected, error)) fail(options.expected, ": is no folder");
  use_threads(options.threads);
  const auto& format = goldfinch::comparison_format(options.format);
  const auto map = map_of(options);
  auto cases = reference_cases(manifest_path(options));
  std::erase_if(cases, [&](const auto& one) { return one.op != options.suite; });
  if (cases.empty()) fail("--suite: there are no cases of ", goldfinch::in_quotes(options.suite), " (goldfinch op --list names operators and layers)");
  std::size_t width = 0, failed = 0;
  for (const auto& one : cases) width = std::max(width, one.name.size());
  std::map<std::string, Index> counts;
  std::string text;
  for (const auto& one : cases) {
    check_interrupt();
    const std::string reference = one.beside(one.file), mine = file_of_case(options.expected, one.name);
    std::string status = "UNTESTED", detail = "no file " + one.name + ".npz or " + one.name + ".safetensors";
    if (!fs::exists(reference, error)) {
      status = "SKIPPED", detail = "too large to keep; " + one.reproduce + " makes it";
    } else if (mine.empty()) {
      ++failed;
    } else {
      const auto all = goldfinch::compare_traces(goldfinch::open_arrays(reference), open_got(mine, format), map, format, options.first_rows, options.only);
      const auto* const wrong = all.first_failure();
      failed += wrong != nullptr;
      status = wrong ? name_of(wrong->comparison.status) : all.count(goldfinch::Status::passed) > 0 ? "PASSED" : "MISTRUSTED";
      detail = wrong ? goldfinch::printable(wrong->name) + ": " + wrong->comparison.reason : goldfinch::comparison_text::nearest_to_budget(all);
      if (detail.empty()) detail = all.tensors[0].comparison.reason;
    }
    ++counts[status];
    status.resize(10, ' ');
    text += status + " " + one.name + std::string(width - one.name.size(), ' ') + "  " + detail + "\n";
  }
  text += std::to_string(cases.size()) + " cases of " + options.suite + ", " + format.name;
  std::string separator = ": ";
  for (const char* status : {"PASSED", "FAILED", "MISTRUSTED", "UNTESTED", "SKIPPED"})
    if (counts[status] > 0) text += separator + std::to_string(counts[status]) + " " + status, separator = ", ";
  write_output(text + "\n");
  return failed > 0 ? 1 : 0;
}

}  // namespace

void add_compare(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("compare", "Another backend's tensors against a reference: which are wrong, and which first");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  add_input(command, "EXPECTED", o.expected, "The reference: .safetensors, .npz, .npy or a folder of .npy, or the name of a reference case, wkv6.basic")
      ->required();
  add_input(command, "GOT", o.got, "What is to be checked, in any of these forms");
  command
      .add_option("--format", o.format,
                  "Number format of GOT, which chooses the budgets and what ULPs are of: f64, f32, tf32, bf16, fp16 (or f16), e4m3, e5m2, or bf16_own and "
                  "fp16_own, where sums are of the format too. Without a manifest the relative rms may be 1e-9, 1e-4, 0.01, 0.05, 0.01, 0.3, 0.3, 0.1, "
                  "0.02. With bf16, 16-bit integers in .npy are bfloat16")
      ->check([](const std::string& name) -> std::string {
        try {
          return goldfinch::comparison_format(name), "";
        } catch (const goldfinch::Error& error) {
          return error.what();
        }
      })
      ->capture_default_str();
  command.add_option("--only", o.only, "Compare this tensor of EXPECTED and no other (repeatable): for kernels that give nothing in between")->type_size(1)->allow_extra_args(false);
  command.add_option("--map", o.map, "Names and layouts of GOT: hf, fla, ggml, cuda, or a mapping file (docs/compare.md)");
  command.add_flag("--first-rows", o.first_rows, "Where GOT has more rows of a tensor than EXPECTED, compare the first");
  auto* const local = command.add_flag("--local", o.local, "Also every step on GOT's own inputs to it, which tells the cause from what it caused. EXPECTED is a "
                                                           "case of the kit, or the trace of --model");
  auto* const model = add_input(command, "--model", o.model, "With --local: the checkpoint that EXPECTED is the trace of");
  auto* const tokens = add_tokens(command, "--tokens", o.tokens, "With --model: the tokens, \"1 2 3\", or @FILE with the same in it");
  auto* const suite_of = command.add_option("--suite", o.suite, "Compare every reference case of this operator or layer with FOLDER, given in place of EXPECTED, in which "
                                                                "CASE.npz or CASE.safetensors holds what it computes");
  command.add_option("--reference", o.reference, "Where manifest.json is, for names of cases and --suite (default: the reference_outputs that come with the source)");
  auto* const json = add_output(command, "--json", o.json, "Write all figures to this file");
  auto* const html = add_output(command, "--html", o.html, "Write a report with pictures to this file");
  for (auto* other : {local, model, tokens, json, html}) suite_of->excludes(other);
  add_threads(command, o.threads);
  command.footer(
      "Exit code 0: nothing failed; 1: a tensor is wrong or missing; 2: a file cannot be read, or bad usage.\n"
      "For --suite wkv6, run your kernel on each operators/wkv6.*.safetensors of reference_outputs and save what it computes (y and S_after; decay, if you\n"
      "have it) under the name of the case: np.savez(\"mine/wkv6.basic.npz\", y=y, S_after=S), then goldfinch compare --suite wkv6 mine. goldfinch op wkv6\n"
      "--describe tells the tensors; what a kernel does not give is left out by --only y.");
  command.callback([options, &run] { run = [options] { return options->suite.empty() ? compare(*options) : suite(*options); }; });
}

}  // namespace tool
