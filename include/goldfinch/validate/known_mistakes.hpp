// What every tensor of a trace is, by which equation, and which mistakes are known to show there first: data, in the order of the
// computation. A mistake's flag is its name everywhere (manifests, reports); its words say what was done instead and how it looks.
// The equations behind the labels: docs/equations.md.
#pragma once

#include <iterator>
#include <string_view>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct KnownMistake {
  std::string_view flag, words;
};

inline constexpr KnownMistake known_mistakes[] = {
    {"wrong-token", "tokens shifted by one, or another tokenizer; whole rows are wrong and others right"},
    {"ln0-missing", "the embedding is used without blocks.0.ln0"},
    {"norm-eps", "another eps than 1e-5, or 1e-5 squared; small errors where a row has small variance"},
    {"unbiased-variance", "the variance is divided by D - 1; every element is off by the factor sqrt(1 - 1/D)"},
    {"rms-for-layernorm", "no mean is subtracted, or the bias is left out"},
    {"rescaled-stream", "weights and stream halved every 6 layers (rescale_every); LayerNorm's eps then grows by 4 each time"},
    {"norm-of-wrong-stream", "the norm is of the stream before the residual was added"},
    {"shift-not-carried", "the row before the first of a call is zero instead of the last of the call before; the first row of every chunk is wrong"},
    {"shift-forward", "the next row instead of the one before; the last row of a call differs most"},
    {"shift-of-wrong-norm", "the shifted row is of ln1 where ln2 is meant, or of the stream itself"},
    {"lerp-reversed", "before + (z - before) * m instead of z + (before - z) * m"},
    {"group-order", "the groups of time_maa_w1 and w2 in another layer's order (Finch w k v r g, Finch-C2 r k v w v2); rates of other groups"},
    {"tanh-missing", "the low-rank map without its tanh; small inputs look right"},
    {"ddlerp-one-step", "the rate in front of the low-rank map (time_maa_x) left out"},
    {"weight-transposed", "x W instead of x W^T; everything is wrong, at the right size"},
    {"decay-too-early", "exp(-exp(w)) or -exp(w) is given where w is meant"},
    {"decay-twice", "exp of what was the decay already, or one exp too few; far rows are worse than near ones"},
    {"no-one-minus-w", "the key without its factor 1 - d; too large, most where the decay is slow"},
    {"one-minus-w-cancels", "1 - exp(-exp(w)) in low precision instead of -expm1(-exp(w)); zeros or steps where w < -6"},
    {"value2-own-weight", "the second value is of another weight than att.value, or of the first value's input"},
    {"v2-missing", "the second value is not added"},
    {"gate-not-silu", "sigmoid, or nothing, instead of silu"},
    {"read-after-update", "the state is read after this token was written into it; the first row is not the bonus alone"},
    {"bonus-missing", "u is not used; the first row is zero"},
    {"bonus-unwanted", "u is used though there is a second value; the first row is not zero"},
    {"state-transposed", "the state is [value, key] where [key, value] is meant; its transpose is right"},
    {"state-not-carried", "every call starts from zero; right up to the first boundary of a chunk"},
    {"state-low-precision", "the state is kept in 16 bits; the error grows along the rows"},
    {"scale-of-attention", "the scale N^-1/2 in wkv, where there is none, or missing in attention; a common factor"},
    {"heads-interleaved", "channel h + H n instead of N h + n; whole heads are mixed"},
    {"layernorm-for-groupnorm", "ln_x over all channels where each head has its own norm (Finch), or the other way round (Finch-C2)"},
    {"groupnorm-eps", "eps 1e-5 instead of 64e-5 (head_size_divisor 8)"},
    {"gate-order", "the gate is applied before the norm"},
    {"residual-missing", "the stream is not added, or the norm's output is"},
    {"relu-not-squared", "relu without its square"},
    {"ffn-width", "the width rounded up to a multiple of 32 instead of down; a shape differs"},
    {"sigmoid-missing", "the receptance is used without its sigmoid"},
    {"silu-on-wrong-half", "silu of w3 z instead of w1 z"},
    {"compressed-after-norm", "TokenCat compresses a normalised stream instead of the stream itself"},
    {"wrong-layer", "the stream of another layer than split; every row is wrong"},
    {"eps-in-root", "eps under the root, or 1e-5 for 1e-8; shows in rows of small size"},
    {"concat-order", "[c; x0] instead of [x0; c]"},
    {"x0-before-ln0", "the original embedding without ln0"},
    {"o-not-normalised", "x0 instead of rms_norm(x0) on the key and value side"},
    {"value-from-stream", "values of the stream instead of the embedding; GOLD has no value projection"},
    {"key-shift-carried", "the key before the first of the context is not zero"},
    {"norm-missing", "the LayerNorm of query, key or value left out"},
    {"lora-not-added", "the low-rank map replaces what it should be added to"},
    {"mask-top-left", "a chunk's mask aligned to the first key instead of the last; right with one chunk, wrong from the second on"},
    {"mask-missing", "later keys of the chunk are seen; the last row of each chunk is right"},
    {"rotary-halves", "channel pairs (j, j + N/2) instead of (2j, 2j + 1)"},
    {"rotary-position", "positions counted from the chunk's first token; right in the first chunk"},
    {"rotary-table-float", "angles in float; the error grows with the position"},
    {"softmax-low-precision", "no maximum subtracted, or sums in 16 bits; overflow to NaN, or errors with many keys"},
    {"head-tied", "the embedding used as the head"},
};

