// goldfinch cache: what a token of context costs in memory, by formula and by filling cache objects, beside a traditional cache;
// and the paper's claims about it, checked.
#include <iomanip>

#include <nlohmann/json.hpp>

#include "goldfinch/validate/plot.hpp"
#include "shape_options.hpp"

namespace tool {
namespace {

using goldfinch::KeyFormat;
using nlohmann::ordered_json;

constexpr Index live_tokens = 1024;
constexpr double GiB = 1073741824;

struct Options {
  ShapeOptions shape;
  std::string format = "native", svg;
  bool json = false, paper = false;
};

double real(Index i) { return static_cast<double>(i); }

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

/// A line of a table: the first cell to the left, in `width` columns, the others to the right.
template <class... Cells>
std::string line_of(int width, const std::string& first, const Cells&... cells) {
  std::ostringstream text;
  text << std::left << std::setw(width) << first << std::right;
  ((text << std::setw(12) << cells), ...);
  return text.str();
}

/// Bytes a token of a key cache that holds live_tokens tokens.
double live_key_bytes(Index V, Index R, KeyFormat format) {
  goldfinch::KeyCache<float> cache(V, R, format);
  const std::vector<float> c(static_cast<std::size_t>(R), 0.5f);
  for (Index t = 0; t < live_tokens; ++t) cache.append(static_cast<std::int32_t>(t % V), c.data());
  return static_cast<double>(cache.bytes()) / live_tokens;
}

/// Bytes a token of stored keys and values in `layers` layers: one is filled, all are alike.
double live_stored_bytes(Index D, Index layers) {
  goldfinch::StoredKeys<float> stored(D);
  const std::vector<float> row(static_cast<std::size_t>(D), 0.5f);
  for (Index t = 0; layers > 0 && t < live_tokens; ++t) stored.k.append(row.data()), stored.v.append(row.data());
  return real(layers) * static_cast<double>(stored.bytes()) / live_tokens;
}

/// One cache: what it keeps of a token.
struct Row {
  std::string name;
  double entries, formula_bytes, live_bytes;  // live below 0: only a formula
};

/// The model's own cache and the traditional one of its shape.
std::vector<Row> rows_of(const goldfinch::ModelShape& shape, KeyFormat format) {
  const auto& [config, n] = shape;
  require_memory("the shape: measuring its cache", 2 * real(n.D) * live_tokens * sizeof(float));  // the largest one that is filled
  Index stored = 0;
  for (Index i = 0; i < config.n_layer; ++i) stored += config.time_mix(i) == "gptalpha" || config.time_mix(i) == "llama";
  Row own{config.model_name() + (config.has_gold() ? std::string(", keys in ") + name_of(format) : ""), 2 * real(n.D * stored),
          8 * real(n.D * stored), live_stored_bytes(n.D, stored)};
  if (config.has_gold()) {
    own.entries += 1 + real(n.R);
    own.formula_bytes += real((n.V <= 65536 ? 2 : 4) + goldfinch::key_bytes(format, n.R, sizeof(float)));
    own.live_bytes += live_key_bytes(n.V, n.R, format);
  }
  const double traditional = 2 * real(n.D) * real(config.n_layer);
  return {own,
          {"traditional, 2 D L, in f32", traditional, 4 * traditional, live_stored_bytes(n.D, config.n_layer)},
          {"traditional, 2 D L, in 16 bits", traditional, 2 * traditional, -1}};
}

// ---- the paper's Table 1 ----------------------------------------------------------------------------------------------------

/// An architecture of the table: its entries a token by the formula printed there, and its size as printed.
struct Architecture {
  const char *name, *formula, *printed;
  double printed_gib, precision;  // to which the printed figure is given
  double (*entries)(double L, double D);
};

constexpr double d_head = 128;
constexpr Index table_layers = 32, table_width = 4096, table_context = 262144;

constexpr Architecture architectures[] = {
    {"Llama2", "2 D L", "128", 128, 1, [](double L, double D) { return 2 * D * L; }},
    {"Llama3 (GQA)", "8 d_head L", "32", 32, 1, [](double L, double) { return 8 * d_head * L; }},
    {"DeepSeek-V2", "9/2 d_head L", "18", 18, 1, [](double L, double) { return 4.5 * d_head * L; }},
    {"Zamba", "2/7 D L", "18.3", 18.3, 0.1, [](double L, double D) { return 2 * D * L / 7; }},
    {"Jamba", "8/7 d_head L", "4", 4, 1, [](double L, double) { return 8 * d_head * L / 7; }},
    {"YOCO", "2 D", "4", 4, 1, [](double, double D) { return 2 * D; }},
    {"GoldFinch", "1 + D/16", "0.068", 0.068, 0.001, [](double, double D) { return 1 + D / 16; }}};

/// A row of the table, checked.
struct Checked {
  const Architecture& architecture;
  double entries, gib_at_2, gib_at_1;
  double live_bytes = 0, entry_bytes = 0;  // a token and an entry of a live cache; 0: does not run here

