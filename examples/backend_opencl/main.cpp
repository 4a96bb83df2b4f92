// A backend in OpenCL, small enough to read, that goldfinch judges: it reads a case of the reference kit, runs the kernels beside this
// file on its inputs, and writes what they made under the names that `goldfinch compare` expects.
//
//   backend_opencl wkv6 ref/operators/wkv6.packed.safetensors mine.safetensors && goldfinch compare ref/operators/wkv6.packed.safetensors mine.safetensors
//
// Nothing here is goldfinch's own code: that is the point of a comparison. Not fast: a kernel an operation, every number through memory.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <numeric>

#include <CLI/CLI.hpp>

#include "device.hpp"
#include "safetensors.hpp"

namespace {

struct Options {
  std::string op, in, out;
  bool bf16 = false, split = false, show_device = false;
  int plant = 0;
};

/// One token a row, on the device, in the stored type.
struct Matrix {
  Memory memory;
  int rows = 0, cols = 0;
  int count() const { return rows * cols; }
};

class Backend {
 public:
  explicit Backend(const Options& options) : options_(options), tensors_(read_safetensors(options.in)) {
    std::string source;
    for (const char* name : {"storage.cl", "planted_bugs.cl", "wkv6.cl", "gold_attention.cl"}) {
      std::stringstream text;
      if (!(text << std::ifstream(std::string(KERNEL_DIR) + "/" + name).rdbuf())) throw std::runtime_error(std::string(name) + ": cannot be read");
      source += text.str();
    }
    device_.build(source, std::string("-cl-std=CL1.2") + (options.bf16 ? " -D BF16" : "") + " -D PLANT=" + std::to_string(options.plant));
  }

  void run() {
    if (options_.op == "wkv6") wkv6();
    else if (options_.op == "token_cat_decompress") write("K", decompressed_keys(input("x0"), input("c")));
    else if (options_.op == "attention") write("y", attention(input("q"), input("k"), input("v")));
    else gold_attention();
    std::map<std::string, bool> bf16;
    for (const auto& [name, tensor] : written_) bf16[name] = options_.bf16 && name != "S_after" && name != "decay";  // storage.cl says why
    write_safetensors(options_.out, written_, bf16);
  }

 private:
  // ---- WKV.1, WKV.2 ----------------------------------------------------------------------------------------------------------
  void wkv6() {
    const Matrix r = input("r"), k = like(r, "k"), v = like(r, "v"), u = input("u", true);
    const int N = has("S_before") ? input("S_before").cols : u.memory ? u.cols : head_size();
    const int H = heads(r, N);
    if (u.memory && (u.rows != H || u.cols != N)) fail("u", "does not fit the heads");
    const auto first_row = starts("lengths", r.rows);
    const int B = static_cast<int>(first_row.size()) - 1;
    if (std::int64_t{B} * r.cols > most / N) fail("lengths", "has too many sequences");
    const int states = B * r.cols * N;

    Memory d;  // float32, whatever is stored
    if (has("w")) {
      const Matrix w = like(r, "w");
      d = device_.allocate(sizeof(float) * r.count());
      device_.run("decay", groups(r.count()), r.count(), w.memory, d);
      written_["decay"] = {{r.rows, r.cols}, device_.download<float>(d, r.count())};
    } else {
      d = device_.upload(numbers("d", r.count()));
    }
    const Memory S = device_.upload(has("S_before") ? numbers("S_before", states) : std::vector<float>(states));

    const Matrix y = matrix(r.rows, r.cols);
    const int columns = B * H * N;
    device_.run(options_.split ? "wkv6_split" : "wkv6", options_.split ? columns : groups(columns), columns, H, N, device_.upload(first_row),
                r.memory, k.memory, v.memory, d, u.memory, S, y.memory);
    write("y", y);
    written_["S_after"] = {{B, H, N, N}, device_.download<float>(S, states)};
  }

