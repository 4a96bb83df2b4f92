// Rotary position embedding, interleaved: channels 2j and 2j+1 of a head turn together by an angle that grows with the position.
//
//   ROPE.1   f_j   = exp(-(2j * log(base)) / N) / rescale                        j = 0 .. N/2 - 1
//   ROPE.2   angle = position * f_j
//   ROPE.3   (x[2j], x[2j+1]) := (x[2j] * c - x[2j+1] * s,  x[2j] * s + x[2j+1] * c)       c = cos(angle), s = sin(angle)
//
// Only differences of positions matter to attention, and positions count from the first token of the sequence. Angles, cosines
// and sines are computed in the wider of double and the scalar and only then rounded: a table built in float32, as elsewhere,
// is off by 0.015 rad at position 262144. Not the "half" layout that pairs channel j with j + N/2.
#pragma once

#include "goldfinch/math/elementwise.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct RotarySettings {
  double base = 0;     // 0: no rotation
  double rescale = 1;  // positions are divided by it
};

template <class Scalar>
class Rotary {
 public:
  /// Heads of N channels (N even if base is not 0). Throws Error unless the base is 0 or above 1, and positions are divided by a number above 0.
  Rotary(const RotarySettings& settings, Index N) : N_(N) {
    if (N < 1) fail("rotary embedding of heads of ", N, " channels, expected 1 or more");
    if (settings.base == 0) return;
    if (!(settings.base > 1) || !(settings.rescale > 0)) fail("rotary embedding: base is ", settings.base, " and rescale ", settings.rescale, ", expected numbers above 1 and 0");
    if (N % 2 != 0) fail("rotary embedding needs an even head size, not ", N);
    const Wide logarithm = goldfinch::log(Wide(settings.base));
    for (Index j = 0; j < N / 2; ++j)
      frequency_.push_back(goldfinch::exp(-(Wide(static_cast<double>(2 * j)) * logarithm) / Wide(static_cast<double>(N))) / Wide(settings.rescale));
  }

  bool active() const { return !frequency_.empty(); }

  /// Turns rows first_row .. first_row + n - 1 of x [rows, H N] in place; the first of them stands at `position`.
  void turn(Matrix<Scalar>& x, Index first_row, Index n, Index position) const {
    require_range(first_row, n, x.rows(), "rows to turn");
    require_heads(x.cols(), N_, "rotary embedding: a row");
    if (position < 0) fail("rotary embedding at position ", position, ", expected 0 or more");
    if (!active()) return;
    for_rows(n, x.cols(), [&](Index t) { turn_row(x.row(first_row + t).data(), x.cols(), position + t); });
  }

 private:
  using Wide = typename AtLeastDouble<Scalar>::type;

  /// Turns one row of n = H N channels that stands at `position`.
  void turn_row(Scalar* x, Index n, Index position) const {
    for (Index j = 0; j < N_ / 2; ++j) {
      const Wide angle = Wide(static_cast<double>(position)) * frequency_[static_cast<std::size_t>(j)];  // ROPE.2
      const Scalar c = static_cast<Scalar>(goldfinch::cos(angle)), s = static_cast<Scalar>(goldfinch::sin(angle));
      const Scalar minus_s = -s;  // g++ 12 fuses alternating e c - o s, e s + o c into vfmaddsub, whatever -ffp-contract says
      for (Index i = 2 * j; i < n; i += N_) {
        const Scalar even = x[i], odd = x[i + 1];
        x[i] = even * c + odd * minus_s;                                                                        // ROPE.3
        x[i + 1] = even * s + odd * c;
      }
    }
  }

  Index N_;
  std::vector<Wide> frequency_;  // ROPE.1, [N/2]; empty without rotation
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
