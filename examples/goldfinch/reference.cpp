// goldfinch reference: the reference cases, made and proved. write makes cases and manifest; verify computes every case anew
// (validate/verify.hpp).
#include <filesystem>

#include "command.hpp"
#include "goldfinch/validate/cases.hpp"
#include "goldfinch/validate/golden_models.hpp"
#include "goldfinch/validate/manifest_writer.hpp"
#include "goldfinch/validate/verify.hpp"
#include "op.hpp"

namespace tool {
namespace {

namespace fs = std::filesystem;
using goldfinch::Case;
using goldfinch::Checkpoint;
using goldfinch::Json;
using goldfinch::OperatorInfo;
using goldfinch::Results;

struct Options {
  std::string folder, only;
};

const goldfinch::MeasuringKit& kit() {
  static const goldfinch::MeasuringKit all{run_op_f64, run_op_f80, run_op_emulated};
  return all;
}

/// Inputs first, then what is computed, in one file.
void write_case(const std::string& path, const Case& c, const OperatorInfo& info, const Checkpoint& in, const Results& results) {
  std::vector<std::pair<std::string, goldfinch::Tensor>> tensors;
  for (const auto& input : goldfinch::inputs_of(c, info)) tensors.push_back({input.spec->name, in.tensors.at(input.spec->name)});
  fs::create_directories(fs::path(path).parent_path());
  goldfinch::write_results(path, std::move(tensors), results, {{"goldfinch.operator", c.op}, {"goldfinch.case", c.name}});
}

Json case_json(const Case& c, const OperatorInfo& info, const Checkpoint& in, const Results& results) {
  Json json = {{"name", c.name}, {"kind", info.kind}, {"operator", c.op}, {"file", c.file(info.kind)}, {"purpose", c.purpose}, {"catches", c.catches},
               {"reproduce", "goldfinch reference write DIR --case " + c.name}};
  if (c.on_demand) json["on_demand"] = true;
  Json tensors = Json::array();
  for (const auto& input : goldfinch::inputs_of(c, info)) {
    const auto& tensor = in.tensors.at(input.spec->name);
    Json entry = goldfinch::tensor_json(input.spec->name, name_of(input.spec->role), tensor.shape, goldfinch::safetensors_name(tensor.dtype),
                                        input.spec->shape + ", " + input.spec->what, "", goldfinch::tensor_sha256(tensor));
    entry["made"] = goldfinch::recipe_json(c, input);
    tensors.push_back(entry);
  }
  const auto measured = goldfinch::measure(kit(), info, in, results);
  for (const auto& result : results) tensors.push_back(goldfinch::result_json(result, *info.find(result.name), measured.at(result.name)));
  json["tensors"] = tensors;
  return json;
}

Json model_json(const goldfinch::GoldenModel& model, const std::vector<OperatorInfo>& infos) {
  const OperatorInfo info = find_operator("model");
  const Results results = run_op_f64("model", model.inputs, nullptr);
  Json json = {{"name", "model." + model.name}, {"kind", "model"}, {"operator", "model"}, {"file", "models/" + model.name + ".trace.safetensors"},
               {"purpose", model.purpose}, {"catches", goldfinch::mistakes_caught_by(model.config)}, {"reproduce", model.reproduce()},
                   {"inputs", {"models/" + model.name + ".safetensors", "models/" + model.name + ".json"}}};
  const auto measured = goldfinch::measure(kit(), info, model.inputs, results);
  Json tensors = Json::array();
  for (const auto& result : results) tensors.push_back(goldfinch::result_json(result, goldfinch::describe_trace(result, model.config, infos),
      measured.at(result.name)));
  json["tensors"] = tensors;
  return json;
}

const Case* find_case(const std::vector<Case>& cases, const std::string& name) {
  for (const Case& c : cases)
    if (c.name == name) return &c;
  return nullptr;
}

int write(const Options& options) {
  const auto cases = goldfinch::reference_cases();
  const auto infos = operator_list();
  if (!options.only.empty()) {
    const Case* const c = find_case(cases, options.only);
    if (!c) fail("there is no case ", goldfinch::in_quotes(options.only), " to write");
    const OperatorInfo info = find_operator(c->op);
    const Checkpoint in = goldfinch::make_inputs(*c, info);
    write_case((fs::path(options.folder) / c->file(info.kind)).string(), *c, info, in, run_op_f64(c->op, in, nullptr));
    return 0;
  }
  const auto models = goldfinch::golden_models((fs::path(options.folder) / "models").string());
  StatusLine status;
  const double since = now(), total = static_cast<double>(cases.size() + models.size());
  std::vector<Json> all;
  const auto progress = [&] {
    status.show("measuring " + progress_bar(static_cast<double>(all.size()), total, now() - since));
  };
  for (const Case& c : cases) {
    progress();
    const OperatorInfo info = find_operator(c.op);
    const Checkpoint in = goldfinch::make_inputs(c, info);
    const Results results = run_op_f64(c.op, in, nullptr);
    if (!c.on_demand) write_case((fs::path(options.folder) / c.file(info.kind)).string(), c, info, in, results);
    all.push_back(case_json(c, info, in, results));
  }
  for (const auto& model : models) {
    progress();
    all.push_back(model_json(model, infos));
  }
  goldfinch::write_file((fs::path(options.folder) / "manifest.json").string(), goldfinch::manifest_text(all));
  return 0;
}

int verify(const Options& options) {
  const std::string folder = options.folder.empty() ? fs::path(find_data("../reference_outputs/manifest.json")).parent_path().string() : options.folder;
  StatusLine status;
  const auto result = goldfinch::verify(folder, options.only, operator_list(), run_op_f64, [&](const std::string& name) {
    status.show("verifying " + name);
  });
  status.show("");
  write_output(result.text());
  return result.passed() ? 0 : 1;
}

}  // namespace

void add_reference(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("reference", "The reference cases for other implementations: make them, or prove that this build gives their bits");
  command.require_subcommand(1);
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  auto& writing = *command.add_subcommand("write", "Makes all cases and the manifest; models are measured where DIR/models has them");
  writing.add_option("DIR", o.folder, "Where to")->required();
  writing.add_option("--case", o.only, "Only this one, and no manifest");
  writing.callback([options, &run] {
    run = [options] {
      goldfinch::arithmetic::require();
      use_threads(0);
      return write(*options);
    };
  });
  auto& verifying = *command.add_subcommand("verify", "Computes every case on 1, 2 and 5 threads and compares all bits; exit code 1 if any differ");
  verifying.add_option("DIR", o.folder, "Where manifest.json is (default: the reference_outputs that come with the source)");
  verifying.add_option("--case", o.only, "Only this one");
  verifying.callback([options, &run] {
    run = [options] { return verify(*options); };
  });
}

}  // namespace tool
