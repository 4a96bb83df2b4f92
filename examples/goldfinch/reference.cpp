// goldfinch reference: the reference cases, made and proved. write makes cases and manifest; verify computes every case anew
// (validate/verify.hpp).
#include <filesystem>

#include "command.hpp"
#include "goldfinch/validate/reference_writer.hpp"
#include "goldfinch/validate/verify.hpp"
#include "op.hpp"

namespace tool {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string folder, only;
};

int write(const Options& options) {
  StatusLine status;
  const double since = now();
  const goldfinch::MeasuringKit kit{run_op_f64, run_op_f80, run_op_emulated};
  goldfinch::write_reference(options.folder, options.only, operator_list(), kit, [&](double done, double total) {
    status.show("measuring " + progress_bar(done, total, now() - since));
  });
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
