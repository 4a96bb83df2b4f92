// Rows of several sequences in one call: x is [rows, D] for any number of sequences one after another, and a segment says which
// rows belong to one of them and where its state is. Linear maps, norms and channel mixes see rows; only token shift, wkv and
// attention see segments. A single sequence is one segment; a segment may have no rows.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class State>
struct Segment {
  Index first;   // its first row in x: the one behind the last of the segment before
  Index rows;    // how many follow, in time order
  State* state;  // what this sequence carries from call to call; never null, never shared by two segments of a call
};

template <class State>
using Segments = std::vector<Segment<State>>;

/// Throws unless state_of(0) .. state_of(n - 1) are there and are n different ones: of a state that stood twice in a call, two threads
/// would write at once. Few are compared with each other, many are sorted.
template <class StateOf>
void require_distinct(std::size_t n, StateOf&& state_of) {
  constexpr std::size_t few = 32;
  const auto twice = [](std::size_t i, std::size_t j) { fail("sequences ", i, " and ", j, " of a call have the same state; each needs one of its own"); };
  for (std::size_t i = 0; i < n; ++i) {
    if (!state_of(i)) fail("sequence ", i, " of a call has no state (null)");
    for (std::size_t j = 0; n <= few && j < i; ++j)
      if (state_of(i) == state_of(j)) twice(j, i);
  }
  if (n <= few) return;
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return std::less<>()(state_of(i), state_of(j)) || (state_of(i) == state_of(j) && i < j); });
  for (std::size_t i = 1; i < n; ++i)
    if (state_of(order[i]) == state_of(order[i - 1])) twice(order[i - 1], order[i]);
}

/// Throws unless the segments are the `rows` rows of a call, one behind the other, each with a state of its own that `check(state)` does
/// not throw on.
template <class State, class Check>
void require_segments(const Segments<State>& segments, Index rows, Check&& check) {
  Index next = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment<State>& s = segments[i];
    if (s.first != next || s.rows < 0 || s.rows > rows - next)
      fail("segment ", i, " is ", s.rows, " rows from row ", s.first, " on, expected 0 to ", rows - next, " from row ", next, " on");
    next += s.rows;
  }
  if (next != rows) fail("the segments have ", next, " rows, expected the ", rows, " of the call");
  require_distinct(segments.size(), [&](std::size_t i) { return segments[i].state; });
  for (const Segment<State>& s : segments) check(*s.state);
}

/// The entrance of a layer of width D with heads of N: throws unless z is [rows, D], its rows are the segments', and every state is one of such
/// a layer, by its require(D, N). Before anything changes.
template <class Scalar, class State>
void require_layer_input(const char* kind, const Matrix<Scalar>& z, const Segments<State>& segments, Index D, Index N) {
  if (z.cols() != D) fail("the input of a layer of the kind ", kind, " has ", z.cols(), " columns, expected ", D);
  require_heads(D, N, kind);
  require_segments(segments, z.rows(), [&](const State& s) { s.require(D, N); });
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