  // ---- GOLD: keys from the cache, values from the embeddings, queries from the residual stream -----------------------------------
  void gold_attention() {
    const Matrix z = input("z");
    const auto first_row = starts("lengths", z.rows);
    const Matrix before = token_shift(z, first_row, input("last_z_before", true));
    const Matrix rate = lora(lerp(z, before, "time_maa_x"), "time_maa_q");
    const Matrix xq = write("xq", lerp(z, before, "time_maa_q", rate));                                   // GOLD.1
    const Matrix q = write("q", layer_norm(linear(xq, "query.weight"), "ln_q"));                          // GOLD.2

    const Matrix x0 = layer_norm(embedding("emb.weight", "ids"), "blocks.0.ln0");                         // EMB.1
    const Matrix o = rms_norm(x0);                                                                        // GOLD.3
    const Matrix K = write("keys", decompressed_keys(x0, input("c")));                                    // TC.2
    const auto first_key = starts("contexts", x0.rows);
    if (first_key.size() != first_row.size()) fail("lengths", "has another number of sequences than contexts");
    const Matrix before_o = token_shift(o, first_key, {}), before_K = token_shift(K, first_key, {});      // nothing is carried
    const Matrix h = tanh(times(lerp(o, before_o, "time_maa_v_cache"), "time_maa_kv_w1"));                // GOLD.4
    const Matrix mk = write("mk", times(h, "time_maa_kv_w2", 2, 0)), mv = write("mv", times(h, "time_maa_kv_w2", 2, 1));
    const Matrix bent_K = lerp(K, before_K, "time_maa_k", mk), bent_o = lerp(o, before_o, "time_maa_v", mv);
    const Matrix k = write("k", layer_norm(add(bent_K, lora(bent_K, "time_key")), "ln_k"));               // GOLD.5
    const Matrix v = write("v", layer_norm(add(bent_o, lora(bent_o, "time_value")), "ln_v"));             // GOLD.6

    std::vector<int> places(z.rows), key_places(k.rows);  // of queries and keys, in their contexts
    for (std::size_t b = 0; b + 1 < first_row.size(); ++b) {
      const int n = first_row[b + 1] - first_row[b], C = first_key[b + 1] - first_key[b];
      std::iota(places.begin() + first_row[b], places.begin() + first_row[b + 1], C - n);
      std::iota(key_places.begin() + first_key[b], key_places.begin() + first_key[b + 1], 0);
    }
    const Matrix attn = write("attn", attention(rotary(q, places), rotary(k, key_places), v));            // GOLD.7
    write("out", linear(layer_norm(attn, "ln_x"), "output.weight"));                                      // GOLD.8

    written_["last_z_after"] = tensor(has("last_z_before") ? "last_z_before" : "z");  // each sequence's last row; an empty one keeps its own
    Tensor& last = written_["last_z_after"];
    const int B = static_cast<int>(first_row.size()) - 1;
    last.shape = {B, z.cols}, last.numbers.resize(static_cast<std::size_t>(B) * z.cols);
    for (int b = 0; b < B; ++b)
      if (first_row[b + 1] > first_row[b])
        std::copy_n(tensor("z").numbers.begin() + (first_row[b + 1] - 1) * z.cols, z.cols, last.numbers.begin() + b * z.cols);
  }

  /// TC.2
  Matrix decompressed_keys(const Matrix& x0, const Matrix& c) {
    const Matrix W = input("w_kv_cache_b.weight");
    if (c.rows != x0.rows || W.rows != x0.cols || W.cols != x0.cols + c.cols) fail("w_kv_cache_b.weight", "does not fit x0 and c");
    const Matrix y = matrix(x0.rows, x0.cols);
    run("linear_of_both", y, x0.cols, c.cols, x0.memory, c.memory, W.memory, y.memory);
    return rms_norm(y);
  }

  // ---- operations, one kernel each -------------------------------------------------------------------------------------------
  Matrix attention(const Matrix& q, const Matrix& k, const Matrix& v) {
    const auto first_row = starts("lengths", q.rows), first_key = starts("contexts", k.rows);
    if (k.cols != q.cols || v.cols != q.cols || v.rows != k.rows || first_row.size() != first_key.size()) fail("k", "does not fit q and v");
    for (std::size_t b = 0; b + 1 < first_row.size(); ++b)
      if (first_row[b + 1] - first_row[b] > first_key[b + 1] - first_key[b]) fail("lengths", "has more rows than their context");
    const int N = head_size(), H = heads(q, N), items = q.rows * H;
    const Matrix y = matrix(q.rows, q.cols);
    device_.run(options_.split ? "attention_split" : "attention", options_.split ? items : groups(items), items, H, N,
                device_.upload(sequence_of_rows(first_row)), device_.upload(first_row), device_.upload(first_key), q.memory, k.memory, v.memory, y.memory);
    return y;
  }

  Matrix embedding(const char* table, const char* ids) {
    const Matrix E = input(table);
    std::vector<int> rows;
    for (const float id : tensor(ids).numbers) {
      if (!(id >= 0 && id < E.rows)) fail(ids, "has an id beyond the table");
      rows.push_back(static_cast<int>(id));
    }
    const Matrix y = matrix(static_cast<int>(rows.size()), E.cols);
    run("embedding", y, y.cols, device_.upload(rows), E.memory, y.memory);
    return y;
  }

