// The result of linear_onto is written as rows: a column-major matrix is none.
// error: linear_onto_column_major(.|\n)*error: (cannot bind|no matching function)
#include "goldfinch/math/linear.hpp"

void linear_onto_column_major(const goldfinch::Matrix<float>& x, const goldfinch::Weight& W) {
#ifdef RIGHT
  goldfinch::Matrix<float> y(x.rows(), W.N());
#else
  Eigen::MatrixXf y(x.rows(), W.N());
#endif
  goldfinch::linear_onto(x, W, y);
}
