#include "goldfinch/tokenizer/world.hpp"

#include <catch2/catch.hpp>

#include <map>

#include "malformed_vocabularies.hpp"
#include "random_text.hpp"
#include "temporary_file.hpp"

using namespace goldfinch;
using Catch::Matchers::Contains;
using namespace std::string_literals;

namespace {

/// Every form and every escape that a literal may have.
const std::string small_vocabulary =
    "1 '\\x00' 1\n"
    "2 '\\t' 1\n"
    "3 '\\n' 1\n"
    "4 '\\r' 1\n"
    "5 ' ' 1\n"
    "6 '  ' 2\n"
    "7 \"'\" 1\n"
    "8 '\"' 1\n"
    "9 '\\\\' 1\n"
    "10 '\\'\"' 2\n"
    "11 \"\\\"'\" 2\n"
    "12 '\\x7f' 1\n"
    "13 '\\xe9' 2\n"
    "14 '\\u200b' 3\n"
    "15 '\\U0001F600' 4\n"
    "16 '\xe2\x82\xac' 3\n"
    "17 b'\\xe2' 1\n"
    "18 b\"'\\xff\" 2\n"
    "19 b'a b\\\\\\t\\n\\r\\'\\\"' 9\n"
    "20 'a' 1\n"
    "21 'b' 1\n"
    "22 'ab' 2\n"
    "23 'abcd' 4\n"
    "24 'c' 1\n"
    "30 '1 ' 2\n";

const std::map<int, std::string> small_entries = {
    {1, "\0"s}, {2, "\t"}, {3, "\n"}, {4, "\r"}, {5, " "}, {6, "  "}, {7, "'"}, {8, "\""}, {9, "\\"}, {10, "'\""}, {11, "\"'"},
    {12, "\x7f"}, {13, "\xc3\xa9"}, {14, "\xe2\x80\x8b"}, {15, "\xf0\x9f\x98\x80"}, {16, "\xe2\x82\xac"}, {17, "\xe2"},
    {18, "'\xff"}, {19, "a b\\\t\n\r'\""}, {20, "a"}, {21, "b"}, {22, "ab"}, {23, "abcd"}, {24, "c"}, {30, "1 "}};

/// The definition: at each place the longest entry that the text goes on with.
std::vector<int> brute_force(const std::map<int, std::string>& entries, std::string_view text) {
  std::vector<int> tokens;
  while (!text.empty()) {
    int best = 0;
    std::size_t length = 0;
    for (const auto& [token, bytes] : entries)
      if (bytes.size() > length && text.starts_with(bytes)) best = token, length = bytes.size();
    REQUIRE(length > 0);
    tokens.push_back(best);
    text.remove_prefix(length);
  }
  return tokens;
}

/// The published vocabulary, or null where it is not at hand.
std::unique_ptr<WorldTokenizer> published() {
#ifdef GOLDFINCH_SHARED
  const std::string path = GOLDFINCH_SHARED "/data/rwkv_vocab_v20230424.txt";
  if (std::filesystem::exists(path)) return std::make_unique<WorldTokenizer>(path);
#endif
  WARN("skipped: the published World vocabulary is not here");
  return nullptr;
}

}  // namespace

TEST_CASE("World: every form of literal gives its bytes") {
  const TemporaryFile file(small_vocabulary);
  const WorldTokenizer tokenizer(file.path());
  for (const auto& [token, bytes] : small_entries) {
    CAPTURE(token);
    CHECK(tokenizer.decode(token) == bytes);
    CHECK(tokenizer.encode(bytes) == std::vector<int>{token});
  }
  CHECK(tokenizer.description() == "RWKV World, 25 entries");
  CHECK(tokenizer.vocabulary_size() == 31);
}

TEST_CASE("World: 0 ends a text, and ids without an entry decode to nothing") {
  const TemporaryFile file(small_vocabulary);
  const WorldTokenizer tokenizer(file.path());
  CHECK(tokenizer.end_of_text() == 0);
  CHECK_FALSE(tokenizer.begin_of_text());
  CHECK(tokenizer.decode_all({-1, 0, 25, 29, 31, 65535, 1 << 30}) == "");
}

TEST_CASE("World: encoding takes the longest entry and goes back where a longer one does not come about") {
  const TemporaryFile file(small_vocabulary);
  const WorldTokenizer tokenizer(file.path());
  CHECK(tokenizer.encode("") == std::vector<int>{});
  CHECK(tokenizer.encode("abcd") == std::vector<int>{23});
  CHECK(tokenizer.encode("abcab") == std::vector<int>{22, 24, 22});
  CHECK(tokenizer.encode("   ") == std::vector<int>{6, 5});
}

TEST_CASE("World: a byte that the vocabulary lacks is an error that says where") {
  const TemporaryFile file(small_vocabulary);
  const WorldTokenizer tokenizer(file.path());
  CHECK_THROWS_WITH(tokenizer.encode("ab\xc3\xa9z"), Contains("no entry for byte 122 at offset 4") && Contains(file.path()));
  CHECK_THROWS_WITH(tokenizer.encode("d"), Contains("no entry for byte 100 at offset 0"));
}

TEST_CASE("World: encoding is the brute-force longest match on random texts over random vocabularies") {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    std::map<int, std::string> entries = {{1, "a"}, {2, "b"}, {3, "c"}};
    std::string lines = "1 'a' 1\n2 'b' 1\n3 'c' 1\n";
    for (int token = 4; token < 60; ++token) {
      std::string bytes;
      for (int n = 2 + below(random, 6); n > 0; --n) bytes += static_cast<char>('a' + below(random, 3));
      if (std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.second == bytes; })) continue;
      entries[token] = bytes;
      lines += std::to_string(token) + " '" + bytes + "' " + std::to_string(bytes.size()) + "\n";
    }
    const TemporaryFile file(lines);
    const WorldTokenizer tokenizer(file.path());
    for (int i = 0; i < 50; ++i) {
      std::string text;
      for (int n = below(random, 60); n > 0; --n) text += static_cast<char>('a' + below(random, 3));
      CHECK(tokenizer.encode(text) == brute_force(entries, text));
    }
  }
}

