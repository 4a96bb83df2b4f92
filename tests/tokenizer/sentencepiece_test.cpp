#include <catch2/catch.hpp>

#ifdef GOLDFINCH_HAVE_SENTENCEPIECE

#include "goldfinch/tokenizer/sentencepiece.hpp"
#include "goldfinch/tokenizer/stream_decoder.hpp"
#include "random_text.hpp"
#include "temporary_file.hpp"

using namespace goldfinch;
using Catch::Matchers::Contains;
using namespace std::string_literals;

namespace {

/// The demo model's file: BPE, 1024 pieces, byte pieces, no dummy prefix, no normalisation. Empty where it is not at hand.
std::string demo_file() {
#if defined(GOLDFINCH_DEMO_DIR)
  const std::string path = GOLDFINCH_DEMO_DIR "/goldfinch-demo.model";
#elif defined(GOLDFINCH_SHARED)
  const std::string path = GOLDFINCH_SHARED "/demo/goldfinch-demo.model";
#else
  const std::string path;
#endif
  std::ifstream file(path, std::ios::binary);
  if (!file) WARN("skipped: the demo model is not here");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A protocol buffer's field with contents. Fields after a model's own override them, which makes any variant of a model.
std::string field(int number, const std::string& content) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  std::size_t size = content.size();
  for (; size >= 0x80; size >>= 7) out += static_cast<char>(size | 0x80);
  return out + static_cast<char>(size) + content;
}
std::string flag(int number, bool value) { return {static_cast<char>(number << 3), static_cast<char>(value)}; }
std::string normalizer(const std::string& fields) { return field(3, fields); }
const std::string dummy_prefix = normalizer(flag(3, true) + flag(4, false));
const std::string dummy_prefix_and_trimming = normalizer(flag(3, true) + flag(4, true));

/// type: 1 normal, 2 unknown, 3 control, 6 byte
std::string piece(const std::string& text, char type) {
  const std::string score = "\x15\0\0\0\0"s;
  return field(1, field(1, text) + score + "\x18"s + type);
}

/// A model of a few pieces without byte pieces, that changes nothing.
std::string small_model() {
  return piece("<unk>", 2) + piece("<s>", 3) + piece("</s>", 3) + piece("a", 1) + piece("b", 1) + piece("\xe2\x96\x81", 1) +
         piece("ab", 1) + field(2, flag(3, false) + "\x18\x02"s) + normalizer(flag(3, false) + flag(4, false));
}

/// A character map that turns A into a: units 0 (root), 'A' (leads to its value) and 'A' ^ 0x80 (the value: string 0).
std::string character_map(std::uint32_t offset, std::uint32_t value, const std::string& strings) {
  std::string map;
  const auto put = [&](std::uint32_t u) {
    for (int i = 0; i < 4; ++i) map += static_cast<char>(u >> (8 * i) & 0xff);
  };
  put(1024);
  for (std::uint32_t i = 0; i < 256; ++i) put(i == 'A' ? offset << 10 | 0x100 | 'A' : i == ('A' ^ 0x80) ? 0x80000000 | value : 0);
  return map + strings;
}

std::string decoded_one_by_one(const Tokenizer& tokenizer, const std::vector<int>& tokens) {
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (const int token : tokens) text += decoder.push(token);
  return text + decoder.flush();
}

}  // namespace

TEST_CASE("SentencePiece: the demo model has its pieces, and control pieces decode to nothing") {
  const std::string model = demo_file();
  if (model.empty()) return;
  const TemporaryFile file(model);
  const SentencePieceTokenizer tokenizer(file.path());
  CHECK(tokenizer.vocabulary_size() == 1024);
  CHECK(tokenizer.description() == "SentencePiece, 1024 pieces");
  CHECK(tokenizer.begin_of_text() == 1);
  CHECK(tokenizer.end_of_text() == 2);
  CHECK(tokenizer.decode_all({1, 2, -1, 1024, 1 << 30}) == "");
  CHECK(tokenizer.decode(3 + 0xe9) == "\xe9");
  CHECK(tokenizer.decode(261) == " the");
  const auto spelled = tokenizer.encode("<s></s><0x41><unk>");
  CHECK(*std::min_element(spelled.begin(), spelled.end()) > 2);
  CHECK(tokenizer.decode_all(spelled) == "<s></s><0x41><unk>");
}

