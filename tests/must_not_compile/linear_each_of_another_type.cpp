// All products of a linear_each are of one type.
// error: linear_each: x has numbers of another type
#include "goldfinch/math/linear.hpp"

void linear_each_of_another_type(const Eigen::MatrixXf& x, const Eigen::MatrixXd& wide, const goldfinch::Weight& W) {
#ifdef RIGHT
  const auto y = goldfinch::linear_each<float>({{x, W}, {wide.cast<float>(), W}});
#else
  const auto y = goldfinch::linear_each<float>({{x, W}, {wide, W}});
#endif
  (void)y;
}
