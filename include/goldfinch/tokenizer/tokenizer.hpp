// What a tokenizer is: text to token ids and back. World vocabularies (world.hpp), SentencePiece models (sentencepiece.hpp) and
// plain bytes (bytes.hpp) are behind this one interface; open.hpp makes the right one from a file.
//
// Text is bytes, usually UTF-8 and never required to be. Encoding does not lose a byte without saying so, and text never
// becomes a control token, however it is spelled: end of text is given by its id. Decoding gives bytes: one token may be part
// of a character, so text that is shown as it comes goes through stream_decoder.hpp. All members are const and may be called
// from several threads at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// The tokens of a text. Throws Error naming the byte offset where the vocabulary cannot express the text.
  virtual std::vector<int> encode(std::string_view text) const = 0;

  /// The bytes that a token adds to a text that has already begun. An id without an entry (control, unused, out of range: a
  /// model can emit any of its ids) adds nothing.
  virtual std::string decode(int token) const = 0;

  /// The same where no text may stand before it: `at_start` says whether, and becomes whether that is still so. Differs from decode only for
  /// SentencePiece models that put a space before every text, which is taken off again here.
  virtual std::string decode_next(int token, bool& at_start) const {
    std::string text = decode(token);
    at_start = at_start && text.empty();
    return text;
  }

  /// The text of a whole list: what its tokens add, one after another, from the start of a text.
  std::string decode_all(const std::vector<int>& tokens) const {
    std::string text;
    bool at_start = true;
    for (const int token : tokens) text += decode_next(token, at_start);
    return text;
  }

  /// Whether the vocabulary has this id, be it one that stands for no text (a control token).
  virtual bool has(int token) const { return token >= 0 && token < vocabulary_size(); }

  /// One more than the largest id that encode can give.
  virtual int vocabulary_size() const = 0;

  /// The token after which there is no more text, and the one that stands before every text, where the vocabulary has them.
  virtual std::optional<int> end_of_text() const { return std::nullopt; }
  virtual std::optional<int> begin_of_text() const { return std::nullopt; }

  /// For people: "RWKV World, 65529 entries".
  virtual std::string description() const = 0;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
