// The operators, on plain arrays, straight from the equations: loops, std::exp, no cleverness. Each may be a mutant.
#pragma once

#include <cmath>
#include <limits>

#include "naive/arithmetic.hpp"

namespace naive {

template <class S>
class Operators {
 public:
  using A = Array<S>;

  explicit Operators(const Way& way) : way_(way) {}

  bool is(Mutant mutant) const { return way_.mutant == mutant; }

  /// A number that an operator hands on.
  S handed_on(S x) const { return way_.rounding == Rounding::operators || way_.rounding == Rounding::every_step ? to_bfloat16(x) : x; }
  /// A number inside an elementwise chain.
  S step(S x) const { return way_.rounding == Rounding::every_step ? to_bfloat16(x) : x; }
  /// A number that goes into a matrix product or comes out of it.
  S product(S x) const { return way_.rounding == Rounding::none ? x : to_bfloat16(x); }

  /// What a matrix product makes of its input.
  A into_product(A x) const {
    for (S& number : x.x) number = product(number);
    return x;
  }

  template <class Term>
  S sum(int n, Term&& term) const { return naive::sum<S>(way_.sum, n, term); }

  template <class F>
  A map(A x, F&& f) const {
    for (S& number : x.x) number = handed_on(f(number));
    return x;
  }
  template <class F>
  A map(A x, const A& y, F&& f) const {
    for (std::size_t i = 0; i < x.x.size(); ++i) x.x[i] = handed_on(f(x.x[i], y.x[i]));
    return x;
  }
  A add(const A& x, const A& y) const {
    return map(x, y, [](S a, S b) { return a + b; });
  }
  A tanh(const A& x) const {
    return map(x, [](S a) { return std::tanh(a); });
  }

  /// x W^T, W [out, in].
  A linear(const A& x, const A& W) const {
    const A from = into_product(x);
    const bool transposed = is(Mutant::weight_transposed) && W.rows == W.cols;
    A y(x.rows, W.rows);
    for (int t = 0; t < x.rows; ++t)
      for (int n = 0; n < W.rows; ++n) y(t, n) = product(sum(x.cols, [&](int k) { return from(t, k) * (transposed ? W(k, n) : W(n, k)); }));
    return y;
  }

  /// `rank` columns of x from `first` on, `stride` apart, times rows row .. row + rank - 1 of B [.., out].
  A times(const A& x, int first, int rank, const A& B, int row, int stride = 1) const {
    const A from = into_product(x);
    A y(x.rows, B.cols);
    for (int t = 0; t < x.rows; ++t)
      for (int n = 0; n < B.cols; ++n) y(t, n) = product(sum(rank, [&](int k) { return from(t, first + k * stride) * B(row + k, n); }));
    return y;
  }
  A times(const A& x, const A& B) const { return times(x, 0, x.cols, B, 0); }

  /// tanh(z A) B.
  A lora(const A& z, const A& a, const A& b) const { return times(tanh(times(z, a)), b); }

  /// The row before each; `carried` [1, D] before the first.
  A shifted(const A& z, const A& carried) const {
    A before(z.rows, z.cols);
    for (int t = 0; t < z.rows; ++t)
      for (int j = 0; j < z.cols; ++j) {
        const int from = is(Mutant::shift_forward) ? t + 1 : t - 1;
        before(t, j) = from < 0 ? carried(0, j) : from < z.rows ? z(from, j) : S(0);
      }
    return before;
  }

  /// z + (before - z) * rate; rate has one row, or one for each of z's.
  A lerp(const A& z, const A& before, const A& rate) const {
    A y(z.rows, z.cols);
    for (int t = 0; t < z.rows; ++t)
      for (int j = 0; j < z.cols; ++j) {
        const S m = rate(rate.rows == 1 ? 0 : t, j), a = z(t, j), b = before(t, j);
        y(t, j) = is(Mutant::lerp_reversed) ? handed_on(b + step(step(a - b) * m)) : handed_on(a + step(step(b - a) * m));
      }
    return y;
  }
  /// The same with rate + offset [T, D].
  A lerp(const A& z, const A& before, const A& rate, A offset) const {
    for (int t = 0; t < offset.rows; ++t)
      for (int j = 0; j < offset.cols; ++j)
        offset(t, j) = step(rate(0, j) + (is(Mutant::offset_dropped) ? S(0) : offset(t, j)));
    return lerp(z, before, offset);
  }