/// Those that cases of operators and layers are there to catch and no tensor of a trace shows by itself (reference_outputs/README.md).
inline constexpr KnownMistake case_mistakes[] = {
    {"bonus-dropped", "u is left out; the first row is what the carried state gives, or zero"},
    {"bonus-in-state", "u enters the state too; the first row is right"},
    {"decay-argument", "-exp(w), or the decay itself, stands where w is expected, or the other way round; decays themselves are wrong"},
    {"decay-per-value-channel", "the decay multiplies columns of the state, not rows"},
    {"state-order", "sequences get each other's states"},
    {"state-decays-away", "a long sequence is decayed more than it should be; the error grows along the rows"},
    {"decay-clamped", "decays are kept away from 0 or 1"},
    {"log-of-zero-decay", "a decay of 0 gives NaN"},
    {"decay-nan", "exp(w) overflows, and NaN comes of it"},
    {"cumulative-overflow", "the exponential of a running sum of log decays overflows"},
    {"cumulative-difference", "log decays as differences of running sums, which cancel; the error grows along the rows of a chunk"},
    {"one-minus-decay-dropped", "keys lack the factor 1 - d"},
    {"one-minus-decay-cancels", "1 - exp(-exp(w)) instead of -expm1(-exp(w)); zeros or steps where decays are slow"},
    {"chunk-border", "the end of a chunk of 16 or 64 tokens; right up to there"},
    {"sequence-leak", "packed sequences see each other; the first is right"},
    {"head-layout", "channels of heads interleaved"},
    {"vector-tail", "the last few of an odd number of channels are wrong or missing"},
    {"narrow-accumulation", "sums in a narrow format; worse the longer they are"},
    {"shift-direction", "the row after instead of the row before"},
    {"lerp-direction", "before + (z - before) * m instead of z + (before - z) * m"},
    {"offset-dropped", "the part of the rate that depends on the data is left out"},
    {"tanh-dropped", "the low-rank map without its tanh; small inputs look right"},
    {"tanh-by-exp-overflow", "tanh as a quotient of exponentials that overflow; NaN where it is 1"},
    {"lora-transposed", "a low-rank matrix multiplied from the other side"},
    {"eps-added-to-root", "eps is added to the root where it stands under it"},
    {"eps-value", "another eps; shows in rows of small size"},
    {"variance-unbiased", "the variance is divided by D - 1"},
    {"variance-by-squares", "mean of squares minus square of the mean, which cancels far from 0"},
    {"norm-over-all-channels", "no groups: one mean and variance for all heads"},
    {"mean-subtracted", "a mean taken off by rms_norm"},
    {"norm-dropped", "no norm"},
    {"bias-before-scale", "shifted, then scaled"},
    {"division-by-zero", "a row without variance gives NaN"},
    {"future-keys", "keys after the query are seen; the last row is right"},
    {"scale-missing", "no 1 / sqrt(N)"},
    {"softmax-without-max", "exponentials overflow to NaN where scores are large"},
    {"softmax-axis", "a sum over the wrong dimension"},
    {"tile-border", "the end of a tile of 64 keys"},
    {"cat-order", "[c; x0] instead of [x0; c]"},
    {"rotary-half-layout", "channel j paired with j + N/2 instead of j + 1"},
    {"rotary-sign", "turned the other way"},
    {"rotary-float32-table", "angles of far positions in float32; the error grows with the position"},
    {"rotary-base", "another base"},
    {"rotary-rescale", "positions are not divided"},
    {"relu-dropped", "no relu; negative numbers come out positive"},
    {"square-dropped", "relu without its square"},
    {"gate-dropped", "the gate is left out"},
    {"silu-is-sigmoid", "sigmoid instead of silu"},
    {"sigmoid-overflow", "exp(-x) overflows"},
    {"cancellation", "a difference of near numbers where the function is near 0"},
    {"underflow", "results towards 0 are cut off"},
    {"target-off-by-one", "another target than the row's"},
    {"id-off-by-one", "another id than the row's"},
    {"log-base", "another base than e"},
};

