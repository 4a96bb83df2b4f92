// Every primitive between the matrix products, in float, in the sizes of a chunk of pre-fill: 512 rows of 1024 channels, heads of 64.
//
//   norms, elementwise, functions, token shift, sampling, attention of one row    bytes read and written, of what can be read
//   wkv6, attention, TokenCat                                                     operations, of multiply-and-add; without exp's
#include <algorithm>
#include <cmath>
#include <numeric>

#include "goldfinch/generate/sampler.hpp"
#include "goldfinch/layers/fill.hpp"
#include "goldfinch/layers/stored_keys.hpp"
#include "goldfinch/layers/token_cat.hpp"
#include "goldfinch/math/softmax.hpp"
#include "goldfinch/math/token_shift.hpp"
#include "goldfinch/math/wkv6.hpp"
#include "primitive.hpp"

namespace {

using goldfinch::Index;
using primitive::Matrix;
using Vector = goldfinch::Vector<float>;

constexpr Index T = 512, D = 1024, N = 64, H = D / N;
constexpr double matrix = T * D * sizeof(float);

Vector vector(const std::string& name) { return primitive::random(name, 1, D).row(0).transpose(); }

/// y[t][i] = f(t, i), one by one.
template <class F>
Matrix each(F&& f) {
  Matrix y(T, D);
  for (Index t = 0; t < T; ++t)
    for (Index i = 0; i < D; ++i) y(t, i) = f(t, i);
  return y;
}

void add_elementwise() {
  const Matrix x = primitive::random("x", T, D), y = primitive::random("y", T, D), z = primitive::random("z", T, D);
  const Vector m = vector("m");
  primitive::add("add", {3 * matrix}, x, [=](Matrix a) { return goldfinch::add(std::move(a), y); }, [=] { return each([&](Index t, Index i) { return x(t, i) + y(t, i); }); });
  primitive::add("hadamard", {3 * matrix}, x, [=](Matrix a) { return goldfinch::hadamard(std::move(a), y); }, [=] { return each([&](Index t, Index i) { return x(t, i) * y(t, i); }); });
  primitive::add("add_to_rows", {2 * matrix}, x, [=](Matrix a) { return goldfinch::add_to_rows(m, std::move(a)); }, [=] { return each([&](Index t, Index i) { return m[i] + x(t, i); }); });
  primitive::add("relu_squared", {2 * matrix}, x, [](Matrix a) { return goldfinch::relu_squared(std::move(a)); },
                 [=] { return each([&](Index t, Index i) { const float r = x(t, i) < 0 ? 0 : x(t, i); return r * r; }); });
  primitive::add("lerp", {3 * matrix}, Matrix(), [=](Matrix) { return goldfinch::lerp(x, y, m); },
                 [=] { return each([&](Index t, Index i) { const float d = (y(t, i) - x(t, i)) * m[i]; return x(t, i) + d; }); });
  primitive::add("lerp with offset", {4 * matrix}, z, [=](Matrix a) { return goldfinch::lerp(x, y, m, std::move(a)); }, [=] {
    return each([&](Index t, Index i) { const float d = (y(t, i) - x(t, i)) * (m[i] + z(t, i)); return x(t, i) + d; });
  });
  struct State { Vector last = Vector::Constant(D, 0.f); };
  const auto state = std::make_shared<State>();
  primitive::add("token_shift", {2 * matrix}, Matrix(), [=](Matrix) { return goldfinch::token_shift(x, {{0, T, state.get()}}, &State::last); },
                 [=] { return each([&](Index t, Index i) { return t > 0 ? x(t - 1, i) : 0.f; }); });
}

void add_functions() {
  const Matrix x = 3 * primitive::random("x", T, D);
#define FUNCTION(f)                                                                                                                         \
  primitive::add(#f, {2 * matrix}, x, [](Matrix a) { return goldfinch::map(std::move(a), [](const float* from, float* to, Index n) { goldfinch::f(from, to, n); }); }, \
                 [=] { return each([&](Index t, Index i) { return goldfinch::f(x(t, i)); }); })
  FUNCTION(exp);
  FUNCTION(expm1);
  FUNCTION(tanh);
  FUNCTION(sigmoid);
  FUNCTION(silu);
#undef FUNCTION
  primitive::add("softmax", {2 * matrix}, x, [](Matrix a) { return goldfinch::softmax(std::move(a)); }, [=] {
    Matrix p(T, D);
    for (Index t = 0; t < T; ++t) {
      const float m = *std::max_element(&x(t, 0), &x(t, 0) + D);
      for (Index i = 0; i < D; ++i) p(t, i) = goldfinch::exp(x(t, i) - m);
      const float sum = goldfinch::plain::blocked_sum<float>(D, [&](Index i) { return p(t, i); });
      for (Index i = 0; i < D; ++i) p(t, i) = p(t, i) / sum;
    }
    return p;
  });
}

/// NORM.1 over groups of n channels; NORM.3 where there is no affine.
Matrix plain_norm(const Matrix& x, Index n, const goldfinch::Affine<float>* affine) {
  Matrix y(T, D);
  for (Index t = 0; t < T; ++t)
    for (Index g = 0; g < D; g += n) {
      const auto mean = [&](auto&& term) { return goldfinch::plain::blocked_sum<float>(n, term) / static_cast<float>(n); };
      const float m = affine ? mean([&](Index i) { return x(t, g + i); }) : 0;
      for (Index i = g; i < g + n; ++i) y(t, i) = x(t, i) - m;
      const float v = mean([&](Index i) { return y(t, g + i) * y(t, g + i); });
      const float root = affine ? std::sqrt(v + 1e-5f) : std::sqrt(v) + 1e-8f;
      for (Index i = g; i < g + n; ++i) {
        y(t, i) = y(t, i) / root;
        if (affine) y(t, i) = y(t, i) * affine->weight[i];
        if (affine) y(t, i) = y(t, i) + affine->bias[i];
      }
    }
  return y;
}

void add_norms() {
  const Matrix x = primitive::random("x", T, D);
  const goldfinch::Affine<float> affine{vector("weight"), vector("bias")};
  primitive::add("layer_norm", {2 * matrix}, x, [=](Matrix a) { return goldfinch::layer_norm(std::move(a), affine); }, [=] { return plain_norm(x, D, &affine); });
  primitive::add("group_norm", {2 * matrix}, x, [=](Matrix a) { return goldfinch::group_norm(std::move(a), N, affine, 1e-5f); }, [=] { return plain_norm(x, N, &affine); });
  primitive::add("rms_norm", {2 * matrix}, x, [](Matrix a) { return goldfinch::rms_norm(std::move(a)); }, [=] { return plain_norm(x, D, nullptr); });
}

void add_wkv6(bool bonus) {
  const Matrix r = primitive::random("r", T, D), k = primitive::random("k", T, D), v = primitive::random("v", T, D);
  const Matrix d = goldfinch::sigmoid(primitive::random("d", T, D));
  const Vector u = vector("u");
  struct State { Matrix S = Matrix::Constant(D, N, 0.f); };
  const auto state = std::make_shared<State>();
  primitive::add(bonus ? "wkv6 with bonus" : "wkv6", {.operations = 5.0 * T * D * N}, Matrix(),
                 [=](Matrix) { return goldfinch::wkv6(r, k, v, d, bonus ? &u : nullptr, N, goldfinch::Segments<State>{{0, T, state.get()}}, &State::S); }, [=] {
                   Matrix S = Matrix::Constant(D, N, 0.f), y(T, D);
                   for (Index t = 0; t < T; ++t)
                     for (Index c = 0; c < D; c += N)
                       goldfinch::plain::wkv6_step(N, &r(t, c), &k(t, c), &v(t, c), &d(t, c), bonus ? &u[c] : nullptr, S.data() + c * N, &y(t, c));
                   return y;
                 });
}

/// `rows` queries at the end of `context` stored keys.
void add_attention(const std::string& name, Index rows, Index context) {
  struct State { goldfinch::StoredKeys<float> stored{D}; };
  const Matrix q = primitive::random("q", rows, D), k = primitive::random("k", context, D), v = primitive::random("v", context, D);
  struct Source {
    const Matrix &k, &v;
    Index tiles(Index first, std::vector<std::vector<goldfinch::KeyTile<float>>>& out) const {
      for (Index t = first; t < k.rows(); t += goldfinch::block) out[0].push_back({&k(t, 0), &v(t, 0), D});
      return (k.rows() + goldfinch::block - 1) / goldfinch::block * goldfinch::block;
    }
  };
  double seen = 0;
  for (Index t = 0; t < rows; ++t) seen += static_cast<double>(context - t);
  const primitive::Cost cost = rows > 1 ? primitive::Cost{.operations = 4 * D * seen} : primitive::Cost{.bytes = 2 * D * seen * sizeof(float)};
  primitive::add(name, cost, Matrix(), [=](Matrix) {
    Matrix y(rows, D);
    goldfinch::causal_attention(q, {{0, rows, context}}, N, Source{k, v}, y);
    return y;
  }, [=] {
    Matrix y = Matrix::Constant(rows, D, 0.f);
    for (Index t = 0; t < rows; ++t)
      for (Index c = 0; c < D; c += N) {
        goldfinch::SoftmaxState<float> s;
        const Index end = context - rows + t + 1;
        for (Index first = 0; first < end; first += goldfinch::block)
          goldfinch::plain::attention_tile(N, std::min(goldfinch::block, end - first), &q(t, c), &k(first, c), &v(first, c), D, 1.f / std::sqrt(static_cast<float>(N)), s, &y(t, c));
        for (Index i = c; i < c + N; ++i) y(t, i) = y(t, i) / s.l;
      }
    return y;
  });
}

void add_token_cat() {
  constexpr Index R = D / 16, rows = 512;
  const Matrix x0 = primitive::random("x0", rows, D), c = primitive::random("c", rows, R), W = primitive::random("b", D, D + R) / 32;
  const auto layer = std::make_shared<goldfinch::TokenCat<float>>();
  goldfinch::Dimensions n;
  n.D = D, n.R = R;
  layer->parameters(n, [&](const std::string&, auto& member, const goldfinch::Shape& shape, goldfinch::Role role) {
    goldfinch::Fill<float>{{goldfinch::DType::f32, shape, reinterpret_cast<const std::byte*>(W.data())}}(member, role);
  });
  primitive::add("TokenCat decompress", {.operations = 2.0 * rows * D * (D + R)}, Matrix(), [=](Matrix) { return layer->decompress(x0, c); }, [=] {
    Matrix K(rows, D);
    for (Index t = 0; t < rows; ++t)
      for (Index j = 0; j < D; ++j)
        K(t, j) = goldfinch::plain::blocked_sum<float>(D + R, [&](Index i) { return (i < D ? x0(t, i) : c(t, i - D)) * W(j, i); });
    return plain_norm(K, D, nullptr);
  });
}

/// SMP.3 to SMP.6 at temperature 1, by a full sort: the first token drawn.
float plain_draw(const Matrix& logits, double top_p) {
  const Index V = logits.cols();
  std::vector<double> p(static_cast<std::size_t>(V));
  const auto at = [&](Index i) -> double& { return p[static_cast<std::size_t>(i)]; };
  const double max = *std::max_element(logits.data(), logits.data() + V);
  for (Index i = 0; i < V; ++i) at(i) = goldfinch::exp(static_cast<double>(logits(0, i)) - max);
  const double sum = goldfinch::plain::blocked_sum<double>(V, at);
  for (double& x : p) x = x / sum;
  std::vector<Index> list(p.size());
  std::iota(list.begin(), list.end(), 0);
  std::stable_sort(list.begin(), list.end(), [&](Index a, Index b) { return at(a) > at(b); });
  double total = 0, w = 0, last = 0;
  std::size_t kept = 0;
  for (; kept < list.size() && (top_p == 1 || total < top_p || at(list[kept]) == last); ++kept) total = total + (last = at(list[kept]));
  const double threshold = goldfinch::RandomStream(0, "sample").uniform(0) * total;
  std::size_t i = 0;
  for (; i + 1 < kept && !((w = w + at(list[i])) > threshold);) ++i;
  return static_cast<float>(list[i]);
}

void add_sampling(const std::string& name, double top_p) {
  const Matrix logits = 2 * primitive::random("logits", 1, 65536);
  goldfinch::SamplerSettings settings;
  settings.top_p = top_p;
  const auto sampler = std::make_shared<goldfinch::Sampler>(settings);
  primitive::add(name, {static_cast<double>(logits.size()) * sizeof(float)}, Matrix(),
                 [=](Matrix) { return Matrix(Matrix::Constant(1, 1, static_cast<float>(sampler->draw(logits.data(), logits.cols())))); },
                 [=] { return Matrix(Matrix::Constant(1, 1, plain_draw(logits, top_p))); });
}

}  // namespace

int main(int argc, char** argv) {
  goldfinch::keep_freed_memory();
  add_elementwise();
  add_functions();
  add_norms();
  add_wkv6(false), add_wkv6(true);
  add_attention("attention, 512 rows of 512", 512, 512), add_attention("attention, 1 row of 16384", 1, 16384);
  add_token_cat();
  add_sampling("sampling of 65536", 1), add_sampling("sampling of 65536, top_p 0.9", 0.9);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