  /// Every N channels of a row to mean 0 and variance 1, then scaled and shifted.
  A norm(const A& x, int N, const A& weight, const A& bias, double eps) const {
    A y(x.rows, x.cols);
    for (int t = 0; t < x.rows; ++t)
      for (int h = 0; h < x.cols; h += N) {
        const S mean = sum(N, [&](int j) { return x(t, h + j); }) / static_cast<S>(N);
        const S squares = sum(N, [&](int j) { return (x(t, h + j) - mean) * (x(t, h + j) - mean); });
        const S variance = squares / static_cast<S>(is(Mutant::variance_unbiased) ? N - 1 : N);
        S root = std::sqrt(variance + static_cast<S>(eps));
        if (is(Mutant::eps_outside_root)) root = std::sqrt(variance) + static_cast<S>(eps);
        if (is(Mutant::eps_missing)) root = std::sqrt(variance);
        for (int j = h; j < h + N; ++j)
          y(t, j) = handed_on((x(t, j) - mean) / root * weight(0, j) + (is(Mutant::norm_without_bias) ? S(0) : bias(0, j)));
      }
    return y;
  }
  A layer_norm(const A& x, const A& weight, const A& bias) const { return norm(x, x.cols, weight, bias, 1e-5); }

  /// x / (rms + 1e-8): eps is added to the root.
  A rms_norm(const A& x) const {
    A y(x.rows, x.cols);
    for (int t = 0; t < x.rows; ++t) {
      const S square = sum(x.cols, [&](int j) { return x(t, j) * x(t, j); }) / static_cast<S>(x.cols);
      const S root = is(Mutant::rms_eps_in_root) ? std::sqrt(square + S(1e-8)) : std::sqrt(square) + S(1e-8);
      for (int j = 0; j < x.cols; ++j) y(t, j) = handed_on(x(t, j) / root);
    }
    return y;
  }

  static S sigmoid(S x) { return S(1) / (S(1) + std::exp(-x)); }
  static S silu(S x) { return x * sigmoid(x); }

  /// The logarithm of the decay: -exp(w).
  S log_decay(S w) const {
    if (is(Mutant::decay_sign)) w = -w;
    if (is(Mutant::decay_clamped) && w > S(0)) w = S(0);
    if (is(Mutant::decay_single_exponential)) return -std::log1p(std::exp(w));
    return -std::exp(w);
  }

  /// k * (1 - d), where 1 - d = -expm1(log d).
  A one_minus_decay(const A& k, const A& w) const {
    return map(k, w, [&](S a, S b) {
      if (is(Mutant::one_minus_w_missing)) return a;
      if (is(Mutant::one_minus_w_cancels)) return a * product(S(1) - product(std::exp(log_decay(b))));
      return a * -std::expm1(log_decay(b));
    });
  }

  /// r, k, v, w [T, H N], state [H N, N] (key rows, value columns), which moves on; u [1, H N] or null.
  A wkv(const A& r, const A& k, const A& v, const A& w, const A* u, int N, A& state) const {
    const int T = r.rows, D = r.cols;
    if (is(Mutant::state_read_transposed)) state = transposed(state, N);
    if (is(Mutant::state_not_carried)) state = A(D, N);
    A y(T, D);
    int chunk = way_.wkv_chunk;
    if (is(Mutant::cumulative_decay_inclusive) || is(Mutant::cumulative_decay_divided) || is(Mutant::chunk_state_undecayed)) chunk = 16;
    if (chunk == 0)
      for (int t = 0; t < T; ++t) recurrence(t, r, k, v, w, u, N, state, y);
    else
      for (int t = 0; t < T; t += chunk) matrix_form(t, std::min(chunk, T - t), r, k, v, w, u, N, state, y);
    if (is(Mutant::state_bfloat16_per_call))
      for (S& number : state.x) number = to_bfloat16(number);
    return map(std::move(y), [](S a) { return a; });
  }

  /// Every head's [N, N] turned.
  static A transposed(const A& state, int N) {
    A turned(state.rows, N);
    for (int c = 0; c < state.rows; ++c)
      for (int j = 0; j < N; ++j) turned(c / N * N + j, c % N) = state(c, j);
    return turned;
  }

