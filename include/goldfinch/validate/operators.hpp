// The kit: every operator, layer and model, by name, in any scalar. `goldfinch op` and the reference cases stand on it.
#pragma once

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/model/state_arrays.hpp"
#include "goldfinch/validate/basic_operators.hpp"
#include "goldfinch/validate/function_operators.hpp"
#include "goldfinch/validate/layer_operators.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {
namespace kit {

/// A whole model of any kind: the tensors of its checkpoint, and tokens. Recorded are its trace, the logits, and what it carries.
template <class Scalar>
void run_model(OperatorRun<Scalar>& run, Checkpoint weights) {
  weights.tensors.erase("tokens");
  weights.tensors.erase("lengths");
  const auto model = load_model<Scalar>(weights);
  std::vector<int> tokens;
  for (const Index id : run.whole_numbers("tokens", model.vocabulary_size() - 1)) tokens.push_back(static_cast<int>(id));
  const auto shares = run.shares("lengths", static_cast<Index>(tokens.size()));
  std::vector<typename Model<Scalar>::State> states(shares.size(), model.initial_state());
  std::vector<typename Model<Scalar>::Input> inputs;
  std::size_t at = 0;
  for (std::size_t b = 0; b < shares.size(); at += static_cast<std::size_t>(shares[b]), ++b)
    inputs.push_back({std::span<const int>(tokens).subspan(at, static_cast<std::size_t>(shares[b])), &states[b]});
  typename OperatorRun<Scalar>::Sink sink(run);
  model.forward(inputs, Trace<Scalar>(&sink));

  for (std::size_t b = 0; b < states.size(); ++b) {
    const std::string prefix = states.size() > 1 ? "state." + std::to_string(b) + "." : "state.";
    visit_block_states(states[b].blocks, [&](const std::string& name, auto& member) {
      if constexpr (requires { member.rows(0, 0); }) run.carried(prefix + name, member.rows(0, member.size()));
      else if (member.cols() == 1) run.carried(prefix + name, member.transpose());
      else run.carried(prefix + name, member);
    });
  }
}

}  // namespace kit

template <class Scalar>
std::vector<Operator<Scalar>> all_operators() {
  auto all = basic_operators<Scalar>();
  for (auto& op : function_operators<Scalar>()) all.push_back(std::move(op));
  for (auto& layer : layer_operators<Scalar>()) all.push_back(std::move(layer));
  all.push_back({{"model", "model", "a whole model of any kind", "MODEL.1  x = x0 = LN(emb[token]; ln0)\nMODEL.2  every block in turn; "
                  "before the first GOLD block, c = w_kv_cache_a x joins the key cache\nMODEL.3  logits = head LN(x; ln_out)",
                  {required_setting("tokens", "[T]", "token ids; beside them the tensors of a checkpoint, with its metadata key goldfinch.config"), lengths_setting(),
                   output("logits", "[T, V]", "one token a row; beside them every intermediate under its trace name, and the state as state.…",
                       "MODEL.3")}, true},
                 {}});
  return all;
}

/// Descriptions of all, in order.
inline std::vector<OperatorInfo> operator_list() {
  std::vector<OperatorInfo> list;
  for (auto& op : all_operators<double>()) list.push_back(std::move(op.info));
  return list;
}

/// Runs one operator. Throws Error naming what does not exist or does not fit. `lead`: see operator_run.hpp.
template <class Scalar>
Results run_operator(const std::string& name, const Checkpoint& in, const Results* lead = nullptr) {
  arithmetic::require();
  for (const auto& op : all_operators<Scalar>()) {
    if (op.info.name != name) continue;
    OperatorRun<Scalar> run(op.info, in, lead);
    if (op.run) with_workers([&] { op.run(run); });
    else kit::run_model(run, in);
    return std::move(run.results);
  }
  fail("there is no operator ", in_quotes(name), " (goldfinch op --list tells what there is)");
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
