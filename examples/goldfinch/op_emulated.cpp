// The kit in an emulated format.
#include "op.hpp"

#include "goldfinch/validate/emulated.hpp"
#include "goldfinch/validate/operators.hpp"

namespace tool {

goldfinch::Results run_op_emulated(const std::string& name, const goldfinch::Checkpoint& in, const goldfinch::Results* lead) {
  return goldfinch::run_operator<goldfinch::Emulated>(name, in, lead);
}

}  // namespace tool
