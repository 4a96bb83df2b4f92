// goldfinch op: any operator, layer or model of the kit on the user's tensors, from a file and to a file, so that any program in any
// language can be compared without linking to anything.
#include "op.hpp"

#include <iostream>

#include "command.hpp"
#include "goldfinch/validate/emulated.hpp"
#include "goldfinch/validate/given_tensors.hpp"

namespace tool {
namespace {

using goldfinch::OperatorInfo;
using goldfinch::Results;

struct Options {
  bool list = false, describe = false;
  std::string name, in, out, precision = "f64", accumulate = "f32";
  int threads = 0;
};

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

void list() {
  std::string text;
  for (const auto& info : operator_list()) text += padded(info.name, 22) + padded(info.kind, 10) + info.summary + "\n";
  write_output(text);
}

void describe(const OperatorInfo& info) {
  std::string text = info.name + " (" + info.kind + "): " + info.summary + "\n\n";
  std::istringstream equations(info.equations);
  for (std::string line; std::getline(equations, line);) text += "  " + line + "\n";
  std::size_t name_width = 0, shape_width = 0;
  for (const auto& spec : info.tensors) name_width = std::max(name_width, spec.name.size() + 2),
      shape_width = std::max(shape_width, spec.shape.size() + 2);
  for (const bool given : {true, false}) {
    text += given ? "\ntakes (F64, F32, BF16 or F16; sizes, positions and ids as integers too)\n" : "\ngives (F64)\n";
    for (const auto& spec : info.tensors) {
      if (spec.given() != given) continue;
      text += "  " + padded(spec.name, name_width) + padded(spec.shape, shape_width) + padded(name_of(spec.role),
          14) + (spec.optional ? "optional; " : "") + spec.what;
      text += (spec.equation.empty() ? "" : "  " + spec.equation) + "\n";
    }
  }
  write_output(text);
}

Results run(const OperatorInfo& info, const goldfinch::Checkpoint& in, const Options& options) {
  if (options.precision == "f64") return run_op_f64(info.name, in);
  if (options.precision == "f32") return run_op_f32(info.name, in);
  if (options.precision == "f80") return run_op_f80(info.name, in);
  const auto& format = goldfinch::number_format(options.precision == "f16" ? "fp16" : options.precision);
  const goldfinch::EmulatedFormat use(format, options.accumulate == "f32" ? goldfinch::Accumulation::f32 : goldfinch::Accumulation::own);
  const goldfinch::Rounding round(format);
  return run_op_emulated(info.name, goldfinch::in_format(info, in, round));
}

int op(const Options& options) {
  if (options.list) return list(), 0;
  if (options.name.empty()) fail("expected the name of an operator, or --list");
  const OperatorInfo info = find_operator(options.name);
  if (options.describe) return describe(info), 0;
  if (options.in.empty() || options.out.empty()) fail("expected --in and --out, or --describe");
  use_threads(options.threads);
  check_interrupt();
  const auto in = goldfinch::read_given(options.in, info);
  const Results results = run(info, in, options);
  check_interrupt();
  goldfinch::write_given(options.out, results);
  for (const auto& result : results)
    if (std::any_of(result.data.begin(), result.data.end(), [](long double x) { return std::isnan(x); }))
      std::cerr << "goldfinch: " << options.out << ": NaN in " << result.name << "; numbers before it were too large for " << options.precision << "\n";
  return 0;
}

}  // namespace

OperatorInfo find_operator(const std::string& name) {
  for (auto& info : operator_list())
    if (info.name == name) return info;
  fail("there is no operator ", goldfinch::in_quotes(name), " (goldfinch op --list tells what there is)");
}

void add_op(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("op", "Any operator, layer or model on tensors of your own");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  command.add_option("NAME", o.name, "Which; --list names them");
  command.add_flag("--list", o.list, "All operators, layers and models");
  command.add_flag("--describe", o.describe, "NAME's equations and tensors: names, shapes, layouts");
  add_input(command, "--in", o.in, "What NAME takes: .safetensors, .npz, or a folder of .npy; what it gives is ignored there");
  add_output(command, "--out", o.out, "The .safetensors or .npz to write with what NAME gives, intermediates and states included, in F64");
  command.add_option("--precision", o.precision, "f32, f64, f80 (long double), or emulated: bf16, fp16 (or f16), tf32, e4m3, e5m2. What is given is rounded "
                     "to an emulated one, but for decays and states")
      ->check(CLI::IsMember({"f32", "f64", "f80", "bf16", "fp16", "f16", "tf32", "e4m3", "e5m2"}))->capture_default_str();
  command.add_option("--accumulate", o.accumulate, "Sums of an emulated precision: f32, or own, where every number is of the format, states too")->check(CLI::IsMember({"f32",
      "own"}))->capture_default_str();
  add_threads(command, o.threads);
  command.callback([options, &run] { run = [options] { return op(*options); }; });
}

}  // namespace tool