TEST_CASE("SentencePiece: the demo model sees a newline as token 13, so a text is its lines, each by itself, with 13 between") {
  const std::string model = demo_file();
  if (model.empty()) return;
  const TemporaryFile file(model);
  const SentencePieceTokenizer tokenizer(file.path());
  const std::vector<std::string> lines = {"In the beginning", "", " God created  the heaven", "and the earth. "};
  std::string text;
  std::vector<int> tokens;
  for (const auto& line : lines) {
    for (const int token : tokenizer.encode(line)) tokens.push_back(token);
    tokens.push_back(13);
    text += line + "\n";
  }
  CHECK(tokenizer.encode(text) == tokens);
}

TEST_CASE("SentencePiece: with the demo model any bytes come back, token by token and as a list") {
  const std::string model = demo_file();
  if (model.empty()) return;
  const TemporaryFile file(model);
  const SentencePieceTokenizer tokenizer(file.path());
  const auto comes_back = [&](const std::string& text) {
    const auto tokens = tokenizer.encode(text);
    return decoded_one_by_one(tokenizer, tokens) == text && tokenizer.decode_all(tokens) == text;
  };
  for (const std::string& text :
       {""s, " "s, "  two  "s, "\n\r\t"s, "a\0b"s, "<0x0A>"s, "\xff"s, "\xe2\x82"s, "the \xff the"s, "\xff\xfe the"s, "the\xc3"s,
        "\xef\xbf\xbd"s, "\xef\xbf\xbd\xff"s, "\xe2\x96\x81"s, "\xe2\x96\x81the \xe2\x96\x81\xff"s}) {
    CAPTURE(text);
    CHECK(comes_back(text));
  }
  std::mt19937 random(6);
  bool all = true;
  for (int round = 0; round < 1000; ++round) {
    std::string text = round % 3 == 0 ? random_bytes(random, 100) : random_unicode(random, 100);
    if (round % 3 == 2) text.insert(static_cast<std::size_t>(below(random, 100)), random_bytes(random, 2));
    all &= comes_back(text);
  }
  CHECK(all);
}

TEST_CASE("SentencePiece: text is encoded as the library does, and a byte that the library would lose is one token") {
  const std::string model = demo_file();
  if (model.empty()) return;
  const TemporaryFile file(model);
  const SentencePieceTokenizer tokenizer(file.path());
  sentencepiece::SentencePieceProcessor library;
  REQUIRE(library.LoadFromSerializedProto(model).ok());
  std::mt19937 random(7);
  bool all = true;
  for (int round = 0; round < 200; ++round) {
    const std::string text = "And the LORD said " + random_unicode(random, 50);
    if (text.find("\xe2\x96\x81") == text.npos) all &= tokenizer.encode(text) == library.EncodeAsIds(text);
  }
  CHECK(all);
  std::vector<int> tokens = tokenizer.encode("the");
  tokens.push_back(3 + 0xff);
  tokens.push_back(261);
  CHECK(tokenizer.encode("the\xff the") == tokens);
}

TEST_CASE("SentencePiece: with a dummy prefix, decode_all is the library's Decode and gives the text without the first space") {
  const std::string model = demo_file();
  if (model.empty()) return;
  std::mt19937 random(8);
  for (const std::string& variant : {""s, dummy_prefix, dummy_prefix_and_trimming}) {
    const TemporaryFile file(model + variant);
    const SentencePieceTokenizer tokenizer(file.path());
    sentencepiece::SentencePieceProcessor library;
    REQUIRE(library.LoadFromSerializedProto(model + variant).ok());
    bool all = true;
    for (int round = 0; round < 2000; ++round) {
      std::vector<int> tokens;
      for (int n = below(random, 12); n > 0; --n) {
        const int byte = 3 + below(random, 128), first = below(random, 3), space = 959, any = 259 + below(random, 765);
        const int choices[] = {byte, first, space, any};
        tokens.push_back(choices[below(random, 4)]);
      }
      all &= tokenizer.decode_all(tokens) == library.DecodeIds(tokens);
    }
    CHECK(all);
  }
  const TemporaryFile file(model + dummy_prefix);
  const SentencePieceTokenizer tokenizer(file.path());
  for (const std::string& text : {"the"s, " the"s, "  the  "s, "\xff the"s, "\xe2\x96\x81the"s, ""s, " "s}) {
    CAPTURE(text);
    CHECK(tokenizer.decode_all(tokenizer.encode(text)) == text);
  }
  CHECK(tokenizer.encode("the") == std::vector<int>{261});
  const TemporaryFile trimming_file(model + dummy_prefix_and_trimming);
  const SentencePieceTokenizer trimming(trimming_file.path());
  CHECK(trimming.decode_all(trimming.encode("  \xff  the\xfe\xff \xe2\x82  ")) == "\xff the\xfe\xff \xe2\x82");
  CHECK(trimming.decode_all(trimming.encode("the \xe2\x96\x81")) == "the");  // U+2581 at the end is trimmed as a space is
  CHECK(decoded_one_by_one(tokenizer, {261}) == " the");
}

