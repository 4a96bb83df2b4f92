// goldfinch bench: how fast a model decodes and pre-fills here, beside what this machine can do at best, in less than a minute.
#include <iomanip>
#include <optional>

#include <nlohmann/json.hpp>

#include "decode_bound.hpp"
#include "hot_loops.hpp"
#include "process_memory.hpp"
#include "random_checkpoint.hpp"
#include "shape_options.hpp"

namespace tool {
namespace {

struct Options {
  ShapeOptions shape;
  std::string dtype = "bf16", json;
};

/// What was measured of one way to run the model.
struct Speed {
  double tokens;                     // of a run
  std::vector<double> seconds = {};  // of each run
  limits::Work work = {};            // of a run

  double time() const { return limits::median(seconds); }
  double tokens_per_second() const { return tokens / time(); }
};

struct Measured {
  Speed decode{1}, prefill;
  double read = 0, arithmetic = 0;  // limits: bytes and operations a second
  double peak_memory = 0, weights = 0, state = 0, cache = 0, memo = 0;

  double bound(const Speed& speed) const { return speed.work.seconds(read, arithmetic); }
  bool is_read_bound(const Speed& speed) const { return speed.work.seconds_of_reading(read) > speed.work.seconds_of_arithmetic(arithmetic); }
};

std::unique_ptr<Engine> make_random_engine(const Options& options, const goldfinch::ModelShape& shape, StatusLine& status) {
  // Weights are in memory twice while they are packed.
  require_memory("the shape: making its weights", 2 * goldfinch::parameter_count(shape) * options.shape.stored.matrix);
  const double since = now();
  const auto checkpoint = random_checkpoint(shape, *goldfinch::dtype_named(options.dtype), 1, [&](double done) {
    status.show("making weights " + progress_bar(done, 1, now() - since));
  });
  return make_engine_f32(checkpoint, shape, options.shape.model.cache_settings(), nullptr);
}

std::vector<int> tokens_for(const Engine& engine, Index count) {
  std::vector<int> tokens(static_cast<std::size_t>(count));
  for (std::size_t t = 0; t < tokens.size(); ++t) tokens[t] = static_cast<int>(t * 7919 % static_cast<std::size_t>(engine.dimensions().V));
  return tokens;
}

/// Step by step gives the bits of one pass.
void require_right(const Engine& engine) {
  const auto tokens = tokens_for(engine, 5);
  const auto together = engine.start(), alone = engine.start();
  const auto whole = engine.forward({{tokens, together.get()}});
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto step = engine.forward({{std::span(tokens).subspan(t, 1), alone.get()}});
    if (std::memcmp(step.data(), whole.row(static_cast<Index>(t)).data(), static_cast<std::size_t>(step.size()) * sizeof(double)) != 0)
      fail("decoding does not give the bits of the whole pass; nothing is timed");
  }
}

Measured measure(const Engine& engine, const Options& options, StatusLine& status) {
  // As often as a third of a minute allows.
  constexpr double budget = 20;
  constexpr std::size_t fewest = 1, most_prefills = 5, most_steps = 41;
  const Index context = options.shape.context;
  goldfinch::StoredIn stored = options.shape.stored;
  stored.format = options.shape.model.cache_settings().format;
  const auto& n = engine.dimensions();
  Measured m{.prefill = {static_cast<double>(context)}};
  status.show("checking");
  require_right(engine);

  const auto tokens = tokens_for(engine, context);
  std::unique_ptr<Engine::Sequence> sequence;
  limits::ArithmeticLimit<float> arithmetic;
  const auto go_on = [&](const Speed& speed, double since, std::size_t most, const char* what) {
    const double part = std::max((now() - since) / budget, static_cast<double>(speed.seconds.size()) / static_cast<double>(most));
    status.show(what + progress_bar(part, 1, now() - since));
    return speed.seconds.size() < fewest || part < 1;
  };
  for (const double since = now(); go_on(m.prefill, since, most_prefills, "pre-fill ");) {
    arithmetic.probe();
    sequence = engine.start();
    const double start = now();
    engine.prefill({{tokens, sequence.get()}});
    m.prefill.seconds.push_back(now() - start);
  }
  const int token = tokens[0];
  const auto step = [&] { engine.forward({{std::span(&token, 1), sequence.get()}}); };
  step();  // fills the memo
  m.peak_memory = static_cast<double>(peak_rss());
  m.weights = static_cast<double>(engine.weights_bytes()), m.memo = static_cast<double>(engine.memo_bytes());
  m.state = static_cast<double>(sequence->state_bytes()), m.cache = static_cast<double>(sequence->cache_bytes());

  const Index length = sequence->position() + 1;
  m.decode.work = limits::decode_work(engine.config(), n, stored, length, std::min(length, n.V), m.memo);
  m.prefill.work = limits::prefill_work(engine.config(), n, stored, context, goldfinch::Model<float>::default_chunk);
  limits::ReadLimit read(std::min(static_cast<std::size_t>(m.decode.work.bytes), std::size_t{1} << 30));
  goldfinch::with_workers([&] {
    for (const double since = now(); go_on(m.decode, since, most_steps, "decode ");) {
      read.probe();
      arithmetic.probe();
      const double start = now();
      step();
      m.decode.seconds.push_back(now() - start);
    }
  });
  m.read = read.limit(), m.arithmetic = arithmetic.limit();
  return m;
}

int threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

nlohmann::ordered_json to_json(const Measured& m, const Speed& speed) {
  return {{"tokens_per_second", speed.tokens_per_second()},
          {"seconds", speed.time()},
          {"runs", speed.seconds.size()},
          {"operations", speed.work.operations},
          {"bytes_read", speed.work.bytes},
          {"least_seconds", m.bound(speed)},
          {"limited_by", m.is_read_bound(speed) ? "reading" : "arithmetic"},
          {"fraction", m.bound(speed) / speed.time()}};
}

std::string json_text(const Measured& m, const goldfinch::ModelShape& shape, const Options& options) {
  const nlohmann::ordered_json json = {{"model", shape.config.model_name()},
                                       {"config", nlohmann::ordered_json::parse(goldfinch::write_config(shape.config))},
                                       {"random_weights", options.shape.model.model.empty()},
                                       {"parameters", json_number(goldfinch::parameter_count(shape))},
                                       {"weight_bytes", json_number(options.shape.stored.matrix)},
                                       {"threads", threads()},
                                       {"context", options.shape.context},
                                       {"limits", {{"bytes_read_per_second", m.read}, {"operations_per_second", m.arithmetic}}},
                                       {"decode", to_json(m, m.decode)},
                                       {"prefill", to_json(m, m.prefill)},
                                       {"memory",
                                        {{"peak_bytes", json_number(m.peak_memory)},
                                         {"weights_bytes", json_number(m.weights)},
                                         {"state_bytes", json_number(m.state)},
                                         {"cache_bytes", json_number(m.cache)},
                                         {"memo_bytes", json_number(m.memo)}}}};
  return json.dump(2) + "\n";
}

std::string table(const Measured& m, const goldfinch::ModelShape& shape, const Options& options) {
  const auto fixed = [](double x, const char* unit) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(x >= 100 ? 0 : x >= 10 ? 1 : 2) << x << unit;
    return text.str();
  };
  std::ostringstream out;
  out << shape.config.model_name() << ", " << shape.config.n_layer << " layers of " << shape.config.n_embd << ", vocabulary " << shape.n.V << ", "
      << human_count(goldfinch::parameter_count(shape)) << " parameters, matrices of " << options.shape.stored.matrix << " bytes a number; context " << options.shape.context << ", "
      << threads() << (threads() == 1 ? " thread\n\n" : " threads\n\n");
  out << std::left << std::setw(10) << "" << std::right << std::setw(10) << "tokens/s" << std::setw(14) << "ms a token" << std::setw(12) << "at best" << std::setw(10)
      << "of best" << "   at best is\n";
  const auto row = [&](const char* name, const Speed& speed) {
    const double bound = m.bound(speed);
    out << std::left << std::setw(10) << name << std::right << std::setw(10) << fixed(speed.tokens_per_second(), "") << std::setw(14)
        << fixed(speed.time() / speed.tokens * 1e3, "") << std::setw(12) << fixed(bound / speed.tokens * 1e3, "") << std::setw(10)
        << fixed(100 * bound / speed.time(), " %");
    if (m.is_read_bound(speed)) out << "   reading " << human_bytes(speed.work.bytes / speed.tokens) << " at " << human_bytes(m.read) << "/s\n";
    else out << "   " << human_count(speed.work.operations / speed.tokens) << " operations at " << human_count(m.arithmetic) << " a second\n";
  };
  row("decode", m.decode);
  row("pre-fill", m.prefill);
  out << "\nPeak memory " << human_bytes(m.peak_memory) << ": weights " << human_bytes(m.weights) << ", memo " << human_bytes(m.memo) << ", cache " << human_bytes(m.cache)
      << ", state " << human_bytes(m.state) << ", the rest scratch.\nMedians of " << m.decode.seconds.size() << " tokens decoded and " << m.prefill.seconds.size()
      << " pre-fills. At best: what a token reads (weights, state, cache, memo) at the speed of\nthe fastest of eight ways to read as much memory, or its multiplications "
         "and additions at the speed of the fastest loop\nof them in registers, whichever takes longer; both limits were measured between the runs.\n";
  return out.str();
}

