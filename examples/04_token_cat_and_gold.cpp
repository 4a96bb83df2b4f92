// TokenCat and GOLD: the key cache that all GOLD layers share, its bytes against those of Llama's, and attention rebuilt from it.
//
//   TC.1   c = w_kv_cache_a x            kept, with the token's id: 1 + R entries a token for all layers
//   TC.2   K = rms_norm(w_kv_cache_b [x0; c])         GOLD.3 to GOLD.6: every layer's k from K, its v from the embeddings alone
#include <cstdio>
#include <cstring>

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/core/random.hpp"

namespace gf = goldfinch;
using Rows = gf::Matrix<double>;

/// Fills one parameter with random numbers, for a layer's parameters().
const auto random_fill = [](const std::string& name, auto& member, const gf::Shape& shape, gf::Role role) {
  Rows numbers(1, gf::element_count(shape));
  gf::RandomStream(1, name).normals(0, numbers.size(), numbers.data());
  gf::Fill<double>(shape, {numbers.data(), std::size_t(numbers.size())})(member, role);
};

int main() {
  gf::Dimensions n;
  n.V = 100, n.D = 64, n.N = 16, n.R = n.D / 16;
  gf::Embedding<double> embedding;
  gf::TokenCat<double> token_cat;
  gf::GoldAttention<double> gold(n, gf::RotarySettings{});
  gf::LlamaAttention<double> llama(n, gf::RotarySettings{});
  const auto fill = [&](auto&... layer) { (layer.parameters(n, random_fill), ...); };
  fill(embedding, token_cat, gold, llama);

  const int ids[] = {7, 23, 23, 99, 0, 7};
  const gf::Index tokens = 6;
  const Rows x = embedding.rows(ids, tokens);  // stands for the residual stream in front of the first GOLD layer, EMB.1
  const Rows c = token_cat.compress(x);               // TC.1
  std::printf("token %d: c = %.5g %.5g %.5g %.5g\n", ids[0], c(0, 0), c(0, 1), c(0, 2), c(0, 3));

  // All tokens in one call, then one token a call: the cache grows, and keys and values are rebuilt from it every time.
  gf::KeyCache<double> cache(n.V, n.R, gf::KeyFormat::native), cache2 = cache;
  for (gf::Index t = 0; t < tokens; ++t) cache.append(ids[t], c.row(t).data());
  auto state = gold.initial_state(n), state2 = gold.initial_state(n);
  const Rows all = gold.forward(x, {{0, tokens, &state}}, {embedding, token_cat, {&cache}, 0, {}});
  bool equal = true;
  for (gf::Index t = 0; t < tokens; ++t) {
    cache2.append(ids[t], c.row(t).data());
    const Rows one = gold.forward(x.row(t), {{0, 1, &state2}}, {embedding, token_cat, {&cache2}, 0, {}});
    equal = equal && std::memcmp(one.data(), all.row(t).data(), sizeof(double) * n.D) == 0;
  }
  std::printf("GOLD.8, last token: out = %.5g %.5g %.5g …\n", all(tokens - 1, 0), all(tokens - 1, 1), all(tokens - 1, 2));
  std::printf("token by token over the growing cache: %s\n", equal ? "the same bits" : "OTHER BITS");

  auto llama_state = llama.initial_state(n);
  llama.forward(x, {{0, tokens, &llama_state}}, {});
  std::printf("cache of %td tokens at D = 64: %zu bytes for all GOLD layers, %zu in every layer of Llama\n", tokens, cache.bytes(),
              llama_state.stored.k.bytes() + llama_state.stored.v.bytes());
  for (const auto format : {gf::KeyFormat::native, gf::KeyFormat::bf16, gf::KeyFormat::int8, gf::KeyFormat::int4})
    std::printf("  as %s: %zu bytes a token with its id\n", name_of(format), gf::KeyCache<double>(n.V, n.R, format).bytes_per_token());
  for (const auto& [L, D] : {std::pair{24, 1024}, {24, 2048}, {80, 4096}})
    std::printf("entries a token at L = %d, D = %d: 1 + D/16 = %d against 2 D L = %d, %.2f times as many\n", L, D, 1 + D / 16,
                2 * D * L, 2.0 * D * L / (1 + D / 16));
}
