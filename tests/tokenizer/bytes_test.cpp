#include "goldfinch/tokenizer/bytes.hpp"

#include <catch2/catch.hpp>

#include "random_text.hpp"

using namespace goldfinch;

TEST_CASE("Bytes: a token is a byte, and ids that are none decode to nothing") {
  const ByteTokenizer tokenizer;
  CHECK(tokenizer.encode(std::string_view("a\0\xff", 3)) == std::vector<int>{97, 0, 255});
  CHECK(tokenizer.decode(-1) + tokenizer.decode(256) == "");
  CHECK(tokenizer.vocabulary_size() == 256);
  CHECK_FALSE(tokenizer.end_of_text());
  CHECK_FALSE(tokenizer.begin_of_text());
  std::mt19937 random(1);
  const std::string text = random_bytes(random, 10000);
  CHECK(tokenizer.decode_all(tokenizer.encode(text)) == text);
}
