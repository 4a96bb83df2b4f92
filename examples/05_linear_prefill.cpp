// Linear pre-fill: a prompt needs the lower layers on every token, and the G GOLD layers only on its end. A GOLD block looks back
// one row in its time mix and one in its channel mix, so what follows the last token hangs on the last 2 G + 1 rows of the
// residual stream in front of the GOLD layers (and on the key cache, which the lower layers alone have filled).
//
// First Model::prefill against the full pass, then the claim itself: GOLD layers that wake up n rows before the end.
// Usage: 05_linear_prefill [CHECKPOINT of a model with GOLD layers]
#include <cstdio>
#include <cstring>

#include "goldfinch/checkpoint/load.hpp"

namespace gf = goldfinch;
using Rows = gf::Matrix<double>;

int main(int argc, char** argv) try {
  const char* const path = argc > 1 ? argv[1] : GOLDFINCH_REFERENCE_DIR "/models/goldfinch.safetensors";
  const auto model = gf::load_model<double>(gf::open_checkpoint(path));
  const gf::Index L = model.config().n_layer, split = model.config().split(), G = L - split, T = 2 * G + 36;
  std::vector<int> prompt(T);
  for (gf::Index t = 0; t < T; ++t) prompt[t] = int((7 * t * t + 3) % model.vocabulary_size());
  const std::span<const int> tokens = prompt;
  const std::vector<int> next = {1};
  const auto same = [](const Rows& a, const Rows& b) {
    return std::memcmp(a.data(), b.data(), sizeof(double) * b.size()) == 0 ? "the same bits" : "OTHER BITS";
  };

  auto full_state = model.initial_state();
  const Rows full = model.forward(tokens, full_state).bottomRows(1);
  const Rows full_next = model.forward(next, full_state);
  std::printf("%s, %td layers, G = %td of them GOLD; a prompt of %td tokens\n", model.config().model_name().c_str(), L, G, T);
  for (const gf::Index chunk : {gf::Index{7}, T}) {
    auto state = model.initial_state();
    const Rows logits = model.prefill(tokens, state, chunk);
    std::printf("pre-fill in chunks of %2td: logits %s, ", chunk, same(logits, full));
    std::printf("and after one more token %s\n", same(model.forward(next, state), full_next));
  }

  std::printf("rows that pre-fill takes through blocks 0 to %td: %td\n", split - 1, T);
  for (gf::Index i = split; i < L; ++i)
    std::printf("rows that pre-fill takes through block %td: %td in its time mix, %td in its channel mix\n", i, 2 * (L - i),
                2 * (L - i) - 1);

  for (gf::Index n = 1; n <= 2 * G + 2; ++n) {
    auto state = model.initial_state();
    model.forward(tokens.first(T - n), state);
    const auto fresh = model.initial_state();
    for (gf::Index i = split; i < L; ++i) state.blocks[i] = fresh.blocks[i];
    const Rows logits = model.forward(tokens.last(n), state).bottomRows(1);
    double off = 0;
    for (gf::Index i = 0; i < logits.cols(); ++i) off = std::max(off, std::abs(logits(0, i) - full(0, i)));
    std::printf("GOLD layers that see the last %td rows: logits off by %.2g\n", n, off);
  }
} catch (const gf::Error& error) {
  std::fprintf(stderr, "05_linear_prefill: %s\n", error.what());
  return 2;
}