  double times_printed() const { return architecture.printed_gib / gib_at_2; }
  double live_entries() const { return live_bytes / entry_bytes; }
  std::string verdict() const {
    const auto agrees = [&](double gib) { return std::abs(gib - architecture.printed_gib) <= architecture.precision / 2; };
    std::string text = agrees(gib_at_2) ? "agrees at 2 bytes an entry"
                       : agrees(gib_at_1)
                           ? "agrees at 1 byte an entry"
                           : "differs: printed is " + fixed(times_printed(), 2) + " times the formula at 2 bytes an entry";
    if (live_bytes > 0) text += live_entries() == entries ? "; live as the formula" : "; live differs from the formula";
    return text;
  }
};

std::vector<Checked> checked_table() {
  std::vector<Checked> table;
  for (const Architecture& a : architectures) {
    const double entries = a.entries(table_layers, table_width), gib = entries * real(table_context) / GiB;
    table.push_back({a, entries, 2 * gib, gib});
  }
  table.front().live_bytes = live_stored_bytes(table_width, table_layers), table.front().entry_bytes = 4;            // f32
  table.back().live_bytes = live_key_bytes(65536, table_width / 16, KeyFormat::bf16), table.back().entry_bytes = 2;  // the id too
  return table;
}

/// A way to count under which the paper's range "756 to 2550 times smaller" comes out.
struct Ratio {
  Index layers, width;
  bool bytes;  // a byte an entry of GoldFinch's against two of the traditional cache
  const char* what;
  double value() const { return (bytes ? 2 : 1) * 2 * real(width) * real(layers) / (1 + real(width) / 16); }
  const char* counted() const { return bytes ? "bytes, GoldFinch's entries in 1 and the others in 2" : "entries"; }
};

constexpr Ratio ratios[] = {{24, 1024, false, "756"},
                            {80, 4096, false, "2550"},
                            {12, 1024, true, "756"},
                            {40, 4096, true, "2550"},
                            {24, 2048, false, "the paper's 1.5B shape"}};

ordered_json paper_json() {
  ordered_json rows = ordered_json::array(), range = ordered_json::array();
  for (const Checked& c : checked_table()) {
    ordered_json row = {{"architecture", c.architecture.name},
                        {"formula", c.architecture.formula},
                        {"printed_gib", json_number(c.architecture.printed_gib)},
                        {"entries_per_token", json_number(c.entries)},
                        {"gib_at_2_bytes_an_entry", c.gib_at_2},
                        {"gib_at_1_byte_an_entry", c.gib_at_1}};
    if (c.live_bytes > 0) {
      row["live_entries_per_token"] = json_number(c.live_entries());
      row["live_bytes_per_token"] = json_number(c.live_bytes);
      row["live_gib"] = c.live_bytes * real(table_context) / GiB;
    }
    row["verdict"] = c.verdict();
    rows.push_back(row);
  }
  for (const Ratio& r : ratios)
    range.push_back(
        {{"claim", r.what}, {"layers", r.layers}, {"embd", r.width}, {"counted", r.counted()}, {"times_smaller", r.value()}});
  return {{"context", table_context},      {"layers", table_layers}, {"embd", table_width},
          {"d_head", json_number(d_head)}, {"table_1", rows},        {"times_smaller", range}};
}

std::string paper_text() {
  std::ostringstream out;
  out << "The paper's Table 1: caches of " << table_context << " tokens, L " << table_layers << ", D " << table_width
      << ", d_head " << d_head << "; GiB as printed, by the\n"
      << "formula at 2 and at 1 byte an entry, and of live caches (Llama in f32; GoldFinch in bf16 with ids of 2 bytes)\n\n";
  out << line_of(24, "", "entries", "live", "printed", "at 2 bytes", "at 1 byte", "live") << "\n";
  for (const Checked& c : checked_table()) {
    const bool live = c.live_bytes > 0;
    const std::string name = line_of(14, c.architecture.name) + c.architecture.formula;
    out << line_of(24, name, fixed(c.entries, 0), live ? fixed(c.live_entries(), 0) : "-", c.architecture.printed,
                   fixed(c.gib_at_2, 4), fixed(c.gib_at_1, 4), live ? fixed(c.live_bytes * real(table_context) / GiB, 4) : "-")
        << "  " << c.verdict() << "\n";
  }
  const double bytes = architectures[6].entries(table_layers, table_width) * real(table_context);
  out << "\nGoldFinch at 1 byte is " << fixed(bytes / 1e9, 4) << " GB of 10^9 bytes, which is not the printed figure either.\n\n"
      << "\"756 to 2550 times smaller\": 2 D L against 1 + D/16\n\n";
  for (const Ratio& r : ratios)
    out << "  L " << r.layers << "  D " << r.width << std::setw(10) << fixed(r.value(), 2) << "  in " << r.counted() << " ("
        << r.what << ")\n";
  return out.str();
}

// ---- output -----------------------------------------------------------------------------------------------------------------

/// Size against context for the table's architectures at a shape, 2 bytes an entry.
std::string picture(Index layers, Index width, Index context) {
  goldfinch::Plot plot{"Cache at L " + std::to_string(layers) + ", D " + std::to_string(width) + ", d_head 128, 2 bytes an entry",
                       {"tokens of context", true},
                       {"bytes", true},
                       {}};
  for (const Architecture& a : architectures) {
    goldfinch::PlotSeries series{a.name, {}};
    for (Index t = 1024; t <= std::max(context, Index{1} << 20); t *= 4)
      series.points.emplace_back(real(t), 2 * a.entries(real(layers), real(width)) * real(t));
    plot.series.push_back(series);
  }
  return to_svg(plot);
}

ordered_json shape_json(const goldfinch::ModelShape& shape, const Options& options) {
  const auto rows = rows_of(shape, goldfinch::key_format(options.format));
  ordered_json caches = ordered_json::array();
  for (const Row& r : rows) {
    ordered_json row = {
        {"cache", r.name}, {"entries_per_token", json_number(r.entries)}, {"bytes_per_token", json_number(r.formula_bytes)}};
    if (r.live_bytes >= 0) row["live_bytes_per_token"] = json_number(r.live_bytes);
    row["bytes_at_context"] = json_number(r.formula_bytes * real(options.shape.context));
    if (rows[0].entries > 0)
      row["entries_ratio"] = r.entries / rows[0].entries, row["bytes_ratio"] = r.formula_bytes / rows[0].formula_bytes;
    caches.push_back(row);
  }
  return {{"layers", shape.config.n_layer}, {"embd", shape.n.D},          {"vocab", shape.n.V},
          {"context", options.shape.context},     {"live_tokens", live_tokens}, {"caches", caches}};
}

std::string shape_text(const goldfinch::ModelShape& shape, const Options& options) {
  const auto rows = rows_of(shape, goldfinch::key_format(options.format));
  std::ostringstream out;
  out << "Caches at L " << shape.config.n_layer << ", D " << shape.n.D << ", V " << shape.n.V
      << ": a token's entries and bytes, by formula and live (of " << live_tokens << " tokens),\nall " << options.shape.context
      << " tokens of context, and how many times the first\n\n"
      << line_of(32, "", "entries", "bytes", "live", "in all", "entries", "bytes") << "\n";
  const auto times = [](double value, double base) { return base > 0 ? fixed(value / base, 2) + "x" : "-"; };
  for (const Row& r : rows)
    out << line_of(32, r.name, fixed(r.entries, 0), fixed(r.formula_bytes, 0), r.live_bytes >= 0 ? fixed(r.live_bytes, 0) : "-",
                   human_bytes(r.formula_bytes * real(options.shape.context)), times(r.entries, rows[0].entries),
                   times(r.formula_bytes, rows[0].formula_bytes))
        << "\n";
  return out.str();
}

int cache(Options& options) {
  std::string text, svg;
  if (options.paper) {
    text = options.json ? paper_json().dump(2) + "\n" : paper_text();
    svg = picture(table_layers, table_width, table_context);
  } else {
    const auto shape = options.shape.open();
    text = options.json ? shape_json(shape, options).dump(2) + "\n" : shape_text(shape, options);
    svg = picture(shape.config.n_layer, shape.n.D, options.shape.context);
  }
  if (!options.svg.empty()) goldfinch::write_file(options.svg, svg);
  write_output(text);
  return 0;
}

}  // namespace

void add_cache(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand(
      "cache", "Memory that a token of context takes, by formula and measured, and the paper's claims about it");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  o.shape.add(command);
  command.add_option("--format", o.format, "How compressed keys are kept: native, bf16, int8 or int4")
      ->check(CLI::IsMember(std::vector<std::string>(goldfinch::key_format_names.begin(), goldfinch::key_format_names.end())))
      ->capture_default_str();
  command.add_flag("--paper", o.paper, "The paper's Table 1 and its \"756 to 2550 times smaller\", checked");
  add_output(command, "--svg", o.svg,
             "Also draw cache size against context for seven architectures (with --paper at Table 1's shape)");
  command.add_flag("--json", o.json, "Print JSON");
  command.callback([options, &run] { run = [options] { return cache(*options); }; });
}

}  // namespace tool
