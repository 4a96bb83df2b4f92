// Rows of several sequences in one call: x is [rows, D] for any number of sequences one after another, and a segment says which
// rows belong to one of them and where its state is. Linear maps, norms and channel mixes see rows; only token shift, wkv and
// attention see segments. A single sequence is one segment; a segment may have no rows.
#pragma once

#include <vector>

#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class State>
struct Segment {
  Index first;   // its first row in x
  Index rows;    // how many follow, in time order
  State* state;  // what this sequence carries from call to call; never null, never shared by two segments of a call
};

template <class State>
using Segments = std::vector<Segment<State>>;

}  // namespace goldfinch::inline GOLDFINCH_ISA