int bench(Options& options) {
  use_threads(options.shape.model.threads);
  options.shape.stored.other = options.dtype == "f32" ? 4 : 2;
  options.shape.stored.matrix = static_cast<double>(options.shape.stored.other);
  const auto shape = options.shape.open();
  const double cache = goldfinch::ByteCost(shape.config, shape.n, {.scalar = sizeof(float)}).cache_per_token() * static_cast<double>(options.shape.context);
  require_memory("--context: its cache", cache);
  std::optional<goldfinch::AtomicFile> file;
  if (!options.json.empty()) file.emplace(options.json);  // what cannot be written is said at once
  std::string text;
  {
    StatusLine status;
    const bool random = options.shape.model.model.empty();
    const auto engine = random ? make_random_engine(options, shape, status) : options.shape.model.open();
    if (random) process_memory::forget_peak();
    const Measured measured = measure(*engine, options, status);
    if (file) {
      const std::string json = json_text(measured, shape, options);
      file->write(json.data(), json.size());
      file->commit();
    }
    text = table(measured, shape, options);
  }
  write_output(text);
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("bench", "How fast a model decodes and pre-fills here, beside what this machine can do at best");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  o.shape.embd = 1024, o.shape.context = 512;
  o.shape.model.precision = "f32";
  o.shape.add(command, "Checkpoint, .safetensors or .pth; without it, random weights");
  add_dtype(command, "--dtype", o.dtype, {"bf16", "f32", "f16"}, "Number type of the random weights: bf16, f32 or f16")
      ->capture_default_str()
      ->excludes(command.get_option("--model"));
  o.shape.model.add_cache_options(command);
  add_threads(command, o.shape.model.threads);
  add_output(command, "--json", o.json, "Also write the figures to this file");
  command.callback([options, &run] { run = [options] { return bench(*options); }; });
}

}  // namespace tool