  Matrix token_shift(const Matrix& x, const std::vector<int>& first_row, const Matrix& carried) {
    if (carried.memory && (carried.cols != x.cols || carried.rows + 1 != static_cast<int>(first_row.size()))) fail("last_z_before", "does not fit");
    const Matrix y = matrix(x.rows, x.cols);
    run("token_shift", y, x.cols, device_.upload(sequence_of_rows(first_row)), x.memory, carried.memory, y.memory);
    return y;
  }

  Matrix lerp(const Matrix& z, const Matrix& before, const char* rate, const Matrix& offset = {}) {
    if (offset.memory && offset.cols != z.cols) fail(rate, "does not fit what the data add to it");
    const Matrix y = matrix(z.rows, z.cols);
    run("lerp", y, z.cols, z.memory, before.memory, vector(rate, z.cols), offset.memory, y.memory);
    return y;
  }

  Matrix add(const Matrix& a, const Matrix& b) {
    if (a.cols != b.cols) fail("time_key_w2 or time_value_w2", "does not fit the width");
    const Matrix y = matrix(a.rows, a.cols);
    run("add", y, a.memory, b.memory, y.memory);
    return y;
  }

  Matrix tanh(const Matrix& x) {
    const Matrix y = matrix(x.rows, x.cols);
    run("hyperbolic_tangent", y, x.memory, y.memory);
    return y;
  }

  Matrix linear(const Matrix& x, const char* weight) {
    const Matrix W = input(weight), y = matrix(x.rows, W.rows);
    if (W.cols != x.cols) fail(weight, "does not fit");
    run("linear", y, x.cols, W.rows, x.memory, W.memory, y.memory);
    return y;
  }

  /// Group g of x's columns times its matrix of the weight [groups K, M].
  Matrix times(const Matrix& x, const std::string& weight, int groups = 1, int g = 0) {
    const Matrix B = input(weight);
    if (B.rows != x.cols || x.cols % groups != 0) fail(weight, "does not fit");
    const Matrix y = matrix(x.rows, B.cols);
    run("times", y, x.cols / groups, B.cols, groups, g, x.memory, B.memory, y.memory);
    return y;
  }

  /// LORA.1
  Matrix lora(const Matrix& x, const std::string& weights) { return times(tanh(times(x, weights + "_w1")), weights + "_w2"); }

  Matrix layer_norm(const Matrix& x, const std::string& weights) {
    const Matrix y = matrix(x.rows, x.cols);
    device_.run("layer_norm", groups(x.rows), x.rows, x.cols, x.memory, vector(weights + ".weight", x.cols), vector(weights + ".bias", x.cols), y.memory);
    return y;
  }

  Matrix rms_norm(const Matrix& x) {
    const Matrix y = matrix(x.rows, x.cols);
    device_.run("rms_norm", groups(x.rows), x.rows, x.cols, x.memory, y.memory);
    return y;
  }

  /// x itself where there is no base. Angles are made in double: in float32 those of far positions are wrong.
  Matrix rotary(const Matrix& x, const std::vector<int>& positions) {
    if (!has("base")) return x;
    const int N = head_size();
    if (N % 2 != 0) fail("head_size", "is odd, and rotary embedding turns pairs");
    const double base = numbers("base", 1)[0], rescale = has("rescale") ? numbers("rescale", 1)[0] : 1;
    std::vector<float> cosines, sines;
    for (const int position : positions)
      for (int pair = 0; pair < N / 2; ++pair) {
        const double angle = position * std::pow(base, -2.0 * pair / N) / rescale;
        cosines.push_back(static_cast<float>(std::cos(angle))), sines.push_back(static_cast<float>(std::sin(angle)));
      }
    const Matrix y = matrix(x.rows, x.cols);
    device_.run("rotary", groups(x.count() / 2), x.count() / 2, x.cols, N, device_.upload(cosines), device_.upload(sines), x.memory, y.memory);
    return y;
  }

  // ---- tensors of the case, and what is made of them ---------------------------------------------------------------------------
  [[noreturn]] void fail(const std::string& name, const char* why) const { throw std::runtime_error(options_.in + ": tensor " + name + " " + why); }

  bool has(const std::string& name) const { return tensors_.count(name) > 0; }
  const Tensor& tensor(const std::string& name) const {
    if (!has(name)) fail(name, "is missing");
    return tensors_.at(name);
  }

  std::vector<float> numbers(const std::string& name, int count) const {
    if (static_cast<int>(tensor(name).numbers.size()) != count) fail(name, "has another number of elements than expected");
    return tensor(name).numbers;
  }