  /// q [n, H N] at the end of a context of k, v [total, H N]: query i sees keys 0 .. total - n + i.
  A attention(const A& q, const A& k, const A& v, int N) const {
    const int n = q.rows, total = k.rows, D = q.cols;
    const S scale = is(Mutant::scale_missing) ? S(1) : S(1) / std::sqrt(static_cast<S>(is(Mutant::scale_of_width) ? D : N));
    A y(n, D);
    std::vector<S> p(static_cast<std::size_t>(total));
    for (int i = 0; i < n; ++i) {
      int first = 0, end = total - n + i + 1;
      if (is(Mutant::mask_top_left)) end = i + 1;
      if (is(Mutant::mask_without_cache) && total > n) end = total;
      if (is(Mutant::mask_excludes_self)) end = end - 1;
      if (is(Mutant::keys_of_call_only)) first = total - n;
      for (int h = 0; h < D; h += N) {
        const int other = is(Mutant::keys_of_another_head) ? (h + N) % D : h;
        S m = -std::numeric_limits<S>::infinity(), l(0);
        std::vector<S> acc(static_cast<std::size_t>(N));
        const int tile = way_.key_tile > 0 ? way_.key_tile : is(Mutant::softmax_not_rescaled) ? 8 : std::max(1, total);
        for (int begin = first; begin < end; begin += tile) {
          const int last = std::min(end, begin + tile);
          const S before = m;
          for (int s = begin; s < last; ++s) {
            S& score = p[static_cast<std::size_t>(s)];
            score = scale * sum(N, [&](int j) { return q(i, h + j) * k(s, other + j); });
            m = std::max(m, score);
          }
          const S a = is(Mutant::softmax_not_rescaled) ? S(1) : std::exp(before - m);
          for (int s = begin; s < last; ++s) p[static_cast<std::size_t>(s)] = std::exp(p[static_cast<std::size_t>(s)] - m);
          l = l * a + sum(last - begin, [&](int s) { return p[static_cast<std::size_t>(begin + s)]; });
          for (int j = 0; j < N; ++j)
            acc[static_cast<std::size_t>(j)] = acc[static_cast<std::size_t>(j)] * a +
                sum(last - begin, [&](int s) { return weight(p[static_cast<std::size_t>(begin + s)]) * v(begin + s, h + j); });
        }
        for (int j = 0; j < N; ++j) y(i, h + j) = l == S(0) ? S(0) : handed_on(product(acc[static_cast<std::size_t>(j)] / l));
      }
    }
    return y;
  }

  /// Channels (2j, 2j + 1) of every head turned by position * base^(-2j / N) / rescale.
  A rotary(A x, int N, const std::vector<std::int64_t>& positions, double base, double rescale, bool queries) const {
    if (base == 0 || is(Mutant::rotary_missing)) return x;
    const int width = is(Mutant::rotary_over_width) ? x.cols : N;
    for (int t = 0; t < x.rows; ++t)
      for (int h = 0; h < x.cols; h += width)
        for (int j = 0; j < width / 2; ++j) {
          const double exponent = (is(Mutant::rotary_exponent) ? j : 2 * j) / static_cast<double>(width);
          const double frequency = (way_.powers ? std::pow(base, -exponent) : std::exp(-exponent * std::log(base))) / rescale;
          const auto position = static_cast<double>(positions[static_cast<std::size_t>(t)] + (is(Mutant::rotary_off_by_one) && queries ? 1 : 0));
          double angle = position * frequency;
          if (is(Mutant::rotary_table_float32)) angle = static_cast<double>(static_cast<float>(position) * static_cast<float>(frequency));
          if (is(Mutant::rotary_backwards)) angle = -angle;
          const auto c = static_cast<S>(std::cos(angle)), s = static_cast<S>(std::sin(angle));
          S& a = x(t, is(Mutant::rotary_halves) ? h + j : h + 2 * j);
          S& b = x(t, is(Mutant::rotary_halves) ? h + j + width / 2 : h + 2 * j + 1);
          const S even = a, odd = b;
          a = handed_on(even * c - odd * s);
          b = handed_on(even * s + odd * c);
        }
    return x;
  }

 private:
  /// A softmax weight on its way into the product with the values.
  S weight(S p) const { return way_.rounding == Rounding::operators ? p : product(p); }

  /// (r . (u * k)): what a token's own key gives.
  S bonus(int t, int h, const A& r, const A& k, const A* u, int N) const {
    if (!u || is(Mutant::bonus_missing)) return S(0);
    const int from = is(Mutant::bonus_of_another_head) ? (h + N) % r.cols : h;
    return sum(N, [&](int i) { return r(t, h + i) * (*u)(0, from + i) * k(t, h + i); });
  }

