// goldfinch info: what a checkpoint holds, what running it takes, and whether that fits. Reads names and shapes, not the numbers.
#include "command.hpp"

#include <nlohmann/json.hpp>

namespace tool {
namespace {

struct Options {
  ModelOptions model;
  Index context = 4096, sessions = 1;
  bool json = false;
};

/// Bytes of everything that running a model in f32 takes.
struct Memory {
  double weights = 0, state = 0, cache_per_token = 0, memo = 0, scratch = 0;
  double total(const Options& o) const {
    return weights + static_cast<double>(o.sessions) * (state + cache_per_token * static_cast<double>(o.context)) + memo + scratch;
  }
};

Memory memory_of(const goldfinch::Checkpoint& checkpoint, const goldfinch::ModelShape& shape, const Options& options) {
  const goldfinch::CacheSettings cache = options.model.cache_settings();
  goldfinch::Model<float> model(shape.config, shape.n, cache);
  Memory memory;
  model.parameters([&]<class Member>(const std::string& name, Member&, const goldfinch::Shape& s, goldfinch::Role role) {
    const auto& tensor = checkpoint.tensors.at(name);
    const auto kept = goldfinch::kept_type<float>(tensor.dtype);
    const Index count = goldfinch::element_count(tensor.shape), outputs = role == goldfinch::Role::matrix ? s[0] : s.back();
    if constexpr (std::is_same_v<Member, goldfinch::Vector<float>>) memory.weights += static_cast<double>(count) * sizeof(float);
    else if constexpr (std::is_same_v<Member, goldfinch::Table>) memory.weights += static_cast<double>(count * size_of(kept));
    else memory.weights += static_cast<double>(goldfinch::Weight::bytes_for(kept, outputs, count / std::max<Index>(outputs, 1)));
  });

  auto state = model.initial_state();
  memory.state = static_cast<double>(state.state_bytes());
  if (shape.config.has_gold()) memory.cache_per_token = static_cast<double>(state.keys.bytes_per_token());
  for (const auto& block : state.blocks)
    std::visit([&](const auto& mix) { if constexpr (requires { mix.stored; }) memory.cache_per_token += static_cast<double>(mix.stored.bytes_per_token()); }, block.time_mix);

  if (shape.config.has_gold()) {  // what all sessions would have remembered, or the budget if that is less
    const double wanted = goldfinch::ExpansionMemo<float>::bytes_for(static_cast<double>(options.sessions) * static_cast<double>(options.context), shape.n.V, shape.n.D,
                                                                     static_cast<std::size_t>(shape.config.n_layer - shape.config.split()));
    memory.memo = std::min(wanted, static_cast<double>(cache.memo_bytes));
  }

  // The intermediates of a chunk of pre-fill as measured, one row of logits in float and double, and the program itself.
  const auto& n = shape.n;
  const double F = static_cast<double>(std::max(n.F, n.F_swiglu)), D = static_cast<double>(n.D), V = static_cast<double>(n.V);
  memory.scratch = static_cast<double>(model.default_chunk) * (12 * D + 2 * F) * sizeof(float) + 12 * V + 8e6;
  return memory;
}

std::string with_commas(Index n) {
  std::string text = std::to_string(n);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

/// "4 x060c2/x060, 2 gold/x060".
std::string layers_of(const goldfinch::Config& config) {
  const Index L = config.n_layer, split = config.split();
  std::string text;
  if (split > 0) text += std::to_string(split) + " " + config.time_mix(0) + "/" + config.channel_mix(0);
  if (split < L) text += (split > 0 ? ", " : "") + std::to_string(L - split) + " " + config.time_mix(L - 1) + "/" + config.channel_mix(L - 1);
  return text;
}

int info(const Options& options) {
  const auto [checkpoint, shape] = options.model.open_checkpoint();
  Index parameters = 0, tensor_bytes = 0;
  std::map<std::string, Index> dtypes;
  for (const auto& parameter : goldfinch::parameter_list(shape)) {
    const auto& tensor = checkpoint.tensors.at(parameter.name);
    const Index count = goldfinch::element_count(tensor.shape);
    parameters += count;
    tensor_bytes += byte_count(tensor);
    dtypes[name_of(tensor.dtype)] += 1;
  }
  const Memory memory = memory_of(checkpoint, shape, options);
  const bool tied = has_tied_embeddings(checkpoint);
  if (tied) parameters -= goldfinch::element_count(checkpoint.tensors.at("head.weight").shape), tensor_bytes -= byte_count(checkpoint.tensors.at("head.weight"));
  const double total = memory.total(options), available = available_memory(), cache = memory.cache_per_token * static_cast<double>(options.context);
  const auto whole = [](double bytes) { return static_cast<std::uint64_t>(std::clamp(bytes, 0.0, 1e19)); };
  std::ostringstream out;
  if (options.json) {
    const nlohmann::ordered_json json = {{"model", shape.config.model_name()},
                                         {"config", nlohmann::ordered_json::parse(goldfinch::write_config(shape.config))},
                                         {"layers", layers_of(shape.config)},
                                         {"parameters", parameters},
                                         {"tied_embeddings", tied},
                                         {"tensors", dtypes},
                                         {"tensor_bytes", tensor_bytes},
                                         {"weights_bytes", whole(memory.weights)},
                                         {"state_bytes", whole(memory.state)},
                                         {"cache_bytes_per_token", whole(memory.cache_per_token)},
                                         {"context", options.context},
                                         {"cache_bytes", whole(cache)},
                                         {"sessions", options.sessions},
                                         {"memo_bytes", whole(memory.memo)},
                                         {"scratch_bytes", whole(memory.scratch)},
                                         {"total_bytes", whole(total)},
                                         {"available_bytes", whole(available)},
                                         {"fits", total <= available}};
    out << json.dump(2) << "\n";
  } else {
    out << "model          " << shape.config.model_name() << "\nlayers         " << layers_of(shape.config) << "\nconfiguration  " << goldfinch::write_config(shape.config)
        << "\nparameters     " << with_commas(parameters) << "\ntensors        " << human_bytes(static_cast<double>(tensor_bytes)) << ":";
    for (const auto& [name, count] : dtypes) out << " " << count << " " << name;
    if (tied) out << "; no head.weight: the embedding is the head, too (tied)";
    out << "\nweights        " << human_bytes(memory.weights) << " in memory\nstate          " << human_bytes(memory.state) << " a session, in f32\ncache          "
        << human_bytes(memory.cache_per_token) << " a token, " << human_bytes(cache) << " at a context of " << with_commas(options.context) << "\nmemo           "
        << human_bytes(memory.memo) << " at most\nscratch        about "
        << human_bytes(memory.scratch) << "\ntotal          about " << human_bytes(total) << " for " << with_commas(options.sessions) << (options.sessions == 1 ? " session" : " sessions")
        << " at that context: " << (total <= available ? "fits" : "does not fit") << ", " << human_bytes(available) << " are available\n";
  }
  write_output(out.str());
  return 0;
}

}  // namespace

void add_info(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("info", "What a checkpoint holds, the memory that it takes, and whether that fits");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  add_input(command, "MODEL", o.model.model, "Checkpoint, .safetensors or .pth")->required();
  add_number(command, "--context", o.context, {0, Index{1} << 40}, "Tokens of each session");
  add_number(command, "--sessions", o.sessions, {1, Index{1} << 30}, "Sessions at a time");
  command.add_flag("--json", o.json, "Print JSON");
  o.model.add(command, "");
  o.model.add_cache_options(command);
  command.callback([options, &run] { run = [options] { return info(*options); }; });
}

}  // namespace tool