TEST_CASE("SentencePiece: without byte pieces unknown characters become unk, and bytes that are not UTF-8 an error") {
  const TemporaryFile file(small_model());
  const SentencePieceTokenizer tokenizer(file.path());
  CHECK(tokenizer.encode("ab ba") == std::vector<int>{6, 5, 4, 3});
  CHECK(tokenizer.decode_all({6, 5, 4, 3}) == "ab ba");
  CHECK(tokenizer.encode("a\xc3\xa9") == std::vector<int>{3, 0});
  CHECK(tokenizer.decode(0) == " \xe2\x81\x87 ");
  CHECK_THROWS_WITH(tokenizer.encode("a\xc3\xa9\xff"), Contains("not UTF-8 at byte offset 3") && Contains(file.path()));
}

TEST_CASE("SentencePiece: a character map is used if it stays inside itself, and refused otherwise") {
  const std::string good = character_map(0x80, 0, "a\0"s);
  {
    const TemporaryFile file(small_model() + normalizer(field(2, good)));
    CHECK(SentencePieceTokenizer(file.path()).encode("Ab") == std::vector<int>{6});
  }
  for (const std::string& map :
       {character_map(0x100, 0, "a\0"s), character_map(0x1fffff, 0, "a\0"s), character_map(0x80, 2, "a\0"s),
        character_map(0x80, 0x7fffffff, "a\0"s), character_map(0x80, 0, "a"), character_map(0x80, 0, ""), good.substr(0, 1000),
        good.substr(0, 3), "\xff\xff\xff\xff"s + good.substr(4), "\0\0\0\0a\0"s}) {
    for (const int part : {3, 5}) {  // the normalizer and the denormalizer
      const TemporaryFile file(small_model() + field(part, field(2, map)));
      CHECK_THROWS_WITH(SentencePieceTokenizer(file.path()),
                        Contains("the character map points outside itself") && Contains(file.path()));
    }
  }
}

TEST_CASE("SentencePiece: a denormaliser is applied to what is decoded, as the library does") {
  // Turns b into xyz; units 0 (root), 'b' and its value.
  std::string map = character_map(0x80, 0, "xyz\0"s);
  std::swap_ranges(map.begin() + 4 + 4 * 'A', map.begin() + 8 + 4 * 'A', map.begin() + 4 + 4 * 'b');
  std::swap_ranges(map.begin() + 4 + 4 * ('A' ^ 0x80), map.begin() + 8 + 4 * ('A' ^ 0x80), map.begin() + 4 + 4 * ('b' ^ 0x80));
  map[4 + 4 * 'b'] = 'b';
  const std::string model = small_model() + field(5, field(2, map) + flag(3, false) + flag(4, false) + flag(5, false));
  const TemporaryFile file(model);
  const SentencePieceTokenizer tokenizer(file.path());
  sentencepiece::SentencePieceProcessor library;
  REQUIRE(library.LoadFromSerializedProto(model).ok());
  for (const std::vector<int>& tokens : {std::vector<int>{4}, {3, 4, 5, 6}, {6, 6, 0}, {5, 4}}) {
    CHECK(tokenizer.decode_all(tokens) == library.DecodeIds(tokens));
    CHECK(decoded_one_by_one(tokenizer, tokens) == tokenizer.decode_all(tokens));
  }
  CHECK(tokenizer.decode(6) == "axyz");
}

