// A kernel of one's own against goldfinch, in C++: a wkv6 in float32, written as a GPU kernel would be, judged by the library in double.
//
// `compare` wants the same inputs on both sides, a budget (what a right kernel of this format may be off by), and says what it sees.
// This one keeps its state [value, key], as the authors' CUDA kernel does: right by itself, and wrong where another kernel reads it.
#include <cstdio>

#include "goldfinch/core/random.hpp"
#include "goldfinch/math/wkv6.hpp"
#include "goldfinch/validate/symptoms.hpp"

namespace gf = goldfinch;
using Floats = gf::Matrix<float>;
using Doubles = gf::Matrix<double>;
constexpr gf::Index T = 50, N = 16;

/// The kernel: one head, a value channel at a time. S is [value, key]. On demand with a bug: every chunk of 16 tokens begins from zeros.
void my_wkv6(const Floats& r, const Floats& k, const Floats& v, const Floats& d, Floats& S, Floats& y, bool forgets) {
  for (int j = 0; j < N; ++j)
    for (int t = 0; t < T; ++t) {
      y(t, j) = 0;
      for (int i = 0; i < N; ++i) {
        const float s = forgets && t % 16 == 0 ? 0 : S(j, i);
        y(t, j) += r(t, i) * s;                           // WKV.1
        S(j, i) = d(t, i) * s + k(t, i) * v(t, j);        // WKV.2
      }
    }
}

/// Random numbers with a name; the same in float and double, so that inputs are no part of the error.
Floats random(const char* name) {
  Floats x(T, N);
  gf::RandomStream(1, name).normals(0, x.size(), x.data());
  return x;
}

void judge(const char* what, const Doubles& expected, const gf::Array& mine) {
  const gf::Array truth = gf::Array::view(expected);
  const double budget = 1e-6;  // some roundings of 6e-8 each; a mistake errs by more
  const gf::Comparison c = gf::compare(truth, mine, budget, gf::DType::f32);
  std::printf("  %s: %s, relative rms %.1e\n", what, gf::name_of(c.status), c.relative_rms);
  if (c.status != gf::Status::failed) return;
  std::printf("    %s\n", c.reason.c_str());
  for (const auto& symptom : gf::symptoms(truth, mine, c)) std::printf("    seen: %s\n", symptom.c_str());
}

int main() {
  const Floats r = random("r"), k = random("k"), v = random("v"), d = (0.9f + 0.01f * random("d").array()).matrix();

  struct State { Doubles S; } state{Doubles::Zero(N, N)};
  const Doubles y = gf::wkv6<double, State>(r.cast<double>(), k.cast<double>(), v.cast<double>(), d.cast<double>(), nullptr, N,
                                            {{0, T, &state}}, &State::S);
  for (const bool wrong : {false, true}) {
    Floats mine(T, N), S = Floats::Zero(N, N);
    my_wkv6(r, k, v, d, S, mine, wrong);
    std::printf("%s\n", wrong ? "forgetting its state" : "right");
    judge("y", y, gf::Array::view(mine));
    judge("S", state.S, gf::Array::view(S));
    judge("S, told that it is [value, key]", state.S, gf::Array::view(S).transposed());
  }
}
