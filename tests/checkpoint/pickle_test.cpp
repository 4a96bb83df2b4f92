#include "goldfinch/checkpoint/pickle.hpp"

#include <catch2/catch.hpp>

#include "files.hpp"

using namespace goldfinch;

namespace {

Pickle read(const std::string& bytes) { return {{reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "test"}; }

std::int64_t number_in(const std::string& opcodes) {
  const Pickle pickle = read(files::pickle(opcodes));
  REQUIRE(pickle.root().kind == PickleValue::integer);
  return pickle.root().number;
}

}  // namespace

TEST_CASE("Integers are read in every form, with their sign") {
  using namespace files;
  CHECK(number_in("K\xff") == 255);
  CHECK(number_in("M\xff\xff") == 65535);
  CHECK(number_in("J" + u32(0xffffffff)) == -1);
  CHECK(number_in("J" + u32(0x7fffffff)) == 0x7fffffff);
  CHECK(number_in(std::string("\x8a\x00", 2)) == 0);
  CHECK(number_in("\x8a\x01\xff") == -1);
  CHECK(number_in(std::string("\x8a\x02\xff\x00", 4)) == 255);
  CHECK(number_in("\x8a\x05" + u32(0) + "\x02") == 0x200000000);
  CHECK(number_in("\x8a\x08" + u64(1ull << 63)) == INT64_MIN);
  CHECK(number_in("\x8a\x08" + u64(INT64_MAX)) == INT64_MAX);
}

TEST_CASE("Strings, tuples, lists and dicts are built in every form") {
  using namespace files;
  const std::string bytes = "\x80\x04\x95" + u64(60) + "}(" + text("a") + "K\1\x85" + text("b") + "K\1K\2\x86" + "\x8c\1c" +
                            "K\1K\2K\3\x87" + "\x8d" + u64(1) + "d" + ")u" + text("e") + "](K\1K\2eK\3as" + text("f") + "\x88s.";
  const Pickle pickle = read(bytes);
  REQUIRE(pickle.root().kind == PickleValue::dict);
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"a", "a tuple of 1"}, {"b", "a tuple of 2"}, {"c", "a tuple of 3"},
      {"d", "a tuple of 0"}, {"e", "a list"}, {"f", "a boolean"}};
  const auto& items = pickle.root().items;
  REQUIRE(items.size() == 2 * expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(items[2 * i]->string == expected[i].first);
    CHECK(describe(*items[2 * i + 1]) == expected[i].second);
  }
  REQUIRE(items[9]->items.size() == 3);
  CHECK(items[9]->items[2]->number == 3);
}

TEST_CASE("Memorised objects are the same objects, in every form of memo") {
  using namespace files;
  const std::string recall = "h" + std::string(1, '\0') + "j" + u32(7) + "j" + u32(1 << 30);
  const Pickle pickle = read("\x80\x04(}\x94]q\7)r" + u32(1 << 30) + recall + "t.");
  const auto& items = pickle.root().items;
  REQUIRE(items.size() == 6);
  CHECK(items[0]->kind == PickleValue::dict);
  CHECK(items[0] == items[3]);
  CHECK(items[1] == items[4]);
  CHECK(items[2] == items[5]);
}

TEST_CASE("Tensors, parameters and state_dicts are told by the calls that make them, in protocols 2 and 4") {
  using namespace files;
  const std::string parameter = global("torch._utils", "_rebuild_parameter") + "(" + good_tensor() + "\x88" + ordered_dict + "tR";
  const std::string metadata = "}" + text("_metadata") + ordered_dict + "(" + text("") + "}us";
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string stacked = std::string("\x8c\x0c") + "torch._utils" + "\x8c\x12" + "_rebuild_tensor_v2" + "\x93";
  const std::string modern = stacked + good_tensor().substr(rebuild.size());
  const std::string tensors = text("t") + good_tensor() + text("p") + parameter + text("m") + modern;
  const Pickle pickle = read(files::pickle(ordered_dict + "(" + tensors + "u" + metadata + "b"));
  const auto& items = pickle.root().items;
  REQUIRE(items.size() == 6);
  for (const int i : {1, 3, 5}) {
    REQUIRE(items[i]->kind == PickleValue::tensor);
    REQUIRE(items[i]->items.size() == 6);
    const PickleValue& storage = *items[i]->items[0];
    REQUIRE(storage.kind == PickleValue::storage);
    CHECK(storage.items[1]->string == "torch.FloatStorage");
    CHECK(storage.items[4]->number == 8);
    CHECK(items[i]->items[1]->number == 1);
  }
}

TEST_CASE("A message names the byte that it is about") {
  CHECK_THROWS_WITH(read(files::pickle("NN\x81")), "test has the opcode NEWOBJ, which no dictionary of tensors needs (byte 4)");
}
