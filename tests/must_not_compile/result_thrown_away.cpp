// Primitives return their result and change nothing: a call as a statement computes and throws away.
// error: ignoring return value .*hadamard.*unused-result
#include "goldfinch/math/elementwise.hpp"

void result_thrown_away(goldfinch::Matrix<float>& x, const goldfinch::Matrix<float>& y) {
#ifdef RIGHT
  x = goldfinch::hadamard(std::move(x), y);
#else
  goldfinch::hadamard(x, y);
#endif
}
