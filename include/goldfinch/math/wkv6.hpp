// wkv6: the recurrence at the heart of Finch and Finch-C2. One state matrix a head, decayed per key channel, never reset.
//
//   WKV.1   y[j]      = sum_i r[i] * (S[i][j] + u[i] * k[i] * v[j])       read before the update; no u in Finch-C2
//   WKV.2   S[i][j]  := d[i] * S[i][j] + k[i] * v[j]                      d = exp(-exp(w)) in (0, 1)
//
// i is the key channel, j the value channel, N of each: S is [key, value] (the authors' CUDA kernel keeps [value, key]; ONNX
// LinearAttention reads after the update). The u term needs no state, so it is summed first, as one number per token:
//
//   b = sum_i (r[i] * u[i]) * k[i];    y[j] = b * v[j] + r[0] S[0][j] + r[1] S[1][j] + …        in this order
//
// Whether there is a bonus is a matter of configuration, never of the values of u: without it the sum starts from +0.
// The sum over i is plain sequential. The loop in namespace plain is the definition for every scalar; for float and double the
// same bits come from vectors across j, with two tokens a pass over S so that it is read and written half as often.
#pragma once

#include "goldfinch/core/segments.hpp"
#include "goldfinch/core/simd.hpp"
#include "goldfinch/math/elementwise.hpp"
#include "goldfinch/math/sum.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {
namespace plain {

/// One head, one token. r, k, v, d: N numbers; u: N numbers or null; S: N x N, row-major, updated in place; y: N results.
template <class Scalar>
void wkv6_step(Index N, const Scalar* r, const Scalar* k, const Scalar* v, const Scalar* d, const Scalar* u, Scalar* S, Scalar* y) {
  if (u) {
    const Scalar b = blocked_sum<Scalar>(N, [&](Index i) { return (r[i] * u[i]) * k[i]; });
    for (Index j = 0; j < N; ++j) y[j] = b * v[j];
  } else {
    for (Index j = 0; j < N; ++j) y[j] = Scalar(0);
  }
  for (Index i = 0; i < N; ++i)
    for (Index j = 0; j < N; ++j) {
      y[j] = y[j] + r[i] * S[i * N + j];                   // WKV.1
      S[i * N + j] = d[i] * S[i * N + j] + k[i] * v[j];    // WKV.2
    }
}

}  // namespace plain

#if GOLDFINCH_SIMD
namespace fast {

/// Value channels j .. j + vectors * lanes - 1 of one head, `tokens` tokens, rows ld apart. b: a bonus sum per token, or null.
template <class Scalar, int tokens, int vectors>
void wkv6_columns(Index N, const Scalar* r, const Scalar* k, const Scalar* v, const Scalar* d, const Scalar* b, Scalar* S, Scalar* y, Index ld) {
  using V = Simd<Scalar, lanes<Scalar>>;
  constexpr int n = lanes<Scalar>;
  V a[tokens][vectors], value[tokens][vectors];
  for (int t = 0; t < tokens; ++t)
    for (int q = 0; q < vectors; ++q) {
      value[t][q] = load_vector<V>(v + t * ld + q * n);
      a[t][q] = b ? b[t] * value[t][q] : V{};
    }
  for (Index i = 0; i < N; ++i) {
    V s[vectors];
    for (int q = 0; q < vectors; ++q) s[q] = load_vector<V>(S + i * N + q * n);
    for (int t = 0; t < tokens; ++t)
      for (int q = 0; q < vectors; ++q) {
        a[t][q] = a[t][q] + r[t * ld + i] * s[q];
        s[q] = d[t * ld + i] * s[q] + k[t * ld + i] * value[t][q];
      }
    for (int q = 0; q < vectors; ++q) store_vector(S + i * N + q * n, s[q]);
  }
  for (int t = 0; t < tokens; ++t)
    for (int q = 0; q < vectors; ++q) store_vector(y + t * ld + q * n, a[t][q]);
}

/// One head, `tokens` tokens, rows ld apart: all value channels, whatever is left over one by one.
template <class Scalar, int tokens>
void wkv6_tokens(Index N, const Scalar* r, const Scalar* k, const Scalar* v, const Scalar* d, const Scalar* u, Scalar* S, Scalar* y, Index ld) {
  Scalar sums[tokens];
  if (u)
    for (int t = 0; t < tokens; ++t) sums[t] = blocked_sum<Scalar>(N, [&](Index i) { return (r[t * ld + i] * u[i]) * k[t * ld + i]; });
  const Scalar* const b = u ? sums : nullptr;
  constexpr int n = lanes<Scalar>;
  Index j = 0;
  for (; j + 4 * n <= N; j += 4 * n) wkv6_columns<Scalar, tokens, 4>(N, r, k, v + j, d, b, S + j, y + j, ld);
  for (; j + n <= N; j += n) wkv6_columns<Scalar, tokens, 1>(N, r, k, v + j, d, b, S + j, y + j, ld);
  for (; j < N; ++j)
    for (int t = 0; t < tokens; ++t) {
      Scalar a = b ? b[t] * v[t * ld + j] : Scalar(0);
      for (Index i = 0; i < N; ++i) {
        Scalar& s = S[i * N + j];
        a = a + r[t * ld + i] * s;
        s = d[t * ld + i] * s + k[t * ld + i] * v[t * ld + j];
      }
      y[t * ld + j] = a;
    }
}

}  // namespace fast
#endif

