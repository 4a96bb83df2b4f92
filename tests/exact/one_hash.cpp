// One hash over the bits of everything that this library computes: fixed inputs through every primitive in float and double, then
// a small model of every kind through whole passes, pre-fill and batches. Whatever this file is compiled with, it prints the same
// hash (one_hash.sh shows it), or refuses to run and says why; and it names the instruction set whose kernels ran.
//
// -DMODEL_SCALARS=double leaves out the models in float, which take a third of the time to compile (and change the hash).

#include <cstdio>
#include <map>

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/core/sha256.hpp"
#include "goldfinch/math/quantise.hpp"
#include "kernels.hpp"

namespace gf = goldfinch;
using gf::DType, gf::Index, gf::Matrix, gf::Vector;

namespace {

#ifndef MODEL_SCALARS  // may be nothing
#define MODEL_SCALARS float, double
#endif

class Hash {
 public:
  template <class Scalar>
  void operator()(const Scalar* x, Index n) {
    for (Index i = 0; i < n; ++i) {
      const Scalar value = x[i] == x[i] ? x[i] : std::numeric_limits<Scalar>::quiet_NaN();  // one NaN for all
      sha_.update(&value, sizeof value);
    }
  }
  template <class X>
  void operator()(const X& x) {
    (*this)(x.data(), x.size());
  }
  std::string finish() { return sha_.finish(); }

 private:
  gf::Sha256 sha_;
};

/// Integers only, so that the inputs themselves are beyond doubt.
class Random {
 public:
  /// A number of 8 significant bits between -2 and 2: a number of bfloat16, binary16, float and double.
  double number() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    const int mantissa = static_cast<int>(state_ >> 56) + 128, exponent = static_cast<int>(state_ >> 53 & 7);
    return (state_ >> 52 & 1 ? -1.0 : 1.0) * mantissa / (128 << exponent);
  }
  template <class Scalar>
  Matrix<Scalar> matrix(Index rows, Index cols, bool hostile = false) {
    constexpr double special[] = {0.0, -0.0, 1e-40, -3e-42, 5e-324, 3e38, -1e30, 1e300, std::numeric_limits<double>::infinity(),
                                  std::numeric_limits<double>::quiet_NaN()};
    Matrix<Scalar> x(rows, cols);
    for (Index i = 0; i < x.size(); ++i) {
      x.data()[i] = static_cast<Scalar>(number());
      if (hostile && (state_ >> 20) % 16 == 0) x.data()[i] = static_cast<Scalar>(special[(state_ >> 30) % 10]);
    }
    return x;
  }
  template <class Scalar>
  Vector<Scalar> vector(Index n) {
    return matrix<Scalar>(n, 1);
  }

 private:
  std::uint64_t state_ = 1;
};

template <class Scalar>
struct Held {
  Matrix<Scalar> all_k, all_v;
  Index size() const { return all_k.rows(); }
  Index tiles(Index first, std::vector<std::vector<goldfinch::KeyTile<Scalar>>>& out) const {
    for (; first < size(); first += 64) out[0].push_back({all_k.row(first).data(), all_v.row(first).data(), all_k.cols()});
    return first;
  }
};

template <class Scalar>
struct RecurrentState {
  Matrix<Scalar> S;
};

template <class Scalar>
void hash_primitives(Hash& hash) {
  Random random;
  for (const bool hostile : {false, true}) {
    const auto x = random.matrix<Scalar>(9, 333, hostile), y = random.matrix<Scalar>(9, 333, hostile),
               z = random.matrix<Scalar>(9, 333, hostile);
    const auto m = random.vector<Scalar>(333);
    hash(gf::lerp(x, y, m)), hash(gf::lerp(x, y, m, z)), hash(gf::add(x, y)), hash(gf::hadamard(x, y)),
        hash(gf::add_to_rows(m, x));
    hash(gf::relu_squared(x)), hash(gf::tanh(x)), hash(gf::sigmoid(x)), hash(gf::silu(x));
    Vector<Scalar> f(9 * 333);
    gf::exp(x.data(), f.data(), f.size()), hash(f);
    gf::expm1(x.data(), f.data(), f.size()), hash(f);
    gf::log(x.data(), f.data(), f.size()), hash(f);
    gf::sin(x.data(), f.data(), f.size()), hash(f);
    gf::cos(x.data(), f.data(), f.size()), hash(f);
    hash(gf::layer_norm(x, {m, random.vector<Scalar>(333)})), hash(gf::rms_norm(x));
    hash(gf::group_norm(x, 111, {m, random.vector<Scalar>(333)}, Scalar(6.4e-4)));
  }
  auto long_row = random.matrix<Scalar>(1, 1300);
  hash(gf::rms_norm(long_row));
  gf::Rotary<Scalar> rotary({10000, 1}, 50);
  rotary.turn(long_row, 0, 1, 2000000001), hash(long_row);

  for (const DType type : gf::all_dtypes)
    for (const Index K : {70, 200}) {
      std::vector<std::byte> data(static_cast<std::size_t>(45 * K * 8));
      for (Index i = 0; i < 45 * K; ++i) {
        const auto put = [&](auto number) {
          std::memcpy(data.data() + static_cast<std::size_t>(i) * sizeof number, &number, sizeof number);
        };
        const double w = random.number();
        if (type == DType::f64) put(w);
        if (type == DType::f32) put(static_cast<float>(w));
        if (type == DType::bf16) put(gf::to_bfloat16(static_cast<float>(w)));
        if (type == DType::f16) put(gf::to_float16(static_cast<float>(w)));
      }
      const gf::Weight W(type, data.data(), 45, K, K, 1);
      for (const Index T : {1, 2, 4, 7, 40}) hash(gf::linear(random.matrix<Scalar>(T, K, T == 7), W));
    }

  for (const Index K : {70, 200}) {
    std::vector<gf::Q8> numbers(static_cast<std::size_t>(45 * K));
    std::vector<gf::BFloat16> scales;
    for (Index n = 0; n < 45; ++n)
      for (Index first = 0; first < K; first += gf::q8_block) {
        const auto w = random.matrix<double>(1, std::min(gf::q8_block, K - first));
        scales.push_back(gf::quantise(w.data(), w.size(), numbers.data() + n * K + first));
        const Scalar scale = static_cast<Scalar>(gf::widen(scales.back()));
        hash(&scale, 1);
      }
    const gf::Weight W(DType::q8, reinterpret_cast<const std::byte*>(numbers.data()), 45, K, K, 1,
                       {reinterpret_cast<const std::byte*>(scales.data()), (K + gf::q8_block - 1) / gf::q8_block});
    for (const Index T : {1, 2, 4, 7, 40}) hash(gf::linear(random.matrix<Scalar>(T, K, T == 7), W));
  }

  for (const Index N : {8, 33, 64})
    for (const bool bonus : {false, true}) {
      RecurrentState<Scalar> state{Matrix<Scalar>::Zero(2 * N, N)};
      const auto make = [&] { return random.matrix<Scalar>(7, 2 * N); };
      const auto r = make(), k = make(), v = make(), d = gf::sigmoid(make());
      const auto u = random.vector<Scalar>(2 * N);
      hash(gf::wkv6(r, k, v, d, bonus ? &u : nullptr, N, gf::Segments<RecurrentState<Scalar>>{{0, 7, &state}},
                    &RecurrentState<Scalar>::S));
      hash(state.S);

      const Held<Scalar> held{random.matrix<Scalar>(130, 2 * N), random.matrix<Scalar>(130, 2 * N)};
      Matrix<Scalar> y(5, 2 * N);
      gf::causal_attention(random.matrix<Scalar>(5, 2 * N), {{0, 5, 130}}, N, held, y);
      hash(y);
    }
}

