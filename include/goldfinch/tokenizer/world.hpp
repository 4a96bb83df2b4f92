// RWKV World vocabularies, the tokenizers of the published checkpoints. A text file, one token a line:
//
//   index literal byte_length        11 '\n' 1        129 b'\x80' 1        35 ' ' 1        (literals: python_literal.hpp)
//
// The index ends at the first space and the length starts after the last; the literal between may hold spaces. Encoding is the
// greedy longest match over bytes, left to right: no merges, no probabilities, and no special text. Lines may end in CR LF. Token 0 ends a text and is
// never in the file, so <|endoftext|> in a text is encoded like any other text. Ids may have gaps; they decode to nothing.
#pragma once

#include <algorithm>
#include <charconv>

#include "goldfinch/core/platform.hpp"
#include "goldfinch/tokenizer/byte_trie.hpp"
#include "goldfinch/tokenizer/python_literal.hpp"
#include "goldfinch/tokenizer/tokenizer.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class WorldTokenizer : public Tokenizer {
 public:
  /// Above every index of a vocabulary; the table from id to bytes has at most this many rows.
  static constexpr int index_limit = 1 << 20;

  /// Throws Error naming the file and the first line that is wrong.
  explicit WorldTokenizer(const std::string& path) : WorldTokenizer(MappedFile(path)) {}
  explicit WorldTokenizer(const MappedFile& file) : path_(file.path()) {
    const std::string& path = path_;
    std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
    if (text.empty()) fail(path, ": is empty, expected a World vocabulary");
    if (text.size() >> 30 != 0) fail(path, ": is ", text.size(), " bytes long, expected a World vocabulary of less than 1 GB");
    std::vector<std::size_t> lines;  // of each id, 0 where it has no entry
    for (std::size_t line = 1; !text.empty(); ++line) {
      const std::size_t end = std::min(text.find('\n'), text.size());  // the last newline may be missing, as editors leave it out
      try {
        std::string_view entry = text.substr(0, end);
        if (entry.ends_with('\r')) entry.remove_suffix(1);  // lines that ended in CR LF
        add_entry(entry, line, lines);
      } catch (const Error& error) {
        fail(path, ": line ", line, ": ", error.what());
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    build_trie(lines);
  }

  std::vector<int> encode(std::string_view text) const override {
    std::vector<int> tokens;
    tokens.reserve(text.size() / 3);
    for (std::size_t i = 0; i < text.size();) {
      const auto [token, length] = trie_.longest(text.substr(i));
      if (token == 0) {
        const int byte = static_cast<unsigned char>(text[i]);
        fail(path_, ": the vocabulary has no entry for byte ", byte, " at offset ", i, " of the text");
      }
      tokens.push_back(token);
      i += length;
    }
    return tokens;
  }

  std::string decode(int token) const override {
    return token >= 0 && token < vocabulary_size() ? entries_[static_cast<std::size_t>(token)] : std::string();
  }

  bool has(int token) const override { return token == 0 || !decode(token).empty(); }
  int vocabulary_size() const override { return static_cast<int>(entries_.size()); }
  std::optional<int> end_of_text() const override { return 0; }
  std::string description() const override { return "RWKV World, " + std::to_string(count_) + " entries"; }

 private:
  void add_entry(std::string_view line, std::size_t number, std::vector<std::size_t>& lines) {
    const std::size_t first = line.find(' '), last = line.rfind(' ');
    if (first == line.npos || first == last)
      fail("expected an index, a literal and a length with spaces between, as in 11 '\\n' 1");
    const auto index = number_in(line.substr(0, first));
    if (!index || *index < 1 || *index >= index_limit) fail("the index is not a number from 1 to ", index_limit - 1);
    std::string bytes = parse_python_literal(line.substr(first + 1, last - first - 1));
    if (bytes.empty()) fail("the literal is empty");
    if (number_in(line.substr(last + 1)) != static_cast<long>(bytes.size()))
      fail("the literal has ", bytes.size(), " bytes and the line ends in another number");

    const auto id = static_cast<std::size_t>(*index);
    if (id >= entries_.size()) entries_.resize(id + 1), lines.resize(id + 1);
    if (lines[id] != 0) fail("index ", id, " was already on line ", lines[id]);
    entries_[id] = std::move(bytes);
    lines[id] = number;
    ++count_;
  }

  /// Digits and nothing else, of a number that fits.
  static std::optional<long> number_in(std::string_view text) {
    long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text[0] == '-') return std::nullopt;
    return value;
  }

  void build_trie(const std::vector<std::size_t>& lines) {
    std::vector<std::pair<std::string_view, int>> keys;
    for (std::size_t id = 0; id < entries_.size(); ++id)
      if (lines[id] != 0) keys.emplace_back(entries_[id], static_cast<int>(id));
    std::sort(keys.begin(), keys.end());
    for (std::size_t i = 1; i < keys.size(); ++i) {
      if (keys[i].first != keys[i - 1].first) continue;
      const auto a = lines[static_cast<std::size_t>(keys[i - 1].second)], b = lines[static_cast<std::size_t>(keys[i].second)];
      fail(path_, ": line ", std::max(a, b), ": the same bytes as on line ", std::min(a, b));
    }
    trie_ = ByteTrie(keys);
  }

  std::string path_;
  std::vector<std::string> entries_;  // bytes by id, empty where there is no entry
  int count_ = 0;
  ByteTrie trie_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
