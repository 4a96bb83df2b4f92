// Text from a model: load it and its tokenizer, take in a prompt, draw token after token. A copy of the state is a fork: here one
// prompt, read once, goes on in three ways.
// Usage: 08_generate_text [MODEL TOKENIZER PROMPT]
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/generate/sampler.hpp"
#include "goldfinch/tokenizer/open.hpp"
#include "goldfinch/tokenizer/stream_decoder.hpp"

namespace gf = goldfinch;
using Model = gf::Model<float>;

/// Writes `count` tokens that follow the last row of `logits`, which belongs to `state`.
void write_on(const Model& model, const gf::Tokenizer& tokenizer, Model::State state, gf::Matrix<float> logits, gf::SamplerSettings settings, int count) {
  gf::Sampler sampler(settings);
  gf::StreamDecoder decoder(tokenizer);  // a character may take several tokens
  for (int i = 0; i < count; ++i) {
    const int token = sampler.draw(logits.data(), logits.cols());
    if (token == tokenizer.end_of_text()) break;
    std::fputs(decoder.push(token).c_str(), stdout);
    std::fflush(stdout);
    logits = model.forward({{std::span(&token, 1), &state}});  // [1, V]
  }
  std::printf("%s\n", decoder.flush().c_str());
}

int main(int argc, char** argv) try {
  const bool given = argc > 3;
  const auto model = gf::load_model<float>(gf::open_checkpoint(given ? argv[1] : GOLDFINCH_DEMO_DIR "/goldfinch-demo.safetensors"));
  const auto tokenizer = gf::open_tokenizer(given ? argv[2] : GOLDFINCH_DEMO_DIR "/goldfinch-demo.model");
  gf::check_fits(*tokenizer, model.vocabulary_size());
  const std::string prompt = given ? argv[3] : "In the beginning";

  auto state = model.initial_state();
  const std::vector<int> tokens = tokenizer->encode(prompt);
  const gf::Matrix<float> logits = model.prefill({{tokens, &state}});  // [1, V]: what may follow the last token

  gf::SamplerSettings settings;
  settings.temperature = 0;  // always the likeliest
  std::printf("%s", prompt.c_str());
  write_on(model, *tokenizer, state, logits, settings, 30);
  settings.temperature = 0.7, settings.top_p = 0.9;
  for (settings.seed = 1; settings.seed <= 2; ++settings.seed) {
    std::printf("%s", prompt.c_str());
    write_on(model, *tokenizer, state, logits, settings, 30);
  }
} catch (const gf::Error& error) {  // everything that goldfinch refuses: a file, a tensor, a token, a setting
  std::fprintf(stderr, "08_generate_text: %s\n", error.what());
  return 2;
}
