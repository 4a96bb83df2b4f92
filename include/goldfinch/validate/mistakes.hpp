// The mistakes that people make, as data: what is done instead, what it looks like, and at which equations it begins. One table for
// all who speak of them: `goldfinch compare` names those that begin at the tensor that fails, the reference cases say which they are
// there to catch, their manifest repeats the words, and every mutant of tests/naive is one of these.
//
// A flag is a mistake's name everywhere. It begins at the tensors that have one of its labels (docs/equations.md; known_tensors.hpp and
// the descriptions of the kit say which tensor has which). What comes after is wrong too, but in consequence.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct Mistake {
  std::string_view flag, words, looks, begins;  // begins: labels, with blanks between
};

inline constexpr Mistake mistakes[] = {
    // Tokens and norms.
    {"wrong-token", "tokens shifted by one, or of another tokenizer", "whole rows are wrong and others right", "EMB.1"},
    {"ln0-missing", "the embedding is used without blocks.0.ln0", "", "EMB.1"},
    {"eps-value", "another eps than 1e-5 (group norm: 1e-5 head_size_divisor^2; rms_norm: 1e-8), 1e-5 squared, or none",
     "small errors where a row has small variance", "NORM.1 NORM.2 NORM.3 EMB.1 F.7"},
    {"eps-added-to-root", "eps is added to the root, not under it", "shows where a row has small variance", "NORM.1 NORM.2 EMB.1"},
    {"eps-in-root", "rms_norm's eps under the root, where it is added to it", "shows in rows of small size", "NORM.3 TC.2"},
    {"variance-unbiased", "the variance is divided by D - 1", "every element is off by the factor sqrt(1 - 1/D)", "NORM.1 NORM.2 EMB.1"},
    {"variance-by-squares", "the mean of squares minus the square of the mean, which cancels", "rows far from 0 are wrong, or NaN", "NORM.1 NORM.2"},
    {"mean-not-subtracted", "an rms norm where a LayerNorm is meant", "", "NORM.1 EMB.1"},
    {"mean-subtracted", "a LayerNorm where an rms norm is meant", "", "NORM.3 TC.2"},
    {"bias-missing", "the norm's bias is left out", "rows are off by one and the same vector", "NORM.1 NORM.2 EMB.1"},
    {"bias-before-scale", "the shift is scaled too", "", "NORM.1 NORM.2"},
    {"division-by-zero", "no eps, or rows without variance are divided by it", "NaN in constant rows", "NORM.1 NORM.2 NORM.3"},
    {"norm-missing", "a norm is left out", "", "EMB.1 TC.2 GOLD.2 GOLD.5 GOLD.6 GA.2 FC2.8 F.7 GOLD.8 GA.4 NORM.1"},
    {"norms-swapped", "two norms have each other's weights: ln1 and ln2, or ln_k and ln_v", "", "NORM.1 GOLD.5 GOLD.6 GA.2"},
    {"norm-over-all-channels", "ln_x over all channels, where each head has its own norm (Finch)", "", "NORM.2 F.7"},
    {"norm-per-head", "ln_x over each head, where it is over all channels (Finch-C2)", "", "FC2.8"},
    {"norm-of-wrong-stream", "the norm is of the stream before the time mix was added", "", "NORM.1"},
    {"residual-missing", "the stream is not added, or the norm's output is", "", "BLOCK.1 BLOCK.2"},
    {"rescaled-stream", "weights and stream halved every 6 layers (rescale_every); LayerNorm's eps then grows by 4 each time",
     "from block 6 on a factor is wrong", "BLOCK.1 BLOCK.2 FC2.8 F.7 CM.5 NORM.1 MODEL.3"},
    // Linear maps, token shift, low-rank maps.
    {"weight-transposed", "x W instead of x W^T", "everything is wrong, at the right size",
     "LIN.1 TC.1 FC2.3 FC2.5 FC2.8 F.3 F.4 F.7 GOLD.2 GOLD.8 GA.2 GA.4 LA.1 LA.3 CM.3 CM.4 CM.5 SG.1 SG.2 MODEL.3"},
    {"shift-not-carried", "the row before the first of a call is zero instead of the last of the call before",
     "the first row of every chunk is wrong",
     "SHIFT.1 LORA.2 FC2.2 F.2 GA.1 GOLD.1 CM.1 CM.2"},
    {"shift-forward", "the next row instead of the one before", "the last row of a call differs most", "SHIFT.1 LORA.2 FC2.2 F.2 GA.1 CM.1 CM.2"},
    {"shift-of-wrong-row", "the shifted row is of ln1 where ln2 is meant, or of the stream itself", "", "LORA.2 FC2.2 F.2 GA.1 GOLD.1 CM.1 CM.2"},
    {"lerp-reversed", "before + (z - before) m instead of z + (before - z) m", "", "LORA.2 FC2.2 F.2 GA.1 GOLD.1 CM.1 CM.2"},
    {"rates-swapped", "the two rates of the channel mix change places", "", "CM.1 CM.2"},
    {"offset-dropped", "shift rates do not depend on the data", "", "LORA.2 FC2.2 F.2 GA.1"},
    {"group-order", "the groups of a ddlerp in another layer's order (Finch w k v r g, Finch-C2 r k v w v2, GOLD k v)", "rates of other groups",
     "LORA.2 FC2.2 F.2 GA.1 GOLD.4"},
    {"hidden-interleaved", "the hidden columns of a ddlerp are dealt out to the groups in turn", "", "LORA.2 FC2.2 F.2 GA.1"},
    {"ddlerp-one-step", "the rate in front of the low-rank map (time_maa_x) left out", "", "LORA.2 FC2.2 F.2 GA.1"},
    {"tanh-missing", "the low-rank map without its tanh", "small inputs look right", "LORA.1 LORA.2 FC2.2 F.2 GA.1 GOLD.1 GOLD.4 FC2.4 F.5"},
    {"lora-missing", "the low-rank map left out of a sum", "", "FC2.6 GOLD.6"},
    {"lora-not-added", "the low-rank map replaces what it should be added to", "", "FC2.4 F.5 FC2.6 GOLD.5 GOLD.6"},
    {"lora-transposed", "a low-rank map is multiplied from the other side", "", "LORA.1 LORA.2"},
    // The recurrence.
    {"decay-argument", "-exp(w), or the decay, is given where w is meant, or the reverse; sigmoid(-w); another sign of w",
     "far rows are worse than near ones", "WKV.1 WKV.2 F.6 FC2.4 F.5 FC2.5"},
    {"decay-per-value-channel", "the decay multiplies the state's columns, not its rows", "", "WKV.1 WKV.2 FC2.7 F.6"},
    {"decay-before-read", "the state is read after its decay", "as after read-after-update, but the first row is right", "WKV.1 FC2.7 F.6"},
    {"read-after-update", "the state is read after this token was written into it", "the first row is not the bonus alone", "WKV.1 FC2.7 F.6"},
    {"write-before-decay", "the newest key is decayed too", "", "WKV.1 WKV.2 FC2.7 F.6"},
    {"decay-clamped", "decays are kept away from 0 or 1", "only rows after a strong decay, or late rows, are wrong", "WKV.1 WKV.2 F.6"},
    {"decay-low-precision", "the decay is rounded to 16 bits before it is used", "slow decays become 1, or faster: the error grows along the rows",
     "WKV.1 WKV.2 F.6"},
    {"log-of-zero-decay", "the logarithm of a decay that is 0", "NaN or infinities", "WKV.1 WKV.2"},
    {"decay-nan", "exp(w) overflows, and its product is NaN where the decay is 0", "NaN", "WKV.1 WKV.2 FC2.4"},
    {"cumulative-overflow", "a chunk's weights as quotients of cumulative decays, whose exponential overflows",
     "NaN or infinities where decays are strong",
     "WKV.1 WKV.2 F.6"},
    {"cumulative-difference", "a chunk's weights by differences of running sums, which cancel", "errors grow along a chunk", "WKV.1 WKV.2"},
    {"cumulative-decay-inclusive", "in the matrix form, a token's own decay weakens what it reads", "", "WKV.1 FC2.7 F.6"},
    {"chunk-state-undecayed", "in the matrix form, the state that comes in is read without the decays since", "", "WKV.1 FC2.7 F.6"},
    {"chunk-border", "the end of a chunk of 16 or 64 tokens", "wrong from such a row on, or in the last rows", "WKV.1 WKV.2"},
    {"state-decays-away", "a long sequence is decayed more than it should be", "the late rows are too small", "WKV.1 WKV.2"},
    {"state-transposed", "the state is [value, key] where [key, value] is meant", "its transpose is right", "WKV.1 WKV.2 FC2.7 F.6"},
    {"state-not-carried", "every call starts from zero", "right up to the first boundary of a chunk", "WKV.1 WKV.2 FC2.7 F.6"},
    {"state-order", "sequences get each other's states", "whole sequences are wrong", "WKV.1 WKV.2 FC2.7 F.6"},
    {"state-low-precision", "the state is kept in 16 bits", "the error grows along the rows", "WKV.1 WKV.2 FC2.7"},
    {"bonus-missing", "u is not used", "the first row is zero", "WKV.1 F.6 FC2.7"},
    {"bonus-unwanted", "u is used though there is a second value", "the first row is not zero", "FC2.7"},
    {"bonus-in-state", "u scales what is written to the state, too", "the first row is right", "WKV.1 WKV.2 F.6 FC2.7"},
    {"bonus-of-another-head", "u is that of another head", "whole heads are wrong", "WKV.1 F.6 FC2.7"},
    {"wkv-scaled", "the scale N^-1/2 of attention, where there is none", "a common factor", "WKV.1 FC2.7 F.6"},
    {"one-minus-decay-missing", "the key without its factor 1 - d", "too large, most where the decay is slow", "FC2.5"},
    {"one-minus-decay-cancels", "1 - exp(-exp(w)) in low precision instead of -expm1(-exp(w))", "zeros or steps where w < -6", "FC2.5"},
    {"value2-of-wrong-input", "the second value is of another weight than att.value, or of the first value's input", "", "FC2.6"},
    {"value2-missing", "the second value is not added", "", "FC2.8"},
    {"gate-not-silu", "sigmoid, or nothing, instead of silu", "", "F.4"},
    {"gate-before-norm", "the gate is applied before the norm", "", "F.7"},
    // Attention.
    {"mask-top-left", "a chunk's mask aligned to the first key instead of the last", "right with one chunk, wrong from the second on",
     "ATT.1 ATT.4 GOLD.7 GA.3 LA.2"},
    {"mask-excludes-self", "a token does not see itself", "the first row is zero, or NaN", "ATT.1 ATT.4 GOLD.7 GA.3 LA.2"},
    {"future-keys", "keys after the query are seen", "the last row of each chunk is right", "ATT.1 ATT.4 GOLD.7 GA.3 LA.2"},
    {"keys-of-call-only", "a call sees its own keys only", "right up to the first boundary of a chunk", "ATT.1 ATT.4 GOLD.7 GA.3 LA.2"},
    {"keys-of-another-head", "a head's keys are those of another", "", "ATT.1 ATT.4 GOLD.7 GA.3 LA.2"},
    {"scale-missing", "scores are not scaled by N^-1/2", "rows are nearer to single values", "ATT.1 ATT.4 GOLD.7 GA.3 LA.2"},
    {"scale-of-width", "scores are scaled by D^-1/2", "rows are nearer to the mean of the values", "ATT.1 ATT.4 GOLD.7 GA.3 LA.2"},
    {"softmax-without-max", "no maximum is subtracted", "NaN where scores are large", "SOFTMAX.1 ATT.4 LOSS.1"},
    {"softmax-not-rescaled", "where a tile raises the maximum, what was summed is not scaled down", "only some rows are wrong",
     "ATT.4 GOLD.7 GA.3 LA.2"},
    {"softmax-low-precision", "weights or sums of softmax in 16 bits", "errors with many keys", "ATT.4 GOLD.7 GA.3 LA.2"},
    {"softmax-axis", "softmax over the wrong dimension", "", "SOFTMAX.1"},
    {"tile-border", "the end of a tile of 64 keys", "rows with more keys than a tile are wrong", "ATT.4 GOLD.7"},
    {"rotary-missing", "no rotary embedding", "the first row is right", "ATT.1 GOLD.7 GA.3 LA.2"},
    {"rotary-half-layout", "channel pairs (j, j + N/2) instead of (2j, 2j + 1)", "", "ROPE.3 ATT.1 GOLD.7 GA.3 LA.2"},
    {"rotary-sign", "rotary turns the other way", "the first row is right; right in attention if keys turn so too", "ROPE.3 ATT.1 GOLD.7 GA.3 LA.2"},
    {"rotary-position", "positions counted from the chunk's first token, or off by one", "right in the first chunk", "ROPE.3 ATT.1 GOLD.7 GA.3 LA.2"},
    {"rotary-frequency", "frequencies run over all channels instead of a head's, or fall as base^(-j/N)", "", "ROPE.3 ATT.1 GOLD.7 GA.3 LA.2"},
    {"rotary-float32-table", "angles in float", "the error grows with the position", "ROPE.3 ATT.1 GOLD.7 GA.3 LA.2"},
    {"rotary-base", "another base than the model's", "", "ROPE.3 ATT.1 GOLD.7 GA.3 LA.2"},
    {"rotary-rescale", "positions are not divided by rope_rescale", "", "ROPE.3 ATT.1 GOLD.7 GA.3 LA.2"},
    // GOLD and TokenCat.
    {"compressed-after-norm", "TokenCat compresses a normalised stream instead of the stream itself", "", "TC.1"},
    {"wrong-layer", "the compressed stream is of another layer than split", "every row is wrong", "TC.1"},
    {"cat-order", "[c; x0] instead of [x0; c]", "", "TC.2"},
    {"x0-before-ln0", "the original embedding without ln0", "", "TC.2"},
    {"embedding-not-normalised", "x0 instead of rms_norm(x0) on the key and value side", "", "GOLD.4 GOLD.5 GOLD.6"},
    {"values-from-stream", "values of the stream instead of the embedding; GOLD has no value projection", "", "GOLD.4 GOLD.6"},
    {"key-shift-carried", "the key before the first of the context is a carried row instead of zero", "only the first row is wrong", "GOLD.4 GOLD.5"},
    {"context-shift-cut", "the token shift of the context starts from zero at every call", "the first row of every chunk is wrong",
     "GOLD.4 GOLD.5 GOLD.6"},
    // Channel mixes, head, losses.
    {"square-missing", "relu without its square", "", "CM.3"},
    {"relu-missing", "negative numbers pass", "", "CM.3"},
    {"gate-not-sigmoid", "the receptance without its sigmoid, or with silu", "", "CM.4"},
    {"gate-missing", "the receptance is not used", "", "CM.5"},
    {"silu-on-wrong-half", "silu of w3 z instead of w1 z", "", "SG.1"},
    {"silu-is-sigmoid", "sigmoid stands in for silu", "", "SG.1 EXP.5"},
    {"ffn-width", "the width rounded up to a multiple of 32 instead of down", "a shape differs", "CM.3 SG.1"},
    {"head-tied", "the embedding used as the head", "", "MODEL.3"},
    {"target-off-by-one", "the loss of another token than the next", "", "LOSS.1"},
    {"log-base", "bits instead of nats", "a factor of 1.44", "LOSS.1"},
    // Everywhere.
    {"sequence-leak", "packed sequences see each other", "the first sequence is right",
     "WKV.1 WKV.2 SHIFT.1 LORA.2 ATT.4 FC2.2 F.2 GA.1 CM.1 GOLD.7 LA.2 GA.3"},
    {"head-layout", "channel h + H n instead of N h + n", "whole heads are mixed",
     "WKV.1 WKV.2 ROPE.3 ATT.4 FC2.3 FC2.7 F.3 F.6 GOLD.2 GA.2 LA.1 GOLD.7"},
    {"vector-tail", "the last few of an odd number of channels", "only the last columns are wrong, or the wrong ones of each head",
     "WKV.1 WKV.2 LIN.1 ATT.4"},
    {"narrow-accumulation", "sums in a narrow format", "errors grow with the length of the sum", "LIN.1 WKV.1 WKV.2"},
    {"cancellation", "an elementary function near 0 by a difference", "zeros or steps near 0", "EXP.3 EXP.4 FC2.5"},
    {"underflow", "an exponential that ends too early", "zeros where small numbers are expected", "EXP.3"},
    {"sigmoid-overflow", "exp(-x) overflows on the way to a small result", "zeros or NaN far from 0", "EXP.5"},
    {"tanh-overflow", "tanh as a quotient of exponentials that overflow", "NaN far from 0", "EXP.4 LORA.1"},
};

/// The mistake of a flag, or null.
constexpr const Mistake* find_mistake(std::string_view flag) {
  for (const Mistake& mistake : mistakes)
    if (mistake.flag == flag) return &mistake;
  return nullptr;
}

/// "FC2.7" and "WKV.1" of "FC2.7, WKV.1"; what stands in brackets is said beside and counts for nothing.
inline std::vector<std::string> labels_in(std::string_view text) {
  std::vector<std::string> labels(1);
  for (const char c : text.substr(0, text.find('('))) {
    if (c == ' ' || c == ',') labels.emplace_back();
    else labels.back() += c;
  }
  std::erase_if(labels, [](const std::string& label) { return label.find('.') == std::string::npos; });
  return labels;
}

/// Whether it begins at a tensor of these equations.
inline bool begins_at(const Mistake& mistake, std::string_view equations) {
  for (const std::string& one : labels_in(mistake.begins))
    for (const std::string& other : labels_in(equations))
      if (one == other) return true;
  return false;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
