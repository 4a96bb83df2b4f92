// What others call our tensors and how they lay them out, as mapping files (name_map.hpp tells the format): Hugging Face, flash-linear-
// attention, ggml (llama.cpp) and the authors' CUDA kernel. Weights by the names of checkpoints; intermediates by the names of modules, as
// forward hooks have them, or of llama.cpp's graph. Whatever has no rule keeps its name.
#pragma once

#include <string_view>
#include <utility>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// In half precision transformers divides output and value weights by 2^(i div 6); compare checkpoints as they are on the disk.
inline constexpr std::string_view hf_name_map = R"json([
  {"ours": "emb.*", "theirs": "rwkv.embeddings.*"},
  {"ours": "blocks.{i}.ln0.*", "theirs": "rwkv.blocks.{i}.pre_ln.*"},
  {"ours": "blocks.{i}.att.*", "theirs": "rwkv.blocks.{i}.attention.*"},
  {"ours": "blocks.{i}.ffn.*", "theirs": "rwkv.blocks.{i}.feed_forward.*"},
  {"ours": "blocks.{i}.*", "theirs": "rwkv.blocks.{i}.*"},
  {"ours": "w_kv_cache_*", "theirs": "rwkv.w_kv_cache_*"},
  {"ours": "ln_out*", "theirs": "rwkv.ln_out*"},

  {"ours": "embed", "theirs": "rwkv.blocks.0.pre_ln"},
  {"ours": "blocks.{i}.att.r", "theirs": "rwkv.blocks.{i}.attention.receptance"},
  {"ours": "blocks.{i}.att.k", "theirs": "rwkv.blocks.{i}.attention.key"},
  {"ours": "blocks.{i}.att.v", "theirs": "rwkv.blocks.{i}.attention.value"},
  {"ours": "blocks.{i}.att.out", "theirs": "rwkv.blocks.{i}.attention"},
  {"ours": "blocks.{i}.att.out", "theirs": "rwkv.blocks.{i}.attention.output"},
  {"ours": "blocks.{i}.ffn.out", "theirs": "rwkv.blocks.{i}.feed_forward"},
  {"ours": "blocks.{i}.out", "theirs": "rwkv.blocks.{i}"},
  {"ours": "logits", "theirs": "head"},
  {"ours": "*", "theirs": "*", "merge": true}
])json";

