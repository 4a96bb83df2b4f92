#include "goldfinch/generate/continuation.hpp"

#include <catch2/catch.hpp>

#include "bits.hpp"
#include "goldfinch/tokenizer/bytes.hpp"

namespace gf = goldfinch;

namespace {

/// Ids are the pieces that it is given; the last may be the end of text.
class Pieces : public gf::Tokenizer {
 public:
  explicit Pieces(std::vector<std::string> pieces, bool end = false) : pieces_(std::move(pieces)), end_(end) {}
  std::vector<int> encode(std::string_view) const override { return {}; }
  std::string decode(int token) const override { return pieces_.at(static_cast<std::size_t>(token)); }
  int vocabulary_size() const override { return static_cast<int>(pieces_.size()); }
  std::optional<int> end_of_text() const override { return end_ ? std::optional<int>(vocabulary_size() - 1) : std::nullopt; }
  std::string description() const override { return "pieces"; }

 private:
  std::vector<std::string> pieces_;
  bool end_;
};

/// What comes before the first stop string, byte by byte.
std::string before_stop(const std::string& text, const std::vector<std::string>& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const auto& stop : stops)
      if (std::string_view(text).substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

}  // namespace

TEST_CASE("StopFilter: pieces of any sizes give what goes before the first stop string") {
  bits::Random random(3);
  for (int trial = 0; trial < 3000; ++trial) {
    const auto word = [&](gf::Index least, gf::Index most) {
      std::string text;
      for (gf::Index n = least + random.below(most - least + 1); n > 0; --n) text += static_cast<char>('a' + random.below(2 + trial % 2));
      return text;
    };
    const std::string text = word(0, 30);
    std::vector<std::string> stops;
    for (gf::Index n = random.below(4); n > 0; --n) stops.push_back(word(1, 6));
    gf::StopFilter filter(stops);
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = 1 + static_cast<std::size_t>(random.below(5));
      out += filter.push(text.substr(at, n));
      at += n;
      REQUIRE(text.substr(0, std::min(at, text.size())) == out + filter.held());
    }
    CAPTURE(text, stops);
    REQUIRE(out + filter.flush() == before_stop(text, stops));
    REQUIRE(filter.flush().empty());
  }
  CHECK_THROWS_WITH(gf::StopFilter({"a", ""}), "a stop string is empty");
}

TEST_CASE("Continuation: a text that is left anywhere and taken up again is the text of one that never was left") {
  // Pieces with parts of characters, of stop strings, and the end of text.
  const Pieces tokenizer({"a", "b", "ab", "\xc3", "\xa9", "c\xc3", "abc", "", "end"}, true);
  bits::Random random(4);
  for (int trial = 0; trial < 3000; ++trial) {
    std::vector<int> tokens(20);
    for (int& token : tokens) token = static_cast<int>(random.below(random.below(4) == 0 ? 9 : 8));
    const std::vector<std::vector<std::string>> all = {{}, {"abca"}, {"\xc3\xa9" "b", "bab"}, {"aba", "b\xc3\xa9", "aab"}};
    const auto& stops = all[static_cast<std::size_t>(trial) % 4];
    const bool ignore_end = trial % 3 == 0;

    gf::Continuation whole(tokenizer, stops, ignore_end, 20);
    std::string expected;
    for (std::size_t t = 0; whole.goes_on(); ++t) expected += whole.push(tokens[t]);
    expected += whole.flush();

    std::string parts, held;
    bool over = false;
    for (std::size_t t = 0; !over;) {
      const auto count = std::min<gf::Index>(random.below(8), static_cast<gf::Index>(20 - t));
      gf::Continuation part(tokenizer, stops, ignore_end, count);
      parts += part.take_up(held);
      while (part.goes_on()) parts += part.push(tokens[t++]);
      over = part.ended() || part.stopped() || t == 20;
      parts += over ? part.flush() : part.leave();
      held = part.held();
    }
    CAPTURE(trial, tokens);
    REQUIRE(parts == expected);
  }
}

TEST_CASE("Continuation: a text that stopped goes on with the stop string, for whoever does not stop there any more") {
  const Pieces tokenizer({"Fore", "cast Hab", "adok", "!"});
  gf::Continuation first(tokenizer, {"bad"}, false, 10);
  CHECK(first.push(0) == "Fore");
  CHECK(first.push(1) == "cast Ha");
  CHECK(first.push(2).empty());
  CHECK(first.stopped());
  CHECK(std::string(first.finish()) == "stop");
  CHECK(first.leave().empty());
  CHECK(first.held() == "badok");
  gf::Continuation second(tokenizer, {}, false, 10);
  CHECK(second.take_up(first.held()) == "badok");
  CHECK(second.push(3) == "!");
  gf::Continuation same(tokenizer, {"bad"}, false, 10);
  CHECK(same.take_up(first.held()).empty());
  CHECK_FALSE(same.goes_on());
  CHECK(same.held() == "badok");
}

TEST_CASE("Continuation: the end of text shows what was held back, and no stop string reaches across it") {
  const Pieces tokenizer({"a", "b", "<end>"}, true);
  gf::Continuation text(tokenizer, {"ab", "a<end>"}, false, 10);
  CHECK(text.push(0).empty());
  CHECK(text.push(2) == "a");
  CHECK(text.ended());
  CHECK_FALSE(text.goes_on());
  CHECK(text.tokens() == 1);
  gf::Continuation ignored(tokenizer, {"ab", "a<end>"}, true, 10);
  CHECK(ignored.push(0).empty());
  CHECK(ignored.push(2) == "a<end>");
  CHECK(ignored.push(1) == "b");
  CHECK(ignored.goes_on());
  CHECK(ignored.tokens() == 3);
}

TEST_CASE("Continuation: a text without tokens is over at once") {
  const gf::ByteTokenizer tokenizer;
  CHECK_FALSE(gf::Continuation(tokenizer, {}, false, 0).goes_on());
  CHECK(gf::prompt_tokens(tokenizer, "ab") == std::vector<int>{'a', 'b'});
  CHECK(gf::prompt_tokens(tokenizer, "") == std::vector<int>{0});
  const auto light = gf::light_tokens(tokenizer);
  CHECK(light['7']);
  CHECK(light[' ']);
  CHECK_FALSE(light['a']);
}
