// Token shift: a layer sees each token together with the one before it. ddlerp: the data say how much of it.
//
//   SHIFT.1   before[t] = z[t-1]                                         carried from call to call, zeros before the first token
//   CM.1      x = z + (before - z) * m                                   a fixed rate per channel: 0 is this token, 1 the one before
//   LORA.2    h = tanh((z + dz * mu_x) A),  x_g = z + dz * (mu_g + h_g B_g)    dz = before - z; one A, one B a group g
#include <cstdio>

#include "goldfinch/layers/lora.hpp"
#include "goldfinch/math/token_shift.hpp"

namespace gf = goldfinch;
using Rows = gf::Matrix<double>;
using Rates = gf::Vector<double>;

struct State {
  Rates last_z;  // [D]
};

void print(const char* what, const Rows& x) {
  for (gf::Index t = 0; t < x.rows(); ++t, what = "")
    std::printf("  %-34s %9.6g %9.6g %9.6g\n", what, x(t, 0), x(t, 1), x(t, 2));
}

int main() {
  constexpr gf::Index D = 3, rank = 1;
  State state{Rates::Zero(D)};
  Rows z(2, D);
  z << 1, 2, 3,
       4, 5, 6;
  std::printf("two tokens\n");
  print("z", z);
  print("before (SHIFT.1)", gf::token_shift(z, gf::Segments<State>{{0, 2, &state}}, &State::last_z));

  std::printf("a third token, in a call of its own\n");
  const Rows z2 = Rows::Constant(1, D, 10);
  const Rows before = gf::token_shift(z2, gf::Segments<State>{{0, 1, &state}}, &State::last_z);
  print("z", z2);
  print("before: the last row of call one", before);
  print("lerp at rates 0, 0.5, 1 (CM.1)", gf::lerp(z2, before, Rates{{0, 0.5, 1}}));

  std::printf("ddlerp of the third token, two groups of rank 1 (LORA.2)\n");
  const Rates mu_x{{0.5, 0.5, 0.5}}, mu_g{{0, 0.5, 1}};
  const double A[D][2 * rank] = {{0.1, -0.1}, {0.1, 0}, {-0.2, 0.05}}, B[2][rank][D] = {{{1, 1, 1}}, {{0.5, 0, -0.5}}};
  const auto multiplied_from_the_right = [](const double* stored, gf::Index in, gf::Index out) {
    return gf::Weight(gf::DType::f64, reinterpret_cast<const std::byte*>(stored), out, in, 1, out);
  };
  const Rows h = gf::ddlerp_hidden(z2, before, mu_x, multiplied_from_the_right(A[0], D, 2 * rank));
  std::printf("  h = tanh(-0.15), tanh(-0.3) = %.6g, %.6g\n", h(0, 0), h(0, 1));
  const std::vector<gf::Weight> B_g = {multiplied_from_the_right(B[0][0], rank, D), multiplied_from_the_right(B[1][0], rank, D)};
  for (gf::Index g = 0; g < 2; ++g) {
    print(g == 0 ? "x_0" : "x_1", gf::lerp(z2, before, mu_g, gf::ddlerp_offset(h, B_g, g)));
    Rows by_hand(1, D);
    for (gf::Index i = 0; i < D; ++i) by_hand(0, i) = z2(0, i) + (before(0, i) - z2(0, i)) * (mu_g[i] + h(0, g) * B[g][0][i]);
    print("  by hand", by_hand);
  }
}
