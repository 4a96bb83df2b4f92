// Your own number type through a layer: one that counts multiplications. Layers are templates over the scalar and ask of it only
// + - * /, <, a constructor from double, and functions such as exp, found in the type's own namespace.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <map>

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/core/random.hpp"

struct Counted {
  double x;
  static inline std::atomic<long> products = 0;  // atomic: a layer may use several threads
  explicit Counted(double value = 0) : x(value) {}
  friend Counted operator+(Counted a, Counted b) { return Counted(a.x + b.x); }
  friend Counted operator-(Counted a, Counted b) { return Counted(a.x - b.x); }
  friend Counted operator*(Counted a, Counted b) { return ++products, Counted(a.x * b.x); }
  friend Counted operator/(Counted a, Counted b) { return Counted(a.x / b.x); }
  friend Counted operator-(Counted a) { return Counted(-a.x); }
  friend bool operator<(Counted a, Counted b) { return a.x < b.x; }
  friend Counted sqrt(Counted a) { return Counted(std::sqrt(a.x)); }
  friend Counted exp(Counted a) { return Counted(std::exp(a.x)); }
  friend Counted expm1(Counted a) { return Counted(std::expm1(a.x)); }
  friend Counted tanh(Counted a) { return Counted(std::tanh(a.x)); }
};
template <> struct Eigen::NumTraits<Counted> : Eigen::GenericNumTraits<Counted> {};
namespace gf = goldfinch;
constexpr long D = 32, N = 8, mix = 4, rank_w = 6, rank_v2 = 5;

/// Prints the multiplications since the intermediate before, beside what the equations say. The four mixes are formed in one go, and then so
/// is what needs only them: r, v, the product of k and the first half of w's low-rank map; they count with the first of each.
struct Meter : gf::TraceSink<Counted> {
  std::map<std::string, long> formula = {
      {"xr", D + D * 5 * mix + 4 * (mix * D + D)}, {"xk", 0}, {"xv", 0}, {"xw", 0},                          // FC2.1, FC2.2
      {"r", 3 * D * D + D * rank_w}, {"v", 0}, {"w", D * rank_w}, {"k", D},                                  // FC2.3 to FC2.5
      {"xv2", mix * D + D}, {"v2", D * D + 2 * D * rank_v2}, {"wkv", 3 * D * N}, {"out", 2 * D + D * D}};    // FC2.6 to FC2.8
  void rows(const std::string& name, const gf::Matrix<Counted>&) override {
    std::printf("  %-4s %5ld  by formula %5ld\n", name.c_str(), Counted::products.exchange(0), formula.at(name));
  }
  void context(const std::string&, gf::Index, const gf::Matrix<Counted>&) override {}
  void state(const std::string&, const gf::Matrix<Counted>&, gf::Index) override {}
};

int main() {
  const gf::Dimensions n{.D = D, .N = N, .mix_rank = mix, .decay_rank = rank_w, .value2_rank = rank_v2};
  gf::FinchC2TimeMix<Counted> layer(n, /*use_v2=*/true, /*use_one_minus_w=*/true);
  layer.parameters(n, [](const std::string& name, auto& member, const gf::Shape& shape, gf::Role role) {
    gf::Matrix<double> numbers(1, gf::element_count(shape));
    gf::RandomStream(1, name).normals(0, numbers.size(), numbers.data());
    gf::Fill<Counted>(shape, {numbers.data(), std::size_t(numbers.size())})(member, role);
  });
  const gf::Matrix<Counted> z = gf::Matrix<Counted>::Constant(1, D, Counted(1));
  auto state = layer.initial_state(n);
  Meter meter;
  std::printf("multiplications of a Finch-C2 time mix, D = %ld, N = %ld, for its first token\n", D, N);
  layer.forward(z, {{0, 1, &state}}, gf::Trace<Counted>(&meter));
  for (int t = 1; t < 1000; ++t) layer.forward(z, {{0, 1, &state}}, {});
  const long token = 5 * D * D + 2 * D * (5 * mix + rank_w + rank_v2) + 3 * D * N + 9 * D;
  std::printf("for each of the next 999: %ld, by formula 5 D^2 + 2 D (5 mix + rank_w + rank_v2) + 3 D N + 9 D = %ld\n",
              Counted::products / 999, token);
}
