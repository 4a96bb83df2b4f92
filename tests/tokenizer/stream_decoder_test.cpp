#include "goldfinch/tokenizer/stream_decoder.hpp"

#include <catch2/catch.hpp>

#include "goldfinch/tokenizer/bytes.hpp"
#include "random_text.hpp"

using namespace goldfinch;
using namespace std::string_literals;

namespace {

/// Decodes to pieces given by hand; encodes nothing.
class Pieces : public Tokenizer {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  std::vector<int> encode(std::string_view) const override { return {}; }
  std::string decode(int token) const override { return pieces_.at(static_cast<std::size_t>(token)); }
  int vocabulary_size() const override { return static_cast<int>(pieces_.size()); }
  std::string description() const override { return "pieces"; }

 private:
  std::vector<std::string> pieces_;
};

/// What push gives for each piece, then what flush gives.
std::vector<std::string> stream(const std::vector<std::string>& pieces) {
  const Pieces tokenizer(pieces);
  StreamDecoder decoder(tokenizer);
  std::vector<std::string> shown;
  for (int token = 0; token < tokenizer.vocabulary_size(); ++token) shown.push_back(decoder.push(token));
  shown.push_back(decoder.flush());
  CHECK(decoder.flush().empty());
  return shown;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += part;
  return text;
}

}  // namespace

TEST_CASE("Stream: a text cut in three at any two places comes whole, and every part shown but the last is UTF-8") {
  const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z\xf0\x9f\x98\x80";
  for (std::size_t i = 0; i <= text.size(); ++i)
    for (std::size_t j = i; j <= text.size(); ++j) {
      const auto shown = stream({text.substr(0, i), text.substr(i, j - i), text.substr(j)});
      CHECK(joined(shown) == text);
      for (const auto& part : shown) CHECK(utf8_prefix(part) == part.size());
    }
}

TEST_CASE("Stream: a character comes with its last byte") {
  CHECK(stream({"\xf0", "\x9f", "\x98", "\x80"}) == std::vector<std::string>{"", "", "", "\xf0\x9f\x98\x80", ""});
}

TEST_CASE("Stream: bytes that cannot become UTF-8 are passed on at once") {
  CHECK(stream({"\xff", "a"}) == std::vector<std::string>{"\xff", "a", ""});
  CHECK(stream({"\x80", "\xc0"}) == std::vector<std::string>{"\x80", "\xc0", ""});
  CHECK(stream({"\xe2\x82", "a"}) == std::vector<std::string>{"", "\xe2\x82"s + "a", ""});
  CHECK(stream({"\xed", "\xa0"}) == std::vector<std::string>{"", "\xed\xa0", ""});
  CHECK(stream({"\xe2\x82", "\xe2\x82"}) == std::vector<std::string>{"", "\xe2\x82", "\xe2\x82"});
}

TEST_CASE("Stream: an incomplete end is given raw by flush, and tokens without text change nothing") {
  CHECK(stream({"a\xf0\x9f\x98"}) == std::vector<std::string>{"a", "\xf0\x9f\x98"});
  CHECK(stream({"\xc3", "", "\xa9"}) == std::vector<std::string>{"", "", "\xc3\xa9", ""});
  CHECK(stream({}) == std::vector<std::string>{""});
}

TEST_CASE("Stream: of random bytes none is lost, and never more than three are held back") {
  const ByteTokenizer tokenizer;
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    const std::string text = round % 2 ? random_bytes(random, 200) : random_unicode(random, 100);
    StreamDecoder decoder(tokenizer);
    std::string shown;
    bool prompt = true;
    for (std::size_t i = 0; i < text.size(); ++i) {
      shown += decoder.push(static_cast<unsigned char>(text[i]));
      prompt &= shown.size() + 3 >= i + 1;
    }
    CHECK(prompt);
    CHECK(shown + decoder.flush() == text);
  }
}
