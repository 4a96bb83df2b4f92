// goldfinch init: a new model with random weights, of any size.
#include "command.hpp"
#include "hot_loops.hpp"

namespace tool {
namespace {

using goldfinch::Distribution;
using goldfinch::Tensor;

const char* const config_format =
    "--config: a JSON object. These keys must be there, the others have the defaults given:\n"
    "  vocab_size, n_layer, n_embd               tokens, layers, width D\n"
    "  head_size 64                              channels of a head, a divisor of n_embd\n"
    "  tmix \"x060c2\"                            time mix of the lower layers: x060 (Finch), x060c2 (Finch-C2), gptalpha or llama\n"
    "  tmix2 \"\"                                 of the upper ones: any of these or gold; \"\": all layers are alike\n"
    "  inv_other_layer_ratio 3                   r: the upper 1/r of the layers are the tmix2 ones\n"
    "  cmix \"x060\", cmix2 \"x060\"               channel mix of the lower and of the upper layers: x060 or llama\n"
    "  dim_ffn 0                                 width of the x060 channel mix; 0: 3.5 D, down to a multiple of 32\n"
    "  kv_cache_compression_ratio 16             gold: keys are compressed to D / ratio numbers\n"
    "  head_size_divisor 8                       x060: the group norm's eps is 1e-5 times its square\n"
    "  use_one_minus_w true, use_v2 true         x060c2: the factor 1 - d on keys, the second value\n"
    "  rope_base 0, rope_rescale 1               rotary embedding; 0: none\n"
    "A GoldFinch of 12 layers: {\"vocab_size\": 65536, \"n_layer\": 12, \"n_embd\": 768, \"tmix2\": \"gold\"}\n"
    "Without tmix2 it is a Finch-C2. `goldfinch info MODEL` shows the configuration of any model in this form.";

struct Options {
  std::string config, out, dtype = "bf16", scheme = "active";
  std::uint64_t seed = 0;
  int threads = 0;
};

goldfinch::ModelShape read_shape(const std::string& path) {
  goldfinch::Config config;
  goldfinch::read_config(read_text(path), path, true, config);
  config.validate(path);
  constexpr Index most_layers = 1 << 16, most_channels = 1 << 20;  // far beyond use, and what shapes are made of stays countable
  if (config.n_layer > most_layers) fail(path, ": n_layer is ", config.n_layer, ", expected at most ", most_layers);
  if (config.n_embd > most_channels) fail(path, ": n_embd is ", config.n_embd, ", expected at most ", most_channels);
  return {config, config.dimensions()};
}

template <class Stored>
void write_model(goldfinch::SafetensorsWriter& writer, const std::vector<goldfinch::ParameterInfo>& parameters, std::uint64_t seed, double total) {
  constexpr Index portion = 1 << 23, grain = 1 << 12;
  std::vector<Stored> buffer(portion);
  StatusLine status;
  const double since = now();
  double done = 0;
  for (const auto& parameter : parameters) {
    const goldfinch::RandomStream stream(seed, parameter.name);
    const Distribution distribution = goldfinch::active_distribution(parameter.name, parameter.shape);
    const Index count = goldfinch::element_count(parameter.shape);
    for (Index first = 0; first < count; first += portion) {
      status.show("writing " + progress_bar(done, total, now() - since));
      const Index n = std::min(portion, count - first);
      goldfinch::parallel_for((n + grain - 1) / grain, 1, [&](Index begin, Index end) {
        goldfinch::random_numbers(stream, distribution, first + begin * grain, std::min(end * grain, n) - begin * grain, buffer.data() + begin * grain);
      });
      writer.write(buffer.data(), static_cast<std::size_t>(n) * sizeof(Stored));
      done += static_cast<double>(n);
    }
  }
}

int init(const Options& options) {
  use_threads(options.threads);
  const auto shape = read_shape(options.config);
  const auto parameters = goldfinch::parameter_list(shape);
  const auto dtype = *goldfinch::dtype_named(options.dtype);

  double total = 0;
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& parameter : parameters) {
    const Index count = goldfinch::element_count(parameter.shape);
    if (count <= 0) fail(options.config, ": describes a tensor ", parameter.name, " of shape ", goldfinch::to_string(parameter.shape), ", which cannot be");
    total += static_cast<double>(count);
    tensors.emplace_back(parameter.name, Tensor{dtype, parameter.shape, nullptr});
  }
  constexpr double most = 1e15;
  if (total > most) fail(options.config, ": describes a model of ", total, " parameters, expected at most ", most);

  goldfinch::SafetensorsWriter writer(options.out, tensors, {{goldfinch::config_key, goldfinch::write_config(shape.config)}});
  goldfinch::dispatch(dtype, [&]<class Stored>(Stored*) { write_model<Stored>(writer, parameters, options.seed, total); });
  writer.commit();
  return 0;
}

}  // namespace

void add_init(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("init", "A new model with random weights");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  command.footer(config_format);
  add_input(command, "--config", o.config, "JSON with the keys of goldfinch.config, see below; - is standard input")->required();
  add_seed(command, o.seed, "The same seed gives the same weights")->required();
  add_dtype(command, "--dtype", o.dtype, {"bf16", "f32", "f16"}, "Number type: bf16, f32 or f16")->capture_default_str();
  command.add_option("--scheme", o.scheme, "active: every path of the model does something")->check(CLI::IsMember({"active"}))->capture_default_str();
  add_output(command, "OUT", o.out, "The .safetensors to write")->required();
  add_threads(command, o.threads);
  command.callback([options, &run] { run = [options] { return init(*options); }; });
}

}  // namespace tool