/// Which layers a tensor belongs to.
enum class LayerKind { any, finch_c2, finch, gold, gptalpha, llama };

/// A tensor under its name within a block (after "blocks.i."), or its whole name outside blocks.
struct KnownTensor {
  std::string_view name;
  LayerKind kind;
  std::string_view equation, words;
  std::string_view mistakes;  // flags, with blanks between
};

inline constexpr KnownTensor known_tensors[] = {
    {"embed", LayerKind::any, "MODEL.1, EMB.1",
     "the embedding of each token after ln0, where the residual stream begins", "wrong-token ln0-missing norm-eps"},
    {"ln1", LayerKind::any, "BLOCK.1, NORM.1",
     "the stream normalised for the time mix", "norm-eps unbiased-variance rms-for-layernorm rescaled-stream"},
    {"att.xr", LayerKind::any, "LORA.2 (FC2.2, F.2, GA.1)",
     "token-shifted input of the receptance (of the query in GPTAlpha)",
     "shift-not-carried group-order lerp-reversed shift-forward tanh-missing ddlerp-one-step shift-of-wrong-norm"},
    {"att.xk", LayerKind::any, "LORA.2 (FC2.2, F.2, GA.1)",
     "token-shifted input of the key", "group-order shift-not-carried lerp-reversed tanh-missing"},
    {"att.xv", LayerKind::any, "LORA.2 (FC2.2, F.2, GA.1)",
     "token-shifted input of the value", "group-order shift-not-carried lerp-reversed tanh-missing"},
    {"att.xw", LayerKind::any, "LORA.2 (FC2.2, F.2, GA.1)",
     "token-shifted input of the decay", "group-order shift-not-carried lerp-reversed tanh-missing"},
    {"att.xv2", LayerKind::finch_c2, "FC2.2", "token-shifted input of the second value", "group-order shift-not-carried lerp-reversed tanh-missing"},
    {"att.xg", LayerKind::finch, "F.2", "token-shifted input of the gate", "group-order shift-not-carried lerp-reversed tanh-missing"},
    {"att.xq", LayerKind::gold, "GOLD.1", "token-shifted input of the query", "shift-not-carried lerp-reversed tanh-missing shift-of-wrong-norm"},
    {"att.w", LayerKind::finch_c2, "FC2.4", "the decay before exp(-exp(w))", "decay-too-early tanh-missing lora-not-added"},
    {"att.w", LayerKind::finch, "F.5", "the decay before exp(-exp(w))", "decay-too-early tanh-missing lora-not-added"},
    {"att.r", LayerKind::finch_c2, "FC2.3", "the receptance", "weight-transposed heads-interleaved"},
    {"att.r", LayerKind::finch, "F.3", "the receptance", "weight-transposed heads-interleaved scale-of-attention"},
    {"tokencat.compressed", LayerKind::any, "TC.1",
     "the compressed keys, of the stream in front of the first GOLD layer", "compressed-after-norm wrong-layer weight-transposed"},
    {"tokencat.keys", LayerKind::any, "TC.2, NORM.3",
     "the keys decompressed from [x0; c], one for all GOLD layers", "eps-in-root concat-order x0-before-ln0 compressed-after-norm"},
    {"att.mk", LayerKind::gold, "GOLD.4",
     "what the embeddings add to the keys' shift rates", "o-not-normalised group-order tanh-missing key-shift-carried"},
    {"att.mv", LayerKind::gold, "GOLD.4", "what the embeddings add to the values' shift rates", "o-not-normalised group-order tanh-missing"},
    {"att.q", LayerKind::gold, "GOLD.2", "the query after its norm, before rotary", "norm-missing weight-transposed heads-interleaved"},
    {"att.q", LayerKind::gptalpha, "GA.2", "the query after its norm, before rotary", "norm-missing weight-transposed heads-interleaved"},
    {"att.q", LayerKind::llama, "LA.1", "the query before rotary", "weight-transposed heads-interleaved rotary-position"},
    {"att.k", LayerKind::finch_c2, "FC2.5", "the key after its factor 1 - d", "no-one-minus-w one-minus-w-cancels weight-transposed"},
    {"att.k", LayerKind::finch, "F.3", "the key", "weight-transposed no-one-minus-w"},
    {"att.k", LayerKind::gold, "GOLD.5",
     "the keys of the context after their norm, before rotary", "key-shift-carried lora-not-added norm-missing group-order o-not-normalised"},
    {"att.k", LayerKind::gptalpha, "GA.2", "the key after its norm, before rotary", "norm-missing weight-transposed"},
    {"att.k", LayerKind::llama, "LA.1", "the key before rotary", "weight-transposed heads-interleaved"},
    {"att.v", LayerKind::finch_c2, "FC2.3", "the value", "weight-transposed"},
    {"att.v", LayerKind::finch, "F.3", "the value", "weight-transposed"},
    {"att.v", LayerKind::gold, "GOLD.6",
     "the values of the context, of the embeddings alone", "value-from-stream o-not-normalised lora-not-added norm-missing"},
    {"att.v", LayerKind::gptalpha, "GA.2", "the value after its norm", "norm-missing weight-transposed"},
    {"att.v", LayerKind::llama, "LA.1", "the value", "weight-transposed"},
    {"att.wkv", LayerKind::finch_c2, "FC2.7, WKV.1",
     "the recurrence's output, before the second value is added",
     "read-after-update bonus-unwanted state-transposed decay-twice state-not-carried scale-of-attention heads-interleaved"},
    {"att.wkv", LayerKind::finch, "F.6, WKV.1",
     "the recurrence's output, with the bonus",
     "read-after-update bonus-missing state-transposed decay-twice state-not-carried scale-of-attention heads-interleaved"},
    {"att.wkv_state", LayerKind::any, "WKV.2",
     "the state after the last token, [H, key, value]", "state-transposed decay-twice state-not-carried state-low-precision"},
    {"att.v2", LayerKind::finch_c2, "FC2.6", "the second value", "value2-own-weight tanh-missing lora-not-added"},
    {"att.g", LayerKind::finch, "F.4", "the gate", "gate-not-silu weight-transposed"},
    {"att.attn", LayerKind::gold, "GOLD.7, ATT.1 - ATT.4",
     "attention's output, before its norm",
     "mask-top-left mask-missing scale-of-attention rotary-halves rotary-position softmax-low-precision heads-interleaved"},
    {"att.attn", LayerKind::gptalpha, "GA.3, ATT.1 - ATT.4",
     "attention's output, before its norm",
     "mask-top-left mask-missing rotary-halves rotary-position rotary-table-float scale-of-attention softmax-low-precision"},
    {"att.attn", LayerKind::llama, "LA.2, ATT.1 - ATT.4",
     "attention's output", "mask-top-left mask-missing rotary-halves rotary-position rotary-table-float scale-of-attention softmax-low-precision"},
    {"att.out", LayerKind::finch_c2, "FC2.8",
     "the time mix's output, after LayerNorm and projection", "v2-missing layernorm-for-groupnorm weight-transposed rescaled-stream"},
    {"att.out", LayerKind::finch, "F.7",
     "the time mix's output, after group norm, gate and projection",
     "groupnorm-eps layernorm-for-groupnorm gate-order weight-transposed rescaled-stream"},
    {"att.out", LayerKind::gold, "GOLD.8", "the time mix's output, after LayerNorm and projection", "norm-missing weight-transposed"},
    {"att.out", LayerKind::gptalpha, "GA.4", "the time mix's output, after LayerNorm and projection", "norm-missing weight-transposed"},
    {"att.out", LayerKind::llama, "LA.3", "the time mix's output, after the projection", "weight-transposed"},
    {"mid", LayerKind::any, "BLOCK.1", "the stream after the time mix", "residual-missing rescaled-stream"},
    {"ln2", LayerKind::any, "BLOCK.2, NORM.1", "the stream normalised for the channel mix", "norm-of-wrong-stream norm-eps unbiased-variance"},
    {"ffn.xk", LayerKind::any, "CM.1",
     "token-shifted input of the channel mix's key", "shift-not-carried shift-of-wrong-norm lerp-reversed shift-forward"},
    {"ffn.xr", LayerKind::any, "CM.2",
     "token-shifted input of the channel mix's receptance", "shift-not-carried shift-of-wrong-norm lerp-reversed shift-forward"},
    {"ffn.k", LayerKind::any, "CM.3", "the hidden layer, relu squared", "relu-not-squared ffn-width weight-transposed"},
    {"ffn.k", LayerKind::llama, "SG.1", "the hidden layer, silu(w1 z) w3 z", "silu-on-wrong-half ffn-width weight-transposed"},
    {"ffn.r", LayerKind::any, "CM.4", "the gate of the channel mix, after sigmoid", "sigmoid-missing weight-transposed"},
    {"ffn.out", LayerKind::any, "CM.5", "the channel mix's output", "weight-transposed rescaled-stream"},
    {"ffn.out", LayerKind::llama, "SG.2", "the channel mix's output", "weight-transposed"},
    {"out", LayerKind::any, "BLOCK.2", "the stream after the block", "residual-missing rescaled-stream"},
    {"ln_out", LayerKind::any, "MODEL.3, NORM.1", "the stream normalised for the head", "norm-eps rms-for-layernorm rescaled-stream"},
    {"logits", LayerKind::any, "MODEL.3", "the logits", "head-tied weight-transposed rescaled-stream"},
};

/// The words of a flag, or "" for one that is in neither table.
constexpr std::string_view words_of(std::string_view flag) {
  for (const KnownMistake& mistake : known_mistakes)
    if (mistake.flag == flag) return mistake.words;
  for (const KnownMistake& mistake : case_mistakes)
    if (mistake.flag == flag) return mistake.words;
  return "";
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
