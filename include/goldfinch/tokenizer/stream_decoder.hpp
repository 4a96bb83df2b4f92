// Text as it comes, token by token: what push and flush give, joined, are the decoded bytes, all of them and no others. Only the
// start of a character whose other bytes the next token may bring (at most 3 bytes) is held back; bytes that cannot become
// UTF-8 any more are passed on as they are.
#pragma once

#include <span>
#include <utility>

#include "goldfinch/tokenizer/tokenizer.hpp"
#include "goldfinch/core/utf8.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Whether no text stands before what follows these tokens: they are control tokens, say, or the space that is put before every text.
inline bool at_start_of_text(const Tokenizer& tokenizer, std::span<const int> tokens) {
  bool at_start = true;
  for (std::size_t i = 0; at_start && i < tokens.size(); ++i) tokenizer.decode_next(tokens[i], at_start);
  return at_start;
}

class StreamDecoder {
 public:
  /// The tokenizer must outlive the decoder. `at_start`: no text stands before what comes, not even a prompt.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool at_start = false) : tokenizer_(tokenizer), at_start_(at_start) {}

  /// The bytes that can be shown now that this token has come.
  std::string push(int token) {
    std::string text = std::exchange(held_, "") + tokenizer_.decode_next(token, at_start_);
    const std::size_t ready = text.size() - utf8_incomplete_tail(text);
    held_ = text.substr(ready);
    text.resize(ready);
    return text;
  }

  /// No more tokens: the bytes held back, which are not a whole character.
  std::string flush() { return std::exchange(held_, ""); }

 private:
  const Tokenizer& tokenizer_;
  bool at_start_;
  std::string held_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
