#include "command.hpp"

#include <sys/resource.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <iostream>

#include "goldfinch/checkpoint/fingerprint.hpp"
#include "goldfinch/checkpoint/state_file.hpp"
#include "goldfinch/core/folder_entries.hpp"

namespace tool {

namespace fs = std::filesystem;

std::string read_text(const std::string& path) {
  const auto text = [](const auto& bytes) { return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()); };
  struct stat status;
  const bool pipe = ::fstat(0, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));  // check_files has read it
  if (path == "-" && !pipe) return text(goldfinch::ReadBytes(0, "standard input"));
  return text(goldfinch::MappedFile(path == "-" ? "/dev/stdin" : path));
}

std::vector<int> parse_tokens(const std::string& option, const std::string& argument) {
  const bool from_file = argument.starts_with("@");
  const std::string text = from_file ? read_text(argument.substr(1)) : argument;
  const std::string where = from_file ? argument.substr(1) : option;
  std::vector<int> tokens;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto is_separator = [](char c) { return c == ' ' || c == ',' || c == '\n' || c == '\t' || c == '\r'; };
  while (true) {
    while (at < end && is_separator(*at)) ++at;
    if (at == end) break;
    int token = 0;
    const auto [next, error] = std::from_chars(at, end, token);
    if (error != std::errc() || (next < end && !is_separator(*next)))
      fail(where, ": token number ", tokens.size(), " is not a whole number of 32 bits: ", goldfinch::in_quotes(std::string(at, std::find_if(at, end, is_separator)).substr(0, 40)));
    tokens.push_back(token);
    at = next;
  }
  if (tokens.empty()) fail(where, ": holds no tokens");
  return tokens;
}

std::string find_data(const std::string& relative) {
  std::vector<fs::path> places;
  if (const char* data = std::getenv("GOLDFINCH_DATA"); data && *data) places.push_back(data);
  std::error_code error;
  if (const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path(); !error) {
    places.push_back(program / ".." / "share" / "goldfinch");
    places.push_back(program / ".." / "examples");
  }
  places.push_back(GOLDFINCH_SOURCE_DATA);
  std::string tried;
  for (const fs::path& place : places) {
    const fs::path found = (place / relative).lexically_normal();
    if (fs::exists(found, error)) return found.string();
    tried += (tried.empty() ? "" : ", ") + found.string();
  }
  fail(relative, ": not found (looked for ", tried, "); name a model with --model, or set GOLDFINCH_DATA");
}

void add_threads(CLI::App& command, int& threads) {
  add_number(command, "-t,--threads", threads, {1, 1024}, "Threads (default: OMP_NUM_THREADS, else the CPUs this process may use)")->default_str("");
}

void use_threads([[maybe_unused]] int threads) {
#ifdef _OPENMP
  if (threads > 0) omp_set_num_threads(threads);
  else if (const char* set = std::getenv("OMP_NUM_THREADS"); !set || !*set) omp_set_num_threads(goldfinch::available_cpus());
#endif
}

CLI::Option* add_seed(CLI::App& command, std::uint64_t& seed, const char* help) { return add_number(command, "-s,--seed", seed, {}, help); }

CLI::Option* add_model(CLI::App& command, std::string& model, const std::string& help) { return add_input(command, "-m,--model", model, help); }

std::string demo_model() { return find_data("demo/goldfinch-demo.safetensors"); }

void require_finite(const goldfinch::Matrix<double>& logits, Index first) {
  for (Index t = 0; t < logits.rows(); ++t)
    if (!logits.row(t).allFinite())
      fail("the logits that follow token number ", first + t, " (from 0) are not finite: the numbers on the way to them are too large for this precision, or the model's weights are broken");
}

std::string progress_bar(double done, double total, double seconds) {
  const double part = total > 0 ? std::min(done / total, 1.0) : 1;
  const int cells = static_cast<int>(part * 20);
  std::string text = "[" + std::string(static_cast<std::size_t>(cells), '#') + std::string(static_cast<std::size_t>(20 - cells), ' ') + "] " +
                     std::to_string(static_cast<int>(part * 100)) + " %";
  if (part > 0 && part < 1 && seconds > 1) {
    const double left = seconds / part * (1 - part);
    text += left < 90 ? "  " + std::to_string(static_cast<int>(left) + 1) + " s left" : "  " + std::to_string(static_cast<int>(left / 60) + 1) + " min left";
  }
  return text;
}

