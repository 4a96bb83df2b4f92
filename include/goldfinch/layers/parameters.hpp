// What a layer says about its parameters. Each layer has one list,   parameters(n, visit)   with   visit(name, member, shape, role)
// for every tensor, under the checkpoint's names and shapes; loading, saving, initialising, counting and describing all visit it.
#pragma once

#include <vector>

#include "goldfinch/core/matrix.hpp"
#include "goldfinch/math/norms.hpp"
#include "goldfinch/math/weight.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The sizes that shapes are made of (letters in core/matrix.hpp), and the ranks of the low-rank maps, which a checkpoint's tensors
/// tell; the defaults are those of the released models.
struct Dimensions {
  Index V = 0, D = 0, N = 64, R = 0;
  Index F = 0;               // x060 channel mix
  Index F_swiglu = 0;        // llama channel mix
  Index mix_rank = 32;       // x060, x060c2, gptalpha: time_maa_w1, _w2
  Index decay_rank = 64;     // x060, x060c2: time_decay_w1, _w2
  Index value2_rank = 64;    // x060c2: time_value2_w1, _w2
  Index query_mix_rank = 32; // gold: time_maa_q_w1, _w2
  Index kv_mix_rank = 32;    // gold: time_maa_kv_w1, _w2
  Index key_rank = 64;       // gold: time_key_w1, _w2
  Index value_rank = 64;     // gold: time_value_w1, _w2

  Index H() const { return D / N; }
};

/// What a tensor is for. Initialisation, training and quantisation depend on it, the forward pass does not.
enum class Role {
  embedding,    // [V, D], one row a token
  matrix,       // [out, in], y = x W^T
  lora_in,      // [in, rank], multiplies from the right
  lora_out,     // [rank, out] or [groups, rank, out], multiplies from the right
  mix_rate,     // time_maa_*: how far each channel is shifted towards the token before
  decay,        // time_decay
  bonus,        // time_faaaa
  norm_weight,
  norm_bias,
};

/// A matrix over a concatenated input [left; right], kept as two so that the sum over the left part can be remembered.
struct ConcatWeight {
  Weight left, right;
};

/// Weight and bias of a norm, as two entries of a parameter list.
template <class Scalar, class Visitor>
void visit_norm(const std::string& name, Affine<Scalar>& norm, Index D, Visitor&& visit) {
  visit(name + ".weight", norm.weight, Shape{D}, Role::norm_weight);
  visit(name + ".bias", norm.bias, Shape{D}, Role::norm_bias);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