TEST_CASE("World: malformed vocabularies are refused with the file, the line and the reason") {
  for (const auto& [name, bytes, message] : malformed_vocabularies) {
    CAPTURE(name);
    const TemporaryFile file(bytes);
    CHECK_THROWS_WITH(WorldTokenizer(file.path()), Contains(std::string(message)) && Contains(file.path()) && !Contains("\n"));
  }
}

TEST_CASE("World: a vocabulary with CR LF, or without a last newline, is the vocabulary") {
  const TemporaryFile plain("1 'a' 1\n2 'b' 1\n3 '\\r' 1\n");
  const WorldTokenizer expected(plain.path());
  for (const char* text : {"1 'a' 1\r\n2 'b' 1\r\n3 '\\r' 1\r\n", "1 'a' 1\n2 'b' 1\n3 '\\r' 1", "1 'a' 1\r\n2 'b' 1\r\n3 '\\r' 1"}) {
    const TemporaryFile file(text);
    const WorldTokenizer tokenizer(file.path());
    CHECK(tokenizer.vocabulary_size() == expected.vocabulary_size());
    CHECK(tokenizer.encode("ab\r") == expected.encode("ab\r"));
  }
  const TemporaryFile twice("1 'a' 1\r\r\n");
  CHECK_THROWS_WITH(WorldTokenizer(twice.path()), Catch::Contains("line 1"));
}

TEST_CASE("World: the ids that are there are those with an entry, and 0") {
  const TemporaryFile file("1 'a' 1\n3 'b' 1\n");
  const WorldTokenizer tokenizer(file.path());
  std::vector<int> there;
  for (int id = -1; id < 6; ++id)
    if (tokenizer.has(id)) there.push_back(id);
  CHECK(there == std::vector<int>{0, 1, 3});
}

TEST_CASE("World: a vocabulary cut anywhere is refused, save around the end of a line; a damaged one is refused or read, never worse") {
  for (std::size_t size = 0; size < small_vocabulary.size(); ++size) {
    const TemporaryFile file(small_vocabulary.substr(0, size));
    if (size > 0 && (small_vocabulary[size - 1] == '\n' || small_vocabulary[size] == '\n')) CHECK_NOTHROW(WorldTokenizer(file.path()));
    else CHECK_THROWS_AS(WorldTokenizer(file.path()), Error);
  }
  std::mt19937 random(4);
  for (int round = 0; round < 1000; ++round) {
    std::string damaged = small_vocabulary;
    for (int n = 1 + below(random, 3); n > 0; --n)
      damaged[static_cast<std::size_t>(below(random, static_cast<int>(damaged.size())))] = static_cast<char>(below(random, 256));
    const TemporaryFile file(damaged);
    try {
      const WorldTokenizer tokenizer(file.path());
      for (int token = 1; token < tokenizer.vocabulary_size(); ++token)
        if (const auto text = tokenizer.decode(token); !text.empty()) CHECK(tokenizer.encode(text) == std::vector<int>{token});
    } catch (const Error&) {
    }
  }
}

TEST_CASE("World: the published vocabulary has the entries that it is known for") {
  const auto tokenizer = published();
  if (!tokenizer) return;
  CHECK(tokenizer->description() == "RWKV World, 65529 entries");
  CHECK(tokenizer->vocabulary_size() == 65530);
  CHECK(tokenizer->encode("\n") == std::vector<int>{11});
  CHECK(tokenizer->encode("Hello world!") == std::vector<int>{33155, 40213, 34});
  const auto marker = tokenizer->encode("<|endoftext|>");
  CHECK(std::find(marker.begin(), marker.end(), 0) == marker.end());
  CHECK(tokenizer->decode_all(marker) == "<|endoftext|>");
  for (int byte = 0; byte < 256; ++byte)
    CHECK(tokenizer->encode(std::string(1, static_cast<char>(byte))) == std::vector<int>{byte + 1});

  int entries = 0, not_utf8 = 0, not_themselves = 0;
  std::size_t longest = 0;
  for (int token = 1; token < tokenizer->vocabulary_size(); ++token) {
    const std::string bytes = tokenizer->decode(token);
    entries += !bytes.empty();
    not_utf8 += utf8_prefix(bytes) != bytes.size();
    not_themselves += tokenizer->encode(bytes) != std::vector<int>{token};
    longest = std::max(longest, bytes.size());
  }
  CHECK(entries == 65529);
  CHECK(not_utf8 == 486);
  CHECK(not_themselves == 0);
  CHECK(longest == 128);
}

TEST_CASE("World: random bytes, random Unicode and random entries come back from the published vocabulary") {
  const auto tokenizer = published();
  if (!tokenizer) return;
  std::map<int, std::string> entries;
  for (int token = 1; token < tokenizer->vocabulary_size(); ++token) entries[token] = tokenizer->decode(token);
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::string text = round % 3 == 0 ? random_bytes(random, 2000) : round % 3 == 1 ? random_unicode(random, 2000) : "";
    while (text.size() < 1000) text += tokenizer->decode(below(random, 65530));
    CHECK(tokenizer->decode_all(tokenizer->encode(text)) == text);
    if (round < 3) CHECK(tokenizer->encode(text.substr(0, 60)) == brute_force(entries, text.substr(0, 60)));
  }
}
