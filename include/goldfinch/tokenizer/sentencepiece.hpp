// SentencePiece models, through libsentencepiece; only for builds that have it (GOLDFINCH_HAVE_SENTENCEPIECE, set by the build).
//
// Encoding is the library's own, so what the model's normalisation changes stays changed, and where the model has no byte
// pieces a character that it does not know becomes <unk>. Two things that the library loses are kept, as byte pieces: bytes
// that are not UTF-8 (it would read U+FFFD) and a U+2581 in the text (it would read a space, which U+2581 stands for in
// pieces). A model without byte pieces has no way to keep the first, which is an error, and reads the second as a space.
//
// With add_dummy_prefix the library puts a space before every text: encode keeps it, decode(token) gives it, decode_all takes
// it off as the library's Decode does. decode_all differs from Decode only where bytes are not UTF-8: it gives the bytes; and where
// a denormaliser of the model knows a string that goes over the border of two tokens: it is applied to each token's text alone.
#pragma once

#ifndef GOLDFINCH_HAVE_SENTENCEPIECE
#error "goldfinch: this header needs libsentencepiece; define GOLDFINCH_HAVE_SENTENCEPIECE where it is there and linked"
#endif

#include <sentencepiece_processor.h>

#include <algorithm>
#include <array>

#include "goldfinch/core/platform.hpp"
#include "goldfinch/tokenizer/sentencepiece_file.hpp"
#include "goldfinch/tokenizer/tokenizer.hpp"
#include "goldfinch/core/utf8.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class SentencePieceTokenizer : public Tokenizer {
 public:
  /// Throws Error naming the file if it is not a model that the library loads.
  explicit SentencePieceTokenizer(const std::string& path) : SentencePieceTokenizer(MappedFile(path)) {}
  explicit SentencePieceTokenizer(const MappedFile& file) : path_(file.path()) {
    const std::string& path = path_;
    const std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
    if (bytes.size() >> 30 != 0) fail(path, ": has ", bytes.size(), " bytes, expected a SentencePiece model of less than 1 GB");
    try {
      settings_ = check_sentencepiece_file(bytes);
    } catch (const Error& error) {
      fail(path, ": is not a SentencePiece model: ", error.what());
    }
    const auto status = processor_.LoadFromSerializedProto(bytes);
    if (!status.ok()) fail(path, ": is not a SentencePiece model: ", one_line(status.message()));
    make_tables();
  }

  std::vector<int> encode(std::string_view text) const override {
    const std::size_t valid = utf8_prefix(text);
    if (valid < text.size() && !has_bytes_)
      fail(path_, ": the model has no byte pieces and the text is not UTF-8 at byte offset ", valid);
    if (has_bytes_ && (valid < text.size() || text.find(space_mark) != text.npos)) return encode_around(text);
    std::vector<int> tokens;
    require(processor_.Encode(text, &tokens));
    return tokens;
  }

  std::string decode(int token) const override { return has(token) ? denormalised(text_of(token)) : std::string(); }

  std::string decode_next(int token, bool& at_start) const override {
    if (!at_start || !has(token)) return decode(token);
    const bool trims = settings_.add_dummy_prefix || settings_.remove_extra_whitespaces;
    const bool space = trims && !text_of(token).empty() && processor_.IdToPiece(token).starts_with(space_mark);
    const std::string text = text_of(token).substr(space ? 1 : 0);
    at_start = text.empty() && !(space && !settings_.remove_extra_whitespaces);
    return denormalised(text);
  }

  int vocabulary_size() const override { return processor_.GetPieceSize(); }
  std::optional<int> end_of_text() const override { return present(processor_.eos_id()); }
  std::optional<int> begin_of_text() const override { return present(processor_.bos_id()); }
  std::string description() const override { return "SentencePiece, " + std::to_string(vocabulary_size()) + " pieces"; }

 private:
  static constexpr std::string_view space_mark = "\xe2\x96\x81";  // U+2581, a space in a piece

  void make_tables() {
    const int size = vocabulary_size();
    for (int token = 0; token < size; ++token) {
      std::string text = processor_.IsControl(token) ? std::string() : processor_.IdToPiece(token);
      if (processor_.IsUnknown(token)) text = processor_.DecodeIds(std::vector<int>{token});  // as the model spells it
      text_of_.push_back(with_spaces(text));
    }
    has_bytes_ = true;
    for (int byte = 0; byte < 256; ++byte) {
      const char* const digits = "0123456789ABCDEF";
      const int token = processor_.PieceToId(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">");
      if (!processor_.IsByte(token)) {
        has_bytes_ = false;
        continue;
      }
      byte_piece_[static_cast<std::size_t>(byte)] = token;
      text_of_[static_cast<std::size_t>(token)] = std::string(1, static_cast<char>(byte));
    }
  }

  static std::string with_spaces(std::string_view piece) {
    std::string text;
    for (std::size_t at; (at = piece.find(space_mark)) != piece.npos; piece.remove_prefix(at + space_mark.size())) text.append(piece, 0, at) += ' ';
    return text.append(piece);
  }

  /// The library's pieces, save that a piece over bytes to be kept becomes the byte pieces of all the bytes that it is over.
  std::vector<int> encode_around(std::string_view text) const {
    using Offset = std::ptrdiff_t;
    std::vector<bool> keep(text.size() + 1);  // one more, because a piece of no bytes may stand at the end
    for (std::size_t i = 0; i < text.size();) {
      const int n = utf8_character(text.substr(i));
      const std::size_t length = n > 0 ? static_cast<std::size_t>(n) : 1;
      if (n <= 0 || text.substr(i, length) == space_mark) std::fill_n(keep.begin() + static_cast<Offset>(i), length, true);
      i += length;
    }

    std::vector<int> tokens;
    sentencepiece::ImmutableSentencePieceText encoded;
    require(processor_.Encode(text, encoded.mutable_proto()));  // as EncodeAsImmutableProto does, which tells nobody whether it could
    for (const auto& piece : encoded.pieces()) {
      const Offset begin = piece.begin(), end = piece.end();
      const int token = static_cast<int>(piece.id());
      if (begin == end) {  // the space before the text, or the first byte pieces of a character, whose last is over all of it
        const bool kept_below = processor_.IsByte(token) && *(keep.begin() + begin);
        if (!kept_below) tokens.push_back(token);
      } else if (std::find(keep.begin() + begin, keep.begin() + end, true) != keep.begin() + end) {
        for (Offset i = begin; i < end; ++i) tokens.push_back(byte_piece(text[static_cast<std::size_t>(i)]));
      } else {
        tokens.push_back(token);
      }
    }
    return tokens;
  }

  const std::string& text_of(int token) const { return text_of_[static_cast<std::size_t>(token)]; }
  std::string denormalised(const std::string& text) const {
    return settings_.denormalizer.empty() ? text : sentencepiece_file::apply_character_map(settings_.denormalizer, text);
  }

  int byte_piece(char c) const { return byte_piece_[static_cast<unsigned char>(c)]; }

  void require(const sentencepiece::util::Status& status) const {
    if (!status.ok()) fail(path_, ": cannot encode the text: ", one_line(status.message()));
  }

  static std::string one_line(std::string message) {
    std::replace(message.begin(), message.end(), '\n', ' ');
    return message;
  }

  static std::optional<int> present(int token) { return token < 0 ? std::nullopt : std::optional<int>(token); }

  std::string path_;
  sentencepiece::SentencePieceProcessor processor_;
  SentencePieceSettings settings_;
  std::vector<std::string> text_of_;       // by id, before the denormaliser
  std::array<int, 256> byte_piece_{};      // <0x00> to <0xFF>
  bool has_bytes_ = false;                 // all 256 of them
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
