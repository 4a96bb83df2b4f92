// Integers are no numbers of a layer.
// error: linear: x has integers
#include "goldfinch/math/linear.hpp"

#ifdef RIGHT
goldfinch::Matrix<double> linear_of_integers(const Eigen::MatrixXd& x, const goldfinch::Weight& W) { return goldfinch::linear(x, W); }
#else
auto linear_of_integers(const Eigen::MatrixXi& x, const goldfinch::Weight& W) { return goldfinch::linear(x, W); }
#endif
