// SentencePiece models; texts are encoded and decoded with what was read. The last 64 bytes are one of the texts.
#include "goldfinch/tokenizer/sentencepiece.hpp"
#include "reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::size_t tail = std::min<std::size_t>(size, 64);
  return fuzz::run([&] {
    const auto bytes = fuzz::file(data, size - tail);
    const goldfinch::SentencePieceTokenizer tokenizer(*bytes);
    for (const std::string_view text : {std::string_view("Hello  world \xe2\x96\x81 \xc3\xa9\xff"), fuzz::text(data + size - tail, tail)})
      fuzz::run([&] { (void)tokenizer.decode_all(tokenizer.encode(text)); });
    for (int token = -1; token <= tokenizer.vocabulary_size(); ++token) (void)tokenizer.decode(token);
  });
}