/// x_bias is [5, D] in the order r w k v g; the low-rank maps are linear layers, so [out, in]. Of the kernel by itself, o and final_state;
/// rows are [B, T, H, N].
inline constexpr std::string_view fla_name_map = R"json([
  {"ours": "emb.weight", "theirs": "model.embeddings.weight"},
  {"ours": "blocks.{i}.ln0.*", "theirs": "model.layers.{i}.pre_norm.*"},
  {"ours": "blocks.{i}.ln1.*", "theirs": "model.layers.{i}.attn_norm.*"},
  {"ours": "blocks.{i}.ln2.*", "theirs": "model.layers.{i}.ffn_norm.*"},
  {"ours": "blocks.{i}.att.time_maa_x", "theirs": "model.layers.{i}.attn.x_proj.0.mu", "rearrange": "D -> 1 1 D"},
  {"ours": "blocks.{i}.att.time_maa_r", "theirs": "model.layers.{i}.attn.x_bias", "rearrange": "g D -> 1 1 D", "take": {"g": [0]}},
  {"ours": "blocks.{i}.att.time_maa_w", "theirs": "model.layers.{i}.attn.x_bias", "rearrange": "g D -> 1 1 D", "take": {"g": [1]}},
  {"ours": "blocks.{i}.att.time_maa_k", "theirs": "model.layers.{i}.attn.x_bias", "rearrange": "g D -> 1 1 D", "take": {"g": [2]}},
  {"ours": "blocks.{i}.att.time_maa_v", "theirs": "model.layers.{i}.attn.x_bias", "rearrange": "g D -> 1 1 D", "take": {"g": [3]}},
  {"ours": "blocks.{i}.att.time_maa_g", "theirs": "model.layers.{i}.attn.x_bias", "rearrange": "g D -> 1 1 D", "take": {"g": [4]}},
  {"ours": "blocks.{i}.att.time_maa_w1", "theirs": "model.layers.{i}.attn.x_proj.0.linear.weight",
   "rearrange": "(g r) D -> D (g r)", "sizes": {"g": 5}, "take": {"g": [1, 2, 3, 0, 4]}},
  {"ours": "blocks.{i}.att.time_maa_w2", "theirs": "model.layers.{i}.attn.x_proj.2.weight",
   "rearrange": "D (g r) -> g r D", "sizes": {"g": 5}, "take": {"g": [1, 2, 3, 0, 4]}},
  {"ours": "blocks.{i}.att.time_decay", "theirs": "model.layers.{i}.attn.w_proj.linear.lora.2.bias", "rearrange": "D -> 1 1 D"},
  {"ours": "blocks.{i}.att.time_decay_w1", "theirs": "model.layers.{i}.attn.w_proj.linear.lora.0.weight", "rearrange": "q D -> D q"},
  {"ours": "blocks.{i}.att.time_decay_w2", "theirs": "model.layers.{i}.attn.w_proj.linear.lora.2.weight", "rearrange": "D q -> q D"},
  {"ours": "blocks.{i}.att.time_faaaa", "theirs": "model.layers.{i}.attn.bonus"},
  {"ours": "blocks.{i}.att.receptance.weight", "theirs": "model.layers.{i}.attn.r_proj.linear.weight"},
  {"ours": "blocks.{i}.att.key.weight", "theirs": "model.layers.{i}.attn.k_proj.linear.weight"},
  {"ours": "blocks.{i}.att.value.weight", "theirs": "model.layers.{i}.attn.v_proj.linear.weight"},
  {"ours": "blocks.{i}.att.gate.weight", "theirs": "model.layers.{i}.attn.g_proj.linear.weight"},
  {"ours": "blocks.{i}.att.output.weight", "theirs": "model.layers.{i}.attn.o_proj.weight"},
  {"ours": "blocks.{i}.att.ln_x.*", "theirs": "model.layers.{i}.attn.g_norm.*"},
  {"ours": "blocks.{i}.ffn.time_maa_k", "theirs": "model.layers.{i}.ffn.key.mu", "rearrange": "D -> 1 1 D"},
  {"ours": "blocks.{i}.ffn.time_maa_r", "theirs": "model.layers.{i}.ffn.receptance.mu", "rearrange": "D -> 1 1 D"},
  {"ours": "blocks.{i}.ffn.key.weight", "theirs": "model.layers.{i}.ffn.key.linear.weight"},
  {"ours": "blocks.{i}.ffn.receptance.weight", "theirs": "model.layers.{i}.ffn.receptance.linear.weight"},
  {"ours": "blocks.{i}.ffn.value.weight", "theirs": "model.layers.{i}.ffn.value.weight"},
  {"ours": "ln_out.*", "theirs": "model.norm.*"},
  {"ours": "head.weight", "theirs": "lm_head.weight"},

  {"ours": "embed", "theirs": "model.layers.0.pre_norm"},
  {"ours": "blocks.{i}.ln1", "theirs": "model.layers.{i}.attn_norm"},
  {"ours": "blocks.{i}.ln2", "theirs": "model.layers.{i}.ffn_norm"},
  {"ours": "blocks.{i}.att.r", "theirs": "model.layers.{i}.attn.r_proj"},
  {"ours": "blocks.{i}.att.k", "theirs": "model.layers.{i}.attn.k_proj"},
  {"ours": "blocks.{i}.att.v", "theirs": "model.layers.{i}.attn.v_proj"},
  {"ours": "blocks.{i}.att.w", "theirs": "model.layers.{i}.attn.w_proj"},
  {"ours": "blocks.{i}.att.out", "theirs": "model.layers.{i}.attn"},
  {"ours": "blocks.{i}.att.out", "theirs": "model.layers.{i}.attn.o_proj"},
  {"ours": "blocks.{i}.ffn.out", "theirs": "model.layers.{i}.ffn"},
  {"ours": "blocks.{i}.out", "theirs": "model.layers.{i}"},
  {"ours": "ln_out", "theirs": "model.norm"},
  {"ours": "logits", "theirs": "lm_head"},
  {"ours": "y", "theirs": "o", "merge": true},
  {"ours": "S_before", "theirs": "initial_state"},
  {"ours": "S_after", "theirs": "final_state"},
  {"ours": "*", "theirs": "*", "merge": true}
])json";

