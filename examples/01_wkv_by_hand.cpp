// One head of wkv with two channels, small enough to follow with a pencil.
//
//   WKV.1   y[j]     = sum_i r[i] * (S[i][j] + u[i] * k[i] * v[j])     what the token reads, before it writes
//   WKV.2   S[i][j] := d[i] * S[i][j] + k[i] * v[j]                    old memories fade, the new one is added
//
// Once without the bonus u (Finch-C2: no token sees itself here), once with it (Finch), and both again through the library.
#include <cstdio>
#include <cstring>

#include "goldfinch/math/wkv6.hpp"

namespace gf = goldfinch;

constexpr int N = 2, tokens = 4;

// Row t is token t. Channel 0 forgets slowly and channel 1 fast; the last token writes nothing (k = 0) and only reads.
constexpr double r[tokens][N] = {{1, 1}, {1, 0}, {0.5, 0.5}, {1, -1}};
constexpr double k[tokens][N] = {{1, 1}, {0, 1}, {2, 0.5}, {0, 0}};
constexpr double v[tokens][N] = {{1, -1}, {3, 0.1}, {-0.7, 2}, {5, 5}};
constexpr double d[tokens][N] = {{0.9, 0.1}, {0.9, 0.1}, {0.9, 0.1}, {0.9, 0.1}};
constexpr double u[N] = {0.5, 2};

struct State {
  gf::Matrix<double> S;  // [H N, N], one head here
};

int main() {
  for (const bool bonus : {false, true}) {
    std::printf("wkv %s\n", bonus ? "with the bonus u = (0.5, 2)" : "without bonus");
    double S[N][N] = {}, y[tokens][N];
    for (int t = 0; t < tokens; ++t) {
      for (int j = 0; j < N; ++j) {
        y[t][j] = bonus ? (r[t][0] * u[0] * k[t][0] + r[t][1] * u[1] * k[t][1]) * v[t][j] : 0.0;
        for (int i = 0; i < N; ++i) {
          y[t][j] = y[t][j] + r[t][i] * S[i][j];             // WKV.1
          S[i][j] = d[t][i] * S[i][j] + k[t][i] * v[t][j];   // WKV.2
        }
      }
      std::printf("  token %d  y = (%8.6g, %8.6g)   S = [%8.6g %8.6g; %8.6g %8.6g]\n", t, y[t][0], y[t][1], S[0][0], S[0][1],
                  S[1][0], S[1][1]);
    }

    // The same four tokens in one call: rows are tokens, and one segment says that they belong to one sequence.
    const auto rows = [](auto& x) { return gf::Matrix<double>(gf::Matrix<double>::Map(x[0], tokens, N)); };
    const gf::Vector<double> u_of_all_heads = gf::Vector<double>::Map(u, N);
    State state{gf::Matrix<double>::Zero(N, N)};
    const gf::Segments<State> one_sequence = {{0, tokens, &state}};
    const auto y2 = gf::wkv6(rows(r), rows(k), rows(v), rows(d), bonus ? &u_of_all_heads : nullptr, N, one_sequence, &State::S);

    const bool equal = std::memcmp(y2.data(), y, sizeof y) == 0 && std::memcmp(state.S.data(), S, sizeof S) == 0;
    std::printf("  the library, all tokens in one call: %s\n", equal ? "the same bits" : "OTHER BITS");
  }
}
