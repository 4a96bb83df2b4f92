// The kit in double.
#include "op.hpp"

#include "goldfinch/validate/operators.hpp"

namespace tool {

std::vector<goldfinch::OperatorInfo> operator_list() { return goldfinch::operator_list(); }

goldfinch::Results run_op_f64(const std::string& name, const goldfinch::Checkpoint& in, const goldfinch::Results* lead) {
  return goldfinch::run_operator<double>(name, in, lead);
}

}  // namespace tool
