// Any tokenizer from its file, by what is in the file and not by its name, and whether it goes with a model.
#pragma once

#include <memory>

#ifdef GOLDFINCH_HAVE_SENTENCEPIECE
#include "goldfinch/tokenizer/sentencepiece.hpp"
#endif

#include "goldfinch/tokenizer/bytes.hpp"
#include "goldfinch/tokenizer/world.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// "bytes", or the path of a World vocabulary or a SentencePiece model. Throws Error naming the file. A SentencePiece model is
/// known by its first byte, which says that a list of pieces begins; it is a newline, with which no vocabulary starts.
inline std::unique_ptr<Tokenizer> open_tokenizer(const std::string& path) {
  if (path == "bytes") return std::make_unique<ByteTokenizer>();
  const MappedFile file(path);
  const bool is_sentencepiece = file.size() > 0 && file.data()[0] == std::byte{'\n'};
  if (!is_sentencepiece) return std::make_unique<WorldTokenizer>(file);
#ifdef GOLDFINCH_HAVE_SENTENCEPIECE
  return std::make_unique<SentencePieceTokenizer>(file);
#else
  fail(path, ": is no World vocabulary, and this build cannot read SentencePiece models (it was made without libsentencepiece)");
#endif
}

/// Throws Error if the tokenizer has ids that a model with `vocabulary` tokens lacks. Returns a warning, or "", where the model
/// has more tokens than padding explains: it may have been trained with another tokenizer.
inline std::string check_fits(const Tokenizer& tokenizer, long vocabulary) {
  const long size = tokenizer.vocabulary_size();
  if (size > vocabulary)
    fail("the tokenizer (", tokenizer.description(), ") has ids up to ", size - 1, " and the model only ", vocabulary, " tokens");
  constexpr long padding = 256;  // vocabularies are rounded up to 64, 128 or 256 tokens, or to a power of two like World's 65536
  if (vocabulary - size < padding) return "";
  return "the model has " + std::to_string(vocabulary) + " tokens and the tokenizer (" + tokenizer.description() +
         ") ids only up to " + std::to_string(size - 1) + "; is it the model's own?";
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
