// Bytes as tokens: id = byte, for models with V = 256. No entry stands for anything but a byte, so there is no end of text.
#pragma once

#include "goldfinch/tokenizer/tokenizer.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class ByteTokenizer : public Tokenizer {
 public:
  std::vector<int> encode(std::string_view text) const override {
    std::vector<int> tokens;
    tokens.reserve(text.size());
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
  }

  std::string decode(int token) const override {
    return token >= 0 && token < 256 ? std::string(1, static_cast<char>(token)) : std::string();
  }

  int vocabulary_size() const override { return 256; }
  std::string description() const override { return "bytes"; }
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
