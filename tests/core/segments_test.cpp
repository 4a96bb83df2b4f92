// Segments are the rows of a call, one behind the other, each with a state of its own.
#include "goldfinch/core/segments.hpp"

#include "refused.hpp"

using namespace goldfinch;

namespace {

struct State {
  int size = 3;
};
const auto any = [](const State&) {};

}  // namespace

TEST_CASE("Segments one behind the other are taken, empty ones too") {
  State a, b, c;
  CHECK_NOTHROW(require_segments<State>({}, 0, any));
  CHECK_NOTHROW(require_segments<State>({{0, 5, &a}}, 5, any));
  CHECK_NOTHROW(require_segments<State>({{0, 3, &a}, {3, 0, &b}, {3, 2, &c}}, 5, any));
}

TEST_CASE("Segments that overlap, leave rows out or reach beyond the rows are refused") {
  State a, b;
  REFUSED(require_segments<State>({}, 1, any), "the segments have 0 rows, expected the 1 of the call");
  REFUSED(require_segments<State>({{0, 6, &a}}, 5, any), "segment 0 is 6 rows from row 0 on, expected 0 to 5 from row 0 on");
  REFUSED(require_segments<State>({{0, 4, &a}}, 5, any), "the segments have 4 rows, expected the 5 of the call");
  REFUSED(require_segments<State>({{0, -1, &a}}, 5, any), "segment 0 is -1 rows");
  REFUSED(require_segments<State>({{-1, 5, &a}}, 5, any), "segment 0 is 5 rows from row -1 on");
  REFUSED(require_segments<State>({{0, 3, &a}, {2, 3, &b}}, 5, any), "segment 1 is 3 rows from row 2 on, expected 0 to 2 from row 3 on");
  REFUSED(require_segments<State>({{0, 2, &a}, {3, 2, &b}}, 5, any), "segment 1 is 2 rows from row 3 on, expected 0 to 3 from row 2 on");
}

TEST_CASE("States that are null, there twice, or of another size are refused") {
  State a, b;
  REFUSED(require_segments<State>({{0, 3, &a}, {3, 2, nullptr}}, 5, any), "sequence 1 of a call has no state (null)");
  REFUSED(require_segments<State>({{0, 3, &a}, {3, 1, &b}, {4, 1, &a}}, 5, any), "sequences 0 and 2 of a call have the same state");
  REFUSED(require_segments<State>({{0, 0, &a}, {0, 0, &a}}, 0, any), "sequences 0 and 1");
  b.size = 4;
  REFUSED(require_segments<State>({{0, 3, &a}, {3, 2, &b}}, 5, [](const State& s) { require_size(std::vector<int>(s.size), 3, "it"); }), "it has 4 numbers");
}

TEST_CASE("Among many states, one that is there twice is found as well") {
  std::vector<State> states(100);
  std::vector<State*> all;
  for (auto& state : states) all.push_back(&state);
  const auto of = [&](std::size_t i) { return all[i]; };
  CHECK_NOTHROW(require_distinct(100, of));
  all[83] = all[17];
  REFUSED(require_distinct(100, of), "sequences 17 and 83");
  all[83] = nullptr;
  REFUSED(require_distinct(100, of), "sequence 83 of a call has no state");
}
