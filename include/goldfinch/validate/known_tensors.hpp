// What every tensor of a trace is and by which equation, in the order of the computation: data. Which mistakes begin there follows from the
// equation's label (mistakes.hpp). The equations behind the labels: docs/equations.md.
#pragma once

#include <iterator>
#include <string_view>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Which layers a tensor belongs to.
enum class LayerKind { any, finch_c2, finch, gold, gptalpha, llama };

/// A tensor under its name within a block (after "blocks.i."), or its whole name outside blocks.
struct KnownTensor {
  std::string_view name;
  LayerKind kind;
  std::string_view equation, words;
};

inline constexpr KnownTensor known_tensors[] = {
    {"embed", LayerKind::any, "MODEL.1, EMB.1", "the embedding of each token after ln0, where the residual stream begins"},
    {"ln1", LayerKind::any, "NORM.1 (BLOCK.1)", "the stream normalised for the time mix"},
    {"att.xr", LayerKind::any, "LORA.2 (FC2.2, F.2, GA.1)", "token-shifted input of the receptance (of the query in GPTAlpha)"},
    {"att.xk", LayerKind::any, "LORA.2 (FC2.2, F.2, GA.1)", "token-shifted input of the key"},
    {"att.xv", LayerKind::any, "LORA.2 (FC2.2, F.2, GA.1)", "token-shifted input of the value"},
    {"att.xw", LayerKind::any, "LORA.2 (FC2.2, F.2, GA.1)", "token-shifted input of the decay"},
    {"att.xv2", LayerKind::finch_c2, "FC2.2", "token-shifted input of the second value"},
    {"att.xg", LayerKind::finch, "F.2", "token-shifted input of the gate"},
    {"att.xq", LayerKind::gold, "GOLD.1", "token-shifted input of the query"},
    {"att.w", LayerKind::finch_c2, "FC2.4", "the decay before exp(-exp(w))"},
    {"att.w", LayerKind::finch, "F.5", "the decay before exp(-exp(w))"},
    {"att.r", LayerKind::finch_c2, "FC2.3", "the receptance"},
    {"att.r", LayerKind::finch, "F.3", "the receptance"},
    {"tokencat.compressed", LayerKind::any, "TC.1", "the compressed keys, of the stream in front of the first GOLD layer"},
    {"tokencat.keys", LayerKind::any, "TC.2, NORM.3", "the keys decompressed from [x0; c], one for all GOLD layers"},
    {"att.mk", LayerKind::gold, "GOLD.4", "what the embeddings add to the keys' shift rates"},
    {"att.mv", LayerKind::gold, "GOLD.4", "what the embeddings add to the values' shift rates"},
    {"att.q", LayerKind::gold, "GOLD.2", "the query after its norm, before rotary"},
    {"att.q", LayerKind::gptalpha, "GA.2", "the query after its norm, before rotary"},
    {"att.q", LayerKind::llama, "LA.1", "the query before rotary"},
    {"att.k", LayerKind::finch_c2, "FC2.5", "the key after its factor 1 - d"},
    {"att.k", LayerKind::finch, "F.3", "the key"},
    {"att.k", LayerKind::gold, "GOLD.5", "the keys of the context after their norm, before rotary"},
    {"att.k", LayerKind::gptalpha, "GA.2", "the key after its norm, before rotary"},
    {"att.k", LayerKind::llama, "LA.1", "the key before rotary"},
    {"att.v", LayerKind::finch_c2, "FC2.3", "the value"},
    {"att.v", LayerKind::finch, "F.3", "the value"},
    {"att.v", LayerKind::gold, "GOLD.6", "the values of the context, of the embeddings alone"},
    {"att.v", LayerKind::gptalpha, "GA.2", "the value after its norm"},
    {"att.v", LayerKind::llama, "LA.1", "the value"},
    {"att.wkv", LayerKind::finch_c2, "FC2.7, WKV.1", "the recurrence's output, before the second value is added"},
    {"att.wkv", LayerKind::finch, "F.6, WKV.1", "the recurrence's output, with the bonus"},
    {"att.wkv_state", LayerKind::any, "WKV.2", "the state after the last token, [H, key, value]"},
    {"att.v2", LayerKind::finch_c2, "FC2.6", "the second value"},
    {"att.g", LayerKind::finch, "F.4", "the gate"},
    {"att.attn", LayerKind::gold, "GOLD.7, ATT.1 - ATT.4", "attention's output, before its norm"},
    {"att.attn", LayerKind::gptalpha, "GA.3, ATT.1 - ATT.4", "attention's output, before its norm"},
    {"att.attn", LayerKind::llama, "LA.2, ATT.1 - ATT.4", "attention's output"},
    {"att.out", LayerKind::finch_c2, "FC2.8", "the time mix's output, after LayerNorm and projection"},
    {"att.out", LayerKind::finch, "F.7", "the time mix's output, after group norm, gate and projection"},
    {"att.out", LayerKind::gold, "GOLD.8", "the time mix's output, after LayerNorm and projection"},
    {"att.out", LayerKind::gptalpha, "GA.4", "the time mix's output, after LayerNorm and projection"},
    {"att.out", LayerKind::llama, "LA.3", "the time mix's output, after the projection"},
    {"mid", LayerKind::any, "BLOCK.1", "the stream after the time mix"},
    {"ln2", LayerKind::any, "NORM.1 (BLOCK.2)", "the stream normalised for the channel mix"},
    {"ffn.xk", LayerKind::any, "CM.1", "token-shifted input of the channel mix's key"},
    {"ffn.xr", LayerKind::any, "CM.2", "token-shifted input of the channel mix's receptance"},
    {"ffn.k", LayerKind::any, "CM.3", "the hidden layer, relu squared"},
    {"ffn.k", LayerKind::llama, "SG.1", "the hidden layer, silu(w1 z) w3 z"},
    {"ffn.r", LayerKind::any, "CM.4", "the gate of the channel mix, after sigmoid"},
    {"ffn.out", LayerKind::any, "CM.5", "the channel mix's output"},
    {"ffn.out", LayerKind::llama, "SG.2", "the channel mix's output"},
    {"out", LayerKind::any, "BLOCK.2", "the stream after the block"},
    {"ln_out", LayerKind::any, "NORM.1 (MODEL.3)", "the stream normalised for the head"},
    {"logits", LayerKind::any, "MODEL.3", "the logits"},
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
