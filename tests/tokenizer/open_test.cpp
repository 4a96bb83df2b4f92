#include "goldfinch/tokenizer/open.hpp"

#include <catch2/catch.hpp>

#include "malformed_vocabularies.hpp"
#include "temporary_file.hpp"

using namespace goldfinch;
using Catch::Matchers::Contains;

TEST_CASE("Opening: the word bytes, and files by what is in them") {
  CHECK(open_tokenizer("bytes")->description() == "bytes");
  const TemporaryFile vocabulary("1 'a' 1\n2 'b' 1\n");
  CHECK(open_tokenizer(vocabulary.path())->description() == "RWKV World, 2 entries");
  CHECK_THROWS_WITH(open_tokenizer("/nowhere/vocabulary.txt"), Contains("/nowhere/vocabulary.txt: cannot open"));
  CHECK_THROWS_WITH(open_tokenizer("/"), Contains("is a directory"));

  const TemporaryFile pieces("\n\x0c\n\x05<unk>\x15....");  // a protocol buffer that ends too soon
#ifdef GOLDFINCH_HAVE_SENTENCEPIECE
  const std::string message = "is not a SentencePiece model";
#else
  const std::string message = "this build cannot read SentencePiece models";
#endif
  CHECK_THROWS_WITH(open_tokenizer(pieces.path()), Contains(message) && Contains(pieces.path()));
}

TEST_CASE("Opening: a malformed vocabulary is refused as one") {
  for (const auto& [name, bytes, message] : malformed_vocabularies) {
    CAPTURE(name);
    const TemporaryFile file(bytes);
    CHECK_THROWS_WITH(open_tokenizer(file.path()), Contains(std::string(message)) && Contains(file.path()));
  }
}

TEST_CASE("Fitting: more ids than the model has tokens is an error, many fewer a warning, padding neither") {
  const ByteTokenizer tokenizer;
  CHECK_THROWS_WITH(check_fits(tokenizer, 255), "the tokenizer (bytes) has ids up to 255 and the model only 255 tokens");
  CHECK(check_fits(tokenizer, 256) == "");
  CHECK(check_fits(tokenizer, 511) == "");
  CHECK_THAT(check_fits(tokenizer, 1024), Contains("the model has 1024 tokens") && Contains("only up to 255"));
}
