// Token shift: what each row is compared with, the row before it.
//
//   SHIFT.1   before[t] = z[t-1]            within a sequence; for the first row of a call, the last row of the previous call,
//                                           zeros before the first token
//
// Used by every layer of the family but Llama's. The carried row is the layer's input z (after its LayerNorm), not the residual.
#pragma once

#include "goldfinch/core/segments.hpp"
#include "goldfinch/math/elementwise.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// z [rows, D] -> before [rows, D]; moves the carried row `last` (a member of the state, [D]) on to each segment's last row.
template <class Scalar, class State>
Matrix<Scalar> token_shift(const Matrix<Scalar>& z, const Segments<State>& segments, Vector<Scalar> State::*last) {
  require_segments(segments, z.rows(), [&](const State& s) { require_size(s.*last, z.cols(), "token_shift: the last row of a sequence"); });
  Matrix<Scalar> before(z.rows(), z.cols());
  for (const Segment<State>& s : segments) {
    if (s.rows == 0) continue;
    before.row(s.first) = (s.state->*last).transpose();
    for_rows(s.rows - 1, z.cols(), [&](Index t) { before.row(s.first + 1 + t) = z.row(s.first + t); });
    s.state->*last = z.row(s.first + s.rows - 1).transpose();
  }
  return before;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