/// Dimensions as gguf's Python reader has them, outermost first. Converted with rescale_every_n_layers = 6: output and value weights are
/// divided by 2^(i div 6), and so is the stream.
inline constexpr std::string_view ggml_name_map = R"json([
  {"ours": "emb.weight", "theirs": "token_embd.weight"},
  {"ours": "blocks.0.ln0.*", "theirs": "token_embd_norm.*"},
  {"ours": "blocks.{i}.ln1.*", "theirs": "blk.{i}.attn_norm.*"},
  {"ours": "blocks.{i}.ln2.*", "theirs": "blk.{i}.attn_norm_2.*"},
  {"ours": "blocks.{i}.att.time_maa_w", "theirs": "blk.{i}.time_mix_lerp_fused.weight", "rearrange": "g 1 1 D -> 1 1 D", "take": {"g": [0]}},
  {"ours": "blocks.{i}.att.time_maa_k", "theirs": "blk.{i}.time_mix_lerp_fused.weight", "rearrange": "g 1 1 D -> 1 1 D", "take": {"g": [1]}},
  {"ours": "blocks.{i}.att.time_maa_v", "theirs": "blk.{i}.time_mix_lerp_fused.weight", "rearrange": "g 1 1 D -> 1 1 D", "take": {"g": [2]}},
  {"ours": "blocks.{i}.att.time_maa_r", "theirs": "blk.{i}.time_mix_lerp_fused.weight", "rearrange": "g 1 1 D -> 1 1 D", "take": {"g": [3]}},
  {"ours": "blocks.{i}.att.time_maa_g", "theirs": "blk.{i}.time_mix_lerp_fused.weight", "rearrange": "g 1 1 D -> 1 1 D", "take": {"g": [4]}},
  {"ours": "blocks.{i}.att.time_maa_w1", "theirs": "blk.{i}.time_mix_w1.weight", "rearrange": "r D -> D r"},
  {"ours": "blocks.{i}.att.time_maa_w2", "theirs": "blk.{i}.time_mix_w2.weight", "rearrange": "g D r -> g r D"},
  {"ours": "blocks.{i}.att.time_maa_*", "theirs": "blk.{i}.time_mix_lerp_*.weight", "rearrange": "D -> 1 1 D"},
  {"ours": "blocks.{i}.att.time_decay", "theirs": "blk.{i}.time_mix_decay.weight", "rearrange": "D -> 1 1 D"},
  {"ours": "blocks.{i}.att.time_decay_w1", "theirs": "blk.{i}.time_mix_decay_w1.weight", "rearrange": "q D -> D q"},
  {"ours": "blocks.{i}.att.time_decay_w2", "theirs": "blk.{i}.time_mix_decay_w2.weight", "rearrange": "D q -> q D"},
  {"ours": "blocks.{i}.att.time_faaaa", "theirs": "blk.{i}.time_mix_first.weight"},
  {"ours": "blocks.{i}.att.ln_x.*", "theirs": "blk.{i}.time_mix_ln.*"},
  {"ours": "blocks.{i}.att.output.weight", "theirs": "blk.{i}.time_mix_output.weight", "scale": 2, "every": 6},
  {"ours": "blocks.{i}.att.*", "theirs": "blk.{i}.time_mix_*"},
  {"ours": "blocks.{i}.ffn.time_maa_*", "theirs": "blk.{i}.channel_mix_lerp_*.weight", "rearrange": "D -> 1 1 D"},
  {"ours": "blocks.{i}.ffn.value.weight", "theirs": "blk.{i}.channel_mix_value.weight", "scale": 2, "every": 6},
  {"ours": "blocks.{i}.ffn.*", "theirs": "blk.{i}.channel_mix_*"},
  {"ours": "ln_out.*", "theirs": "output_norm.*"},
  {"ours": "head.weight", "theirs": "output.weight"},

  {"ours": "blocks.{i}.ln1", "theirs": "attn_norm-{i}"},
  {"ours": "blocks.{i}.mid", "theirs": "ffn_inp-{i}", "scale": 2, "every": 6},
  {"ours": "blocks.{i}.ln2", "theirs": "ffn_norm-{i}"},
  {"ours": "blocks.{i}.out", "theirs": "l_out-{i}", "scale": 2, "every": 6, "from": 1},
  {"ours": "ln_out", "theirs": "result_norm"},
  {"ours": "logits", "theirs": "result_output"},
  {"ours": "*", "theirs": "*", "merge": true}
])json";

/// Our names, with a batch axis, rows [B, T, H, N] or [B, T, D]; states [value, key]; and what its wrapper hands the kernel as the decay, ew = -exp(w).
inline constexpr std::string_view cuda_name_map = R"json([
  {"ours": "*state", "theirs": "*state", "rearrange": "h v k -> h k v"},
  {"ours": "S_*", "theirs": "S_*", "rearrange": "b h v k -> b h k v"},
  {"ours": "S_after", "theirs": "state", "rearrange": "b h v k -> b h k v"},
  {"ours": "*.w", "theirs": "*.ew", "ours_as": "-exp"},
  {"ours": "w", "theirs": "ew", "ours_as": "-exp"},
  {"ours": "*", "theirs": "*", "merge": true}
])json";

inline constexpr std::pair<std::string_view, std::string_view> built_in_name_maps[] = {
    {"hf", hf_name_map}, {"fla", fla_name_map}, {"ggml", ggml_name_map}, {"cuda", cuda_name_map}};

}  // namespace goldfinch::inline GOLDFINCH_ISA
