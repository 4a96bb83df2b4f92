// goldfinch cost: multiplications and bytes a token, for pre-fill and decoding, by formula (goldfinch/model/cost.hpp).
#include <iomanip>

#include <nlohmann/json.hpp>

#include "goldfinch/model/cost.hpp"
#include "shape_options.hpp"

namespace tool {
namespace {

using goldfinch::Growth;
using goldfinch::Remembered;

struct Options {
  ShapeOptions shape;
  bool json = false;
};

/// All figures of one model.
struct Figures {
  std::string name;
  bool gold;
  double parameters, state, cache_per_token, tail, tail_bytes, scoring;
  Growth prefill, prefill_bytes, decode, decode_bytes, ids, ids_bytes, remembering, remembering_bytes;
};

constexpr Index chunk = goldfinch::Model<float>::default_chunk;

Figures figures_of(const goldfinch::ModelShape& shape, const goldfinch::StoredIn& stored, Index context) {
  const goldfinch::OperationCost operations(shape.config, shape.n);
  const goldfinch::ByteCost bytes(shape.config, shape.n, stored);
  return {.name = shape.config.model_name(),
          .gold = shape.config.has_gold(),
          .parameters = static_cast<double>(goldfinch::parameter_count(shape)),
          .state = bytes.state(),
          .cache_per_token = bytes.cache_per_token(),
          .tail = operations.prefill_tail(context, context),
          .tail_bytes = bytes.prefill_tail(context),
          .scoring = operations.scoring(std::min(chunk, context), context) / static_cast<double>(std::min(chunk, context)),
          .prefill = operations.prefill_token(),
          .prefill_bytes = bytes.prefill_token(chunk),
          .decode = operations.decode(),
          .decode_bytes = bytes.decode(),
          .ids = operations.decode(Remembered::ids),
          .ids_bytes = bytes.decode(Remembered::ids),
          .remembering = operations.decode(Remembered::everything),
          .remembering_bytes = bytes.decode(Remembered::everything)};
}

/// The model itself, and the GoldFinch, the Finch and the Llama of its shape.
std::vector<Figures> all_figures(Options& options) {
  const goldfinch::ModelShape own = options.shape.open();
  std::vector<Figures> all = {figures_of(own, options.shape.stored, options.shape.context)};
  const auto add = [&](const char* tmix, const char* tmix2, const char* cmix) {
    goldfinch::Config config;
    config.vocab_size = own.config.vocab_size, config.n_layer = own.config.n_layer, config.n_embd = own.config.n_embd;
    config.head_size = own.config.head_size, config.dim_ffn = own.config.dim_ffn;
    config.tmix = tmix, config.tmix2 = tmix2, config.cmix = cmix;
    if (config.tmix == "llama" && config.head_size % 2 == 0) config.rope_base = 10000;
    if (config.model_name() != all[0].name)
      all.push_back(figures_of({config, config.dimensions()}, options.shape.stored, options.shape.context));
  };
  add("x060c2", "gold", "x060");
  add("x060", "", "x060");
  add("llama", "", "llama");
  return all;
}

nlohmann::ordered_json to_json(const Growth& growth, Index context) {
  return {{"fixed", json_number(growth.fixed)},
          {"per_context_token", json_number(growth.per_token)},
          {"per_page_of_64_context_tokens", json_number(growth.per_tile)},
          {"at_context", json_number(growth.at(context))}};
}

std::string json_text(const std::vector<Figures>& all, const Options& options) {
  const Index context = options.shape.context;
  nlohmann::ordered_json models = nlohmann::ordered_json::array();
  for (const Figures& f : all) {
    nlohmann::ordered_json model = {
        {"model", f.name},
        {"parameters", json_number(f.parameters)},
        {"state_bytes", json_number(f.state)},
        {"cache_bytes_per_token", json_number(f.cache_per_token)},
        {"prefill",
         {{"multiplications_per_token", to_json(f.prefill, context)},
          {"bytes_per_token", to_json(f.prefill_bytes, context)},
          {"tail_multiplications", json_number(f.tail)},
          {"tail_bytes", json_number(f.tail_bytes)}}},
        {"scoring", {{"multiplications_per_token_at_context", json_number(f.scoring)}}},
        {"decode",
         {{"multiplications_per_token", to_json(f.decode, context)}, {"bytes_per_token", to_json(f.decode_bytes, context)}}}};
    if (f.gold) {
      model["decode_with_ids_remembered"] = {{"multiplications_per_token", to_json(f.ids, context)}, {"bytes_per_token", to_json(f.ids_bytes, context)}};
      model["decode_with_everything_remembered"] = {{"multiplications_per_token", to_json(f.remembering, context)},
                                                    {"bytes_per_token", to_json(f.remembering_bytes, context)}};
    }
    models.push_back(model);
  }
  const nlohmann::ordered_json json = {{"context", context},
                                       {"prefill_chunk", chunk},
                                       {"weight_bytes", json_number(options.shape.stored.matrix)},
                                       {"scalar_bytes", sizeof(float)},
                                       {"models", models}};
  return json.dump(2) + "\n";
}

std::string table(const std::vector<Figures>& all, const Options& options) {
  const Index context = options.shape.context;
  std::ostringstream out;
  const auto row = [&](const std::string& label, auto&& value) {
    out << std::left << std::setw(44) << label << std::right;
    for (const Figures& f : all) out << std::setw(17) << value(f);
    out << "\n";
  };
  const auto growth = [&](Growth Figures::*member, bool gold_only, std::string (*text)(double)) {
    const auto show = [&, text](const Figures& f, double value) { return gold_only && !f.gold ? std::string("-") : text(value); };
    row("  fixed", [&](const Figures& f) { return show(f, (f.*member).fixed); });
    row("  for each token of context", [&](const Figures& f) { return show(f, (f.*member).slope()); });
    row("  at this context", [&](const Figures& f) { return show(f, (f.*member).at(context)); });
  };
  out << "Per token, at a context of " << context << "; matrices of " << options.shape.stored.matrix
      << "-byte numbers, the rest f32, pre-fill in chunks of " << chunk << "\n\n";
  row("", [](const Figures& f) { return f.name; });
  row("parameters", [](const Figures& f) { return human_count(f.parameters); });
  row("state", [](const Figures& f) { return human_bytes(f.state); });
  row("cache, a token", [](const Figures& f) { return human_bytes(f.cache_per_token); });
  out << "\npre-fill: multiplications\n";
  growth(&Figures::prefill, false, human_count);
  row("  the tail, once a prompt of this length", [](const Figures& f) { return human_count(f.tail); });
  out << "pre-fill: bytes read\n";
  growth(&Figures::prefill_bytes, false, human_bytes);
  row("  the tail, once a prompt of this length", [](const Figures& f) { return human_bytes(f.tail_bytes); });
  out << "\nscoring, the logits of all tokens of a chunk: multiplications\n";
  row("  at this context", [](const Figures& f) { return human_count(f.scoring); });
  out << "\ndecode, nothing remembered: multiplications\n";
  growth(&Figures::decode, false, human_count);
  out << "decode, nothing remembered: bytes read\n";
  growth(&Figures::decode_bytes, false, human_bytes);
  out << "\ndecode, the halves of ids remembered: multiplications\n";
  growth(&Figures::ids, true, human_count);
  out << "decode, the halves of ids remembered: bytes read\n";
  growth(&Figures::ids_bytes, true, human_bytes);
  out << "\ndecode, all keys and values remembered: multiplications\n";
  growth(&Figures::remembering, true, human_count);
  out << "decode, all keys and values remembered: bytes read\n";
  growth(&Figures::remembering_bytes, true, human_bytes);
  out << "\nCounted: products of two numbers (nearly all of them with an addition); not divisions, additions, nor the inside of "
         "exp and the like.\n";
  return out.str();
}

}  // namespace

void add_cost(CLI::App& app, Run& run) {
  auto& command =
      *app.add_subcommand("cost", "Multiplications and bytes a token, for pre-fill and decoding, beside Finch and Llama");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  o.shape.add(command);
  command.add_flag("--json", o.json, "Print JSON");
  command.callback([options, &run] {
    run = [options] {
      const auto all = all_figures(*options);
      write_output(options->json ? json_text(all, *options) : table(all, *options));
      return 0;
    };
  });
}

}  // namespace tool