TEST_CASE("SentencePiece: a text that begins with nothing comes token by token as it does whole, without the dummy space") {
  for (const std::string& spaces : {dummy_prefix, dummy_prefix_and_trimming, std::string()}) {
    const TemporaryFile file(small_model() + spaces);
    const SentencePieceTokenizer tokenizer(file.path());
    for (const std::vector<int>& tokens : {std::vector<int>{5, 3}, {1, 5, 3, 5}, {5, 5, 3}, {2, 2, 3, 5}, {5}}) {
      StreamDecoder decoder(tokenizer, true);
      std::string text;
      for (const int token : tokens) text += decoder.push(token);
      CHECK(text + decoder.flush() == tokenizer.decode_all(tokens));
    }
  }
  const TemporaryFile file(small_model() + dummy_prefix);
  const SentencePieceTokenizer tokenizer(file.path());
  CHECK(StreamDecoder(tokenizer, true).push(5) == "");
  CHECK(StreamDecoder(tokenizer).push(5) == " ");
}

TEST_CASE("SentencePiece: a piece of half a million spaces is one text") {
  std::string marks = "a";
  for (int i = 0; i < 500000; ++i) marks += "\xe2\x96\x81";
  const TemporaryFile file(small_model() + piece(marks + "b", 1) + piece("\xe2\x96\x81\xe2\x96", 1));
  const SentencePieceTokenizer tokenizer(file.path());
  CHECK(tokenizer.decode(7) == "a" + std::string(500000, ' ') + "b");
  CHECK(tokenizer.decode(8) == " \xe2\x96");
}

TEST_CASE("SentencePiece: a setting of another type than the format's is passed over, as the library does") {
  const std::string wrong = normalizer(field(3, "") + field(4, "x") + "\x1d\0\0\0\0"s) + "\x18\1"s + "\x1d" "abcd";
  const std::string map = character_map(0x80, 0, "xyz\0"s);
  const std::string model = small_model() + dummy_prefix_and_trimming + wrong;
  const SentencePieceSettings settings = check_sentencepiece_file(model + field(5, field(2, map) + "\x10\1"s));
  CHECK(settings.add_dummy_prefix);
  CHECK(settings.remove_extra_whitespaces);
  CHECK(settings.denormalizer == map);
  sentencepiece::SentencePieceProcessor library;
  REQUIRE(library.LoadFromSerializedProto(model).ok());
  const TemporaryFile file(model);
  const SentencePieceTokenizer tokenizer(file.path());
  for (const std::vector<int>& tokens : {std::vector<int>{5, 3, 5}, {5, 5, 4}, {3, 5}}) CHECK(tokenizer.decode_all(tokens) == library.DecodeIds(tokens));
}

TEST_CASE("SentencePiece: what is not a model is refused with the file and the reason") {
  const std::string model = small_model();
  for (const auto& [bytes, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "is not a SentencePiece model"},
           {"\nhello", "a field goes on after the end of the file"},
           {"hello", "a field has an unknown type"},
           {"{\"model\": {}}", "a field has an unknown type"},
           {model.substr(0, model.size() - 1), "goes on after the end of the file"},
           {model + "\x1b", "a field has an unknown type"},
           {model + "\xff\xff", "a number has no end"},
           {piece("a", 1), "unk is not defined"},
           {model + piece("a", 1), "is already defined"}}) {
    const TemporaryFile file(bytes);
    CHECK_THROWS_WITH(SentencePieceTokenizer(file.path()),
                      Contains("is not a SentencePiece model") && Contains(message) && Contains(file.path()) && !Contains("\n"));
  }
  CHECK_THROWS_WITH(SentencePieceTokenizer("/nowhere/x.model"), Contains("/nowhere/x.model: cannot open"));
  CHECK_THROWS_WITH(SentencePieceTokenizer("/"), Contains("is a directory"));
}

TEST_CASE("SentencePiece: a damaged model is refused or works, never worse") {
  const std::string model = small_model() + normalizer(field(2, character_map(0x80, 0, "a\0"s)));
  std::mt19937 random(9);
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = model;
    for (int n = 1 + below(random, 4); n > 0; --n)
      damaged[static_cast<std::size_t>(below(random, static_cast<int>(damaged.size())))] = static_cast<char>(below(random, 256));
    const TemporaryFile file(damaged);
    try {
      const SentencePieceTokenizer tokenizer(file.path());
      tokenizer.encode("ab AB\xe2\x96\x81 \xc3\xa9");
      tokenizer.encode(random_unicode(random, 20));
    } catch (const Error&) {
    }
  }
}

#endif