  /// y_t = r_t (S + diag(u) k_t v_t), then S = diag(d_t) S + k_t v_t.
  void recurrence(int t, const A& r, const A& k, const A& v, const A& w, const A* u, int N, A& state, A& y) const {
    const int H = r.cols / N;
    const auto channel = [&](int h, int i) { return is(Mutant::heads_interleaved) ? i * H + h : h * N + i; };
    const S scale = is(Mutant::wkv_scaled) ? S(1) / std::sqrt(static_cast<S>(N)) : S(1);
    std::vector<S> d(static_cast<std::size_t>(r.cols));
    for (int c = 0; c < r.cols; ++c) {
      const S decay = std::exp(log_decay(w(t, c)));
      d[static_cast<std::size_t>(c)] = is(Mutant::decay_bfloat16) ? to_bfloat16(decay) : decay;
    }
    for (int h = 0; h < H; ++h) {
      const S own = bonus(t, h * N, r, k, u, N);
      for (int j = 0; j < N; ++j) {
        const int c = channel(h, j);
        const S read = sum(N, [&](int i) {
          const int key = channel(h, i);
          S S_ij = state(h * N + i, j);
          if (is(Mutant::decay_before_read)) S_ij = d[static_cast<std::size_t>(key)] * S_ij;
          if (is(Mutant::read_after_update)) S_ij = d[static_cast<std::size_t>(key)] * S_ij + k(t, key) * v(t, c);
          return r(t, key) * S_ij;
        });
        y(t, c) = scale * (read + own * v(t, c));
      }
      for (int i = 0; i < N; ++i)
        for (int j = 0; j < N; ++j) {
          const int key = channel(h, i), value = channel(h, j);
          S& S_ij = state(h * N + i, j);
          const S decay = d[static_cast<std::size_t>(is(Mutant::decay_on_values) ? value : key)];
          S added = k(t, key) * v(t, value);
          if (is(Mutant::bonus_into_state) && u) added = added * (*u)(0, key);
          S_ij = is(Mutant::write_before_decay) ? decay * (S_ij + added) : decay * S_ij + added;
          if (is(Mutant::state_bfloat16)) S_ij = to_bfloat16(S_ij);
        }
    }
  }

  /// The same for tokens first .. first + n - 1 at once, by the weight that token s has left in token t: exp of the sum of the
  /// logarithms of the decays between them, added up for each pair, so that no exponent is above 0 and none is a difference.
  void matrix_form(int first, int n, const A& r, const A& k, const A& v, const A& w, const A* u, int N, A& state, A& y) const {
    const int D = r.cols;
    A logarithm(n, D);
    for (int t = 0; t < n; ++t)
      for (int c = 0; c < D; ++c) logarithm(t, c) = log_decay(w(first + t, c));
    for (int h = 0; h < D; h += N) {
      for (int t = 0; t < n; ++t) {
        std::vector<S> a(static_cast<std::size_t>(n));  // how much of token s's value token t reads
        std::vector<S> kept(static_cast<std::size_t>(N));
        for (int i = 0; i < N; ++i) kept[static_cast<std::size_t>(i)] = is(Mutant::cumulative_decay_inclusive) ? logarithm(t, h + i) : S(0);
        for (int s = t - 1; s >= 0; --s) {
          a[static_cast<std::size_t>(s)] = sum(N, [&](int i) {
            const S factor = is(Mutant::cumulative_decay_divided) ? divided(logarithm, s, t, h + i) : std::exp(kept[static_cast<std::size_t>(i)]);
            return r(first + t, h + i) * k(first + s, h + i) * factor;
          });
          for (int i = 0; i < N; ++i) kept[static_cast<std::size_t>(i)] += logarithm(s, h + i);
        }
        if (is(Mutant::cumulative_decay_inclusive))
          for (int i = 0; i < N; ++i) kept[static_cast<std::size_t>(i)] -= logarithm(t, h + i);
        a[static_cast<std::size_t>(t)] = bonus(first + t, h, r, k, u, N);
        for (int j = 0; j < N; ++j) {
          const S before = sum(N, [&](int i) {
            return r(first + t, h + i) * (is(Mutant::chunk_state_undecayed) ? S(1) : std::exp(kept[static_cast<std::size_t>(i)])) * state(h + i, j);
          });
          y(first + t, h + j) = before + sum(t + 1, [&](int s) { return a[static_cast<std::size_t>(s)] * v(first + s, h + j); });
        }
      }
      for (int i = 0; i < N; ++i) {
        std::vector<S> left(static_cast<std::size_t>(n));  // how much of token s's key the chunk leaves
        S kept(0);
        for (int s = n - 1; s >= 0; --s) {
          left[static_cast<std::size_t>(s)] = k(first + s, h + i) * std::exp(kept);
          kept += logarithm(s, h + i);
        }
        for (int j = 0; j < N; ++j)
          state(h + i, j) = std::exp(kept) * state(h + i, j) + sum(n, [&](int s) { return left[static_cast<std::size_t>(s)] * v(first + s, h + j); });
      }
    }
  }

  /// The weight as the quotient of two cumulative decays, which overflows where decays are strong.
  static S divided(const A& logarithm, int s, int t, int c) {
    S to_t(0), to_s(0);
    for (int i = 0; i < t; ++i) to_t += logarithm(i, c);
    for (int i = 0; i <= s; ++i) to_s += logarithm(i, c);
    return std::exp(to_t) * std::exp(-to_s);
  }

  Way way_;
};

}  // namespace naive
