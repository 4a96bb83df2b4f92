// Which model: the numbers and switches that its tensors do not all tell. The keys are those of the JSON that goldfinch writes
// into its checkpoints (checkpoint/config.hpp).
#pragma once

#include <algorithm>
#include <string>

#include "goldfinch/layers/parameters.hpp"
#include "goldfinch/math/rotary.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct Config {
  Index vocab_size = 0;                   // V
  Index n_layer = 0;                      // L
  Index n_embd = 0;                       // D
  Index head_size = 64;                   // N, a divisor of D
  std::string tmix = "x060c2";            // time mix of the lower layers: x060, x060c2, gptalpha, llama
  std::string tmix2;                      // time mix of the upper layers: those or gold; "" if all layers are alike
  std::string cmix = "x060";              // channel mix of the lower layers: x060, llama
  std::string cmix2 = "x060";             // of the upper layers; without tmix2 it means nothing
  double inv_other_layer_ratio = 3;       // r: the upper 1/r of the layers are the tmix2 ones
  double kv_cache_compression_ratio = 16; // R = int(D / ratio)
  double head_size_divisor = 8;           // the group norm's eps is 1e-5 times its square (x060)
  bool use_one_minus_w = true;            // x060c2
  bool use_v2 = true;                     // x060c2
  double rope_base = 0;                   // 0: no rotary embedding
  double rope_rescale = 1;
  Index dim_ffn = 0;                      // F of the x060 channel mix; 0: the default, 3.5 D rounded down to a multiple of 32

  /// The first layer of the upper part; n_layer if all layers are alike.
  Index split() const {
    return tmix2.empty() ? n_layer : whole(static_cast<double>(n_layer) * (inv_other_layer_ratio - 1) / inv_other_layer_ratio);
  }
  bool is_upper(Index layer) const { return layer >= split(); }
  const std::string& time_mix(Index layer) const { return is_upper(layer) ? tmix2 : tmix; }
  const std::string& channel_mix(Index layer) const { return is_upper(layer) ? cmix2 : cmix; }
  bool has_gold() const { return tmix2 == "gold" && split() < n_layer; }
  RotarySettings rotary() const { return {rope_base, rope_rescale}; }

  /// The sizes of shapes, with the released models' ranks (the tensors may say otherwise: checkpoint/config.hpp). Settings that are out of
  /// range give sizes of no meaning.
  Dimensions dimensions() const {
    Dimensions n;
    n.V = vocab_size, n.D = n_embd, n.N = head_size;
    const Index D = std::clamp<Index>(n_embd, 0, largest_dimension);
    n.F = dim_ffn > 0 ? dim_ffn : D * 7 / 2 / 32 * 32;
    n.F_swiglu = D * 4 * 2 / 3 / 32 * 32;
    n.R = whole(static_cast<double>(D) / kv_cache_compression_ratio);
    n.key_rank = n.value_rank = std::max<Index>(D / 16, 64);
    return n;
  }

  /// "GoldFinch", "Finch", …, for people.
  std::string model_name() const {
    const auto name = [](const std::string& mix) -> std::string {
      if (mix == "x060") return "Finch";
      if (mix == "x060c2") return "Finch-C2";
      if (mix == "gptalpha") return "GPTAlpha";
      return mix == "llama" ? "Llama" : "GOLD";
    };
    if (tmix2.empty()) return name(tmix);
    return tmix == "x060c2" && tmix2 == "gold" ? "GoldFinch" : name(tmix) + " + " + name(tmix2);
  }

  /// Throws if the settings describe no model. `where` begins the message.
  void validate(const std::string& where) const {
    const auto positive = [&](const char* key, double value) {
      if (!(value > 0) || !(value <= static_cast<double>(largest_dimension)))
        fail(where, ": ", key, " is ", value, ", expected a number above 0", value > 0 ? " and at most 2^40" : "");
    };
    positive("vocab_size", static_cast<double>(vocab_size));
    positive("n_layer", static_cast<double>(n_layer));
    positive("n_embd", static_cast<double>(n_embd));
    positive("head_size", static_cast<double>(head_size));
    positive("kv_cache_compression_ratio", kv_cache_compression_ratio);
    positive("head_size_divisor", head_size_divisor);
    positive("rope_rescale", rope_rescale);
    if (n_embd % head_size != 0) fail(where, ": head_size is ", head_size, ", which does not divide n_embd ", n_embd);
    if (!(inv_other_layer_ratio >= 1) || !(inv_other_layer_ratio < 1e18)) fail(where, ": inv_other_layer_ratio is ", inv_other_layer_ratio, ", expected 1 or more");
    if (dim_ffn < 0 || dim_ffn > largest_dimension) fail(where, ": dim_ffn is ", dim_ffn, ", expected 0 (the default) or more", dim_ffn > 0 ? ", at most 2^40" : "");
    if (!(rope_base == 0 || (rope_base > 1 && rope_base < 1e300))) fail(where, ": rope_base is ", rope_base, ", expected 0 (none) or a number above 1");
    if (rope_base != 0 && head_size % 2 != 0) fail(where, ": head_size is ", head_size, ", rotary embedding needs an even one");
    const auto one_of = [&](const char* key, const std::string& value, std::initializer_list<const char*> allowed) {
      std::string list;
      for (const char* a : allowed) {
        if (value == a) return;
        list += (list.empty() ? "" : ", ") + std::string(*a ? a : "\"\"");
      }
      fail(where, ": ", key, " is \"", value, "\", expected one of ", list);
    };
    one_of("tmix", tmix, {"x060", "x060c2", "gptalpha", "llama"});
    one_of("tmix2", tmix2, {"", "x060", "x060c2", "gptalpha", "llama", "gold"});
    one_of("cmix", cmix, {"x060", "llama"});
    if (!tmix2.empty()) one_of("cmix2", cmix2, {"x060", "llama"});
    if (has_gold() && dimensions().R < 1) fail(where, ": kv_cache_compression_ratio ", kv_cache_compression_ratio, " leaves no room for a compressed key at n_embd ", n_embd);
  }

  /// Throws unless the settings describe a model, and n are sizes of it: those that the settings tell, and ranks above 0.
  void require(const Dimensions& n) const {
    validate("a model's configuration");
    const Dimensions own = dimensions();
    const auto equal = [](const char* name, Index given, Index expected) {
      if (given != expected) fail("a model's dimension ", name, " is ", given, ", its configuration says ", expected);
    };
    equal("V", n.V, own.V), equal("D", n.D, own.D), equal("N", n.N, own.N);
    if (has_gold()) equal("R", n.R, own.R);
    for (const Index size : {n.F, n.F_swiglu, n.mix_rank, n.decay_rank, n.value2_rank, n.query_mix_rank, n.kv_mix_rank, n.key_rank, n.value_rank})
      if (size < 0 || size > largest_dimension) fail("a width or a rank of a model is ", size, ", expected 0 to ", largest_dimension);
  }

 private:
  /// x without its fraction, as far as an Index goes.
  static Index whole(double x) { return x > -0x1p62 && x < 0x1p62 ? static_cast<Index>(x) : 0; }
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
