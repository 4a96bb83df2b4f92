// Primitives take rows: a column-major matrix has to be made rows of first.
// error: no matching function for call to .*add
#include "goldfinch/math/elementwise.hpp"

goldfinch::Matrix<float> add_column_major(const Eigen::MatrixXf& x, const Eigen::MatrixXf& y) {
  using Rows = goldfinch::Matrix<float>;
#ifdef RIGHT
  return goldfinch::add(Rows(x), Rows(y));
#else
  return goldfinch::add(x, y);
#endif
}