void require_memory(const std::string& what, double bytes) {
  if (const double available = available_memory(); !(bytes <= available))
    fail(what, " takes ", human_bytes(bytes), " of memory, ", human_bytes(available), " are available");
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::size_t peak_rss() {
  struct rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

std::string human_bytes(double bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= 1000 && unit < 4) bytes /= 1000, ++unit;
  std::ostringstream text;
  text.precision(unit == 0 || bytes >= 100 ? 0 : bytes >= 10 ? 1 : 2);
  text << std::fixed << bytes << ' ' << units[unit];
  return text.str();
}

void ModelOptions::add(CLI::App& command, const std::string& default_precision) {
  auto* group = command.add_option_group("Model");
  add_number(*group, "--rope-base", overrides.rope_base, {}, "Base of the rotary embedding; 0: none");
  add_number(*group, "--rope-rescale", overrides.rope_rescale, {}, "Positions are divided by this");
  add_number(*group, "--head-size", overrides.head_size, {}, "Channels of a head, where no tensor tells");
  add_number(*group, "--head-size-divisor", overrides.head_size_divisor, {}, "The group norm's eps is 1e-5 times its square (x060)");
  group->add_flag("--no-v2", no_v2, "Finch-C2 without the second value: the bonus time_faaaa is used");
  group->add_flag("--no-one-minus-w", no_one_minus_w, "Finch-C2 without the factor 1 - d on keys");
  group->add_flag("--ignore-unexpected", ignore_unexpected, "Ignore tensors that the model does not have");
  if (!default_precision.empty()) {
    precision = default_precision;
    const bool f80 = default_precision == "f64";  // offered where truth is the aim
    group->add_option("--precision", precision, f80 ? "f32, f64 or f80 (long double)" : "f32 or f64")
        ->check(f80 ? CLI::IsMember({"f32", "f64", "f80"}) : CLI::IsMember({"f32", "f64"}))->capture_default_str();
    add_threads(command, threads);
    add_input(*group, "--state", state, "States of RWKV-6 (time_state) that every text begins with, .pth or .safetensors");
  }
}

void ModelOptions::add_cache_options(CLI::App& command) {
  auto* group = command.add_option_group("Key cache");
  group->add_option("--cache-format", cache_format, "How compressed keys are kept: native, bf16, int8 or int4")
      ->check(CLI::IsMember(std::vector<std::string>(goldfinch::key_format_names.begin(), goldfinch::key_format_names.end())))->capture_default_str();
  group->add_option("--cache-memo", cache_memo, "Memory for keys and values expanded from the cache: 512MiB, 2GB, 0, max; changes the time, not a bit")->capture_default_str();
}

namespace {

/// "512MiB", "2GB", "1000", "0", "max".
std::size_t parse_memory(const std::string& text) {
  if (text == "max") return goldfinch::unlimited_memory;
  std::size_t bytes = 0;
  const char* const end = text.data() + text.size();
  const auto [unit, error] = std::from_chars(text.data(), end, bytes);
  constexpr std::pair<const char*, std::size_t> units[] = {{"", 1}, {"B", 1}, {"kB", 1000}, {"KiB", 1u << 10}, {"MB", 1000000}, {"MiB", 1u << 20}, {"GB", 1000000000}, {"GiB", 1u << 30}};
  for (const auto& [name, size] : units)
    if (error == std::errc() && std::string(unit, end) == name && bytes <= (std::size_t{1} << 60) / size) return bytes * size;
  fail("--cache-memo is ", goldfinch::in_quotes(text), ", expected a size such as 512MiB, 2GB or 0, or max");
}

}  // namespace

goldfinch::CacheSettings ModelOptions::cache_settings() const { return {goldfinch::key_format(cache_format), parse_memory(cache_memo)}; }

goldfinch::ConfigOverrides ModelOptions::all_overrides() const {
  auto all = overrides;
  if (no_v2) all.use_v2 = false;
  if (no_one_minus_w) all.use_one_minus_w = false;
  return all;
}

std::pair<goldfinch::Checkpoint, goldfinch::ModelShape> ModelOptions::open_checkpoint() const {
  auto checkpoint = goldfinch::open_checkpoint(model);
  auto shape = goldfinch::resolve_shape(checkpoint, all_overrides());
  const auto ignored = goldfinch::check_tensors(checkpoint, goldfinch::parameter_list(shape), ignore_unexpected);
  if (!ignored.empty()) {
    std::string names;
    for (const auto& name : ignored) names += " " + goldfinch::in_quotes(name);
    std::cerr << "goldfinch: " << model << ": ignored tensors that the model does not use:" << names << "\n";
  }
  return {std::move(checkpoint), std::move(shape)};
}

std::unique_ptr<Engine> ModelOptions::open(std::string* fingerprint) const {
  use_threads(threads);
  const goldfinch::CacheSettings cache = cache_settings();
  const auto [checkpoint, shape] = open_checkpoint();
  StatusLine status;
  status.show("loading " + model);
  const auto make = precision == "f64" ? make_engine_f64 : precision == "f80" ? make_engine_f80 : make_engine_f32;
  auto engine = make(checkpoint, shape, cache, fingerprint);
  if (!state.empty()) {
    const auto states = goldfinch::open_checkpoint(state);
    start_with_states(*engine, states);
    if (fingerprint) *fingerprint += " beginning with " + goldfinch::tensors_fingerprint(states);
  }
  return engine;
}

std::vector<std::string> tokenizers_beside(const std::string& model) {
  std::vector<std::string> beside;
  const fs::path folder = fs::path(goldfinch::model_file(model)).parent_path();
  for (const auto& entry : goldfinch::folder_entries(folder.empty() ? "." : folder.string())) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".model") || (name.starts_with("rwkv_vocab") && name.ends_with(".txt"))) beside.push_back(entry.path().string());
  }
  std::sort(beside.begin(), beside.end());
  return beside;
}

std::string choose_tokenizer(const std::string& path, const std::string& model, Index vocabulary_size) {
  if (!path.empty()) return path;
  const auto beside = tokenizers_beside(model);
  if (beside.size() == 1) return beside[0];
  if (beside.empty() && vocabulary_size == 256) return "bytes";
  if (beside.empty()) fail(model, ": has no tokenizer beside it (a *.model or rwkv_vocab*.txt); name one with --tokenizer");
  fail(model, ": has several tokenizers beside it (", beside[0], ", ", beside[1], "…); name one with --tokenizer");
}

std::unique_ptr<goldfinch::Tokenizer> open_tokenizer_for(const std::string& path, const std::string& model, Index vocabulary_size) {
  const std::string chosen = choose_tokenizer(path, model, vocabulary_size);
  auto tokenizer = goldfinch::open_tokenizer(chosen);
  try {
    if (const std::string warning = goldfinch::check_fits(*tokenizer, vocabulary_size); !warning.empty()) std::cerr << "goldfinch: " << chosen << ": " << warning << "\n";
  } catch (const goldfinch::Error& error) {
    fail(chosen, ": ", error.what());
  }
  return tokenizer;
}

}  // namespace tool