  /// A tensor as a matrix of its last dimension's rows, on the device; with no memory if it is missing and may be.
  Matrix input(const std::string& name, bool optional = false) {
    if (optional && !has(name)) return {};
    const Tensor& t = tensor(name);
    if (t.shape.empty() || t.shape.back() < 1 || t.numbers.size() % t.shape.back() != 0 || t.numbers.size() > most) fail(name, "is no matrix");
    const int cols = static_cast<int>(t.shape.back());
    return {stored(t.numbers), static_cast<int>(t.numbers.size()) / cols, cols};
  }

  Matrix like(const Matrix& other, const char* name) {
    const Matrix x = input(name);
    if (x.rows != other.rows || x.cols != other.cols) fail(name, "has another shape than r");
    return x;
  }

  Memory vector(const std::string& name, int count) { return stored(numbers(name, count)); }

  /// Numbers to the device, in the stored type.
  Memory stored(const std::vector<float>& numbers) {
    if (!options_.bf16) return device_.upload(numbers);
    std::vector<std::uint16_t> halves(numbers.size());
    std::transform(numbers.begin(), numbers.end(), halves.begin(), narrowed);
    return device_.upload(halves);
  }

  Matrix matrix(int rows, int cols) {
    if (std::int64_t{rows} * cols > most) throw std::runtime_error(options_.in + ": too large");
    return {device_.allocate(std::size_t{options_.bf16 ? 2u : 4u} * rows * cols), rows, cols};
  }

  int head_size() const {
    const float N = numbers("head_size", 1)[0];
    if (!(N >= 1 && N <= Device::lanes)) fail("head_size", "is not from 1 to 64");
    return static_cast<int>(N);
  }

  int heads(const Matrix& x, int N) const {
    if (N > Device::lanes || x.cols % N != 0) fail("head_size", "does not divide the width, or is above 64");
    return x.cols / N;
  }

  /// 0, L0, L0 + L1, …: where each sequence's rows begin, and at last where they end. Without the tensor, one sequence.
  std::vector<int> starts(const char* lengths, int rows) const {
    std::vector<int> first = {0};
    if (!has(lengths)) first.push_back(rows);
    else
      for (const float length : tensor(lengths).numbers) {
        if (!(length >= 0 && length <= rows - first.back())) fail(lengths, "does not add up to the rows");
        first.push_back(first.back() + static_cast<int>(length));
      }
    if (first.back() != rows) fail(lengths, "does not add up to the rows");
    return first;
  }

  static std::vector<int> sequence_of_rows(const std::vector<int>& first_row) {
    std::vector<int> sequence;
    for (std::size_t b = 0; b + 1 < first_row.size(); ++b) sequence.resize(first_row[b + 1], static_cast<int>(b));
    return sequence;
  }

  static int groups(int items) { return (items + Device::lanes - 1) / Device::lanes; }

  /// A kernel with a work-item for every number of y.
  template <class... Arguments>
  void run(const char* kernel, const Matrix& y, const Arguments&... arguments) { device_.run(kernel, groups(y.count()), y.count(), arguments...); }

  /// Keeps what a kernel made, to be written, and hands it on.
  Matrix write(const char* name, const Matrix& x) {
    Tensor& tensor = written_[name];
    tensor.shape = {x.rows, x.cols};
    if (options_.bf16)
      for (const std::uint16_t half : device_.download<std::uint16_t>(x.memory, x.count())) tensor.numbers.push_back(widened(half));
    else tensor.numbers = device_.download<float>(x.memory, x.count());
    return x;
  }

  static constexpr int most = 1 << 28;  // numbers of a tensor: kernels count in int

  Options options_;
  std::map<std::string, Tensor> tensors_, written_;
  Device device_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Runs a case of goldfinch's reference kit on an OpenCL device");
  Options options;
  auto* const op = app.add_option("OPERATOR", options.op)->check(CLI::IsMember({"wkv6", "token_cat_decompress", "attention", "gold_attention"}));
  auto* const in = app.add_option("CASE", options.in, "The case's .safetensors");
  auto* const out = app.add_option("MINE", options.out, "Where the results go");
  app.add_flag("--bf16", options.bf16, "Keep inputs, weights and what kernels hand each other in bfloat16; sums stay float32");
  app.add_flag("--split", options.split, "The kernels that split a sum among the lanes of a work-group");
  app.add_option("--plant", options.plant, "Plant bug 1 to 5 (docs/find_the_bug.md)")->check(CLI::Range(1, 5));
  auto* const device = app.add_flag("--device", options.show_device, "Tell the device's name, and nothing else");
  try {
    app.parse(argc, argv);
    if (!*device && !(*op && *in && *out)) throw CLI::RequiredError("OPERATOR CASE MINE");
    if (options.show_device) std::cout << Device().name() << "\n";
    else Backend(options).run();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "backend_opencl: " << error.what() << "\n";
    return 2;
  }
}
