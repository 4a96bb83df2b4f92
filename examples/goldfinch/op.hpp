// Runs of the kit (validate/operators.hpp), one scalar a file, so that layers and models are instantiated once each.
#pragma once

#include "goldfinch/validate/operator_run.hpp"

namespace tool {

/// Descriptions of the whole kit.
std::vector<goldfinch::OperatorInfo> operator_list();
/// The one of that name. Throws Error if there is none.
goldfinch::OperatorInfo find_operator(const std::string& name);

goldfinch::Results run_op_f32(const std::string& name, const goldfinch::Checkpoint& in, const goldfinch::Results* lead = nullptr);
goldfinch::Results run_op_f64(const std::string& name, const goldfinch::Checkpoint& in, const goldfinch::Results* lead = nullptr);
goldfinch::Results run_op_f80(const std::string& name, const goldfinch::Checkpoint& in, const goldfinch::Results* lead = nullptr);
/// In the format that the process emulates (validate/emulated.hpp); `in` holds numbers of it.
goldfinch::Results run_op_emulated(const std::string& name, const goldfinch::Checkpoint& in, const goldfinch::Results* lead = nullptr);

}  // namespace tool