/// WKV.1 and WKV.2 for every head of every segment: r, k, v, d [rows, D]; u [D] or null; `state` is the member of the segments'
/// state that holds S, [H N, N] (head after head). Returns y [rows, D].
template <class Scalar, class State>
Matrix<Scalar> wkv6(const Matrix<Scalar>& r, const Matrix<Scalar>& k, const Matrix<Scalar>& v, const Matrix<Scalar>& d,
                    const Vector<Scalar>* u, Index N, const Segments<State>& segments, Matrix<Scalar> State::*state) {
  const Index D = r.cols();
  require_heads(D, N, "wkv6: a row of r");
  require_shape(k, r.rows(), D, "wkv6: k");
  require_shape(v, r.rows(), D, "wkv6: v");
  require_shape(d, r.rows(), D, "wkv6: d");
  if (u) require_size(*u, D, "wkv6: the bonus u");
  require_segments(segments, r.rows(), [&](const State& s) { require_shape(s.*state, D, N, "wkv6: the state S of a sequence"); });
  const Index H = D / N;
  Matrix<Scalar> y(r.rows(), D);
  const Index work = N * N * std::max<Index>(1, r.rows() / std::max<Index>(1, static_cast<Index>(segments.size())));  // of one item
  parallel_for(static_cast<Index>(segments.size()) * H, std::max<Index>(1, elementwise_grain / work), [&](Index begin, Index end) {
    for (Index item = begin; item < end; ++item) {
      const Segment<State>& s = segments[static_cast<std::size_t>(item / H)];
      const Index h = item % H;
      Scalar* const S = (s.state->*state).data() + h * N * N;
      const Scalar* const bonus = u ? u->data() + h * N : nullptr;
      Index t = s.first;
      const Index last = s.first + s.rows;
      const auto at = [&](const Matrix<Scalar>& x) { return x.data() + t * D + h * N; };
#if GOLDFINCH_SIMD
      if constexpr (has_fast_kernels<Scalar>) {
        for (; t + 2 <= last; t += 2) fast::wkv6_tokens<Scalar, 2>(N, at(r), at(k), at(v), at(d), bonus, S, y.data() + t * D + h * N, D);
        for (; t < last; ++t) fast::wkv6_tokens<Scalar, 1>(N, at(r), at(k), at(v), at(d), bonus, S, y.data() + t * D + h * N, D);
      }
#endif
      for (; t < last; ++t) plain::wkv6_step(N, at(r), at(k), at(v), at(d), bonus, S, y.data() + t * D + h * N);
    }
  });
  return y;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