/// A model of this configuration in memory: every weight a number of bfloat16, stored in the types in turn.
gf::Checkpoint checkpoint(const gf::Config& config) {
  gf::Checkpoint made;
  made.path = "one_hash/" + config.model_name();
  made.metadata[gf::config_key] = gf::write_config(config);
  Random random;
  int turn = 0;
  for (const auto& [name, shape, role, may_be_q8] : gf::parameter_list({config, config.dimensions()})) {
    const auto data = std::make_shared<std::vector<float>>(static_cast<std::size_t>(gf::element_count(shape)));
    const bool norm = role == gf::Role::norm_weight,
               vector = norm || role == gf::Role::norm_bias || role == gf::Role::decay || role == gf::Role::mix_rate;
    for (float& x : *data) x = static_cast<float>(random.number() * (vector || role == gf::Role::embedding ? 0.5 : 0.25) + norm);
    const auto narrow = std::make_shared<std::vector<gf::BFloat16>>();
    for (float& x : *data) narrow->push_back(gf::to_bfloat16(x)), x = gf::widen(narrow->back());
    const bool wide = ++turn % 3 == 0;
    made.tensors[name] = wide ? gf::Tensor{DType::f32, shape, reinterpret_cast<const std::byte*>(data->data())}
                              : gf::Tensor{DType::bf16, shape, reinterpret_cast<const std::byte*>(narrow->data())};
    made.storage.push_back(data), made.storage.push_back(narrow);
  }
  return made;
}

template <class Scalar>
void hash_model(Hash& hash, const gf::Config& config) {
  const auto model = gf::load_model<Scalar>(checkpoint(config));
  std::vector<int> a, b;
  for (int i = 0; i < 70; ++i) a.push_back(i * i % 37), b.push_back(i * 5 % 37);
  const auto part = [](const std::vector<int>& tokens, std::size_t first, std::size_t n) {
    return std::span(tokens).subspan(first, n);
  };
  auto one = model.initial_state(), two = model.initial_state();
  hash(model.forward({{part(a, 0, 13), &one}, {part(b, 0, 5), &two}}));
  hash(model.prefill({{part(a, 13, 54), &one}, {part(b, 5, 3), &two}}, 20));
  hash(model.forward({{part(a, 67, 1), &one}}));
  hash(model.forward({{part(a, 68, 1), &one}, {part(b, 8, 1), &two}}));
}

template <class... Scalars>
void hash_models(Hash& hash, const gf::Config& config) {
  (hash_model<Scalars>(hash, config), ...);
}

}  // namespace

int main() try {
  gf::arithmetic::require();
  Hash hash;
  hash_primitives<float>(hash);
  hash_primitives<double>(hash);

  gf::Config base;
  base.vocab_size = 37, base.n_layer = 3, base.n_embd = 40, base.head_size = 8, base.kv_cache_compression_ratio = 5,
  base.dim_ffn = 72;
  std::vector<gf::Config> kinds(7, base);
  kinds[0].tmix2 = "gold";
  kinds[1].tmix = "x060", kinds[1].tmix2 = "gold", kinds[1].rope_base = 10000;
  kinds[2].use_v2 = false;
  kinds[3].use_one_minus_w = false, kinds[3].tmix2 = "gptalpha";
  kinds[4].tmix = "gptalpha", kinds[4].rope_base = 10000;
  kinds[5].tmix = "llama", kinds[5].cmix = "llama", kinds[5].dim_ffn = 0, kinds[5].rope_base = 10000;
  kinds[6].tmix = "x060";
  for (const auto& config : kinds) hash_models<MODEL_SCALARS>(hash, config);
  std::printf("%s\n%s\n", hash.finish().c_str(), kernels().c_str());
} catch (const gf::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
