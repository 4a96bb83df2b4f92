// Streams of every kind of block, and what happens to all of their damages.
#include "goldfinch/checkpoint/inflate.hpp"

#include <catch2/catch.hpp>

#include <string_view>

#include "bits.hpp"

namespace gf = goldfinch;
using Catch::Contains;

namespace {

std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::string inflated(const std::vector<std::byte>& stream, std::uint64_t size) {
  const auto bytes = gf::inflate("entry 'x'", stream, size);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

const std::string sentence = "the state is read before it is written, the state is written after it is read";
constexpr const char* fixed =
    "2bc94855282e492c4955c82c56284a4d4c51484a4dcb2f02724b4022e545992525a9793a0a25c8eaa0a20a896925a945509520bd00";
constexpr const char* stored =
    "014d00b2ff7468652073746174652069732072656164206265666f7265206974206973207772697474656e2c2074686520737461746520"
    "6973207772697474656e2061667465722069742069732072656164";
constexpr const char* dynamic =
    "d5cec90d00310843d1567e6bac09a2fffb38658ce41bf613647187382f6dc4e04b27ee44d03a3571b94e1ae5cce53467b0609c4d7271d5"
    "8c91709ee68549d04a826afd2881d9ac84c024c48bb492f08f1f3e";

/// What `dynamic` gives.
std::string letters() {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i % 3 ? i * i * 31 / 8 % 11 + 97 : 32);
  return text;
}

}  // namespace

TEST_CASE("Inflate: stored blocks, fixed codes and codes of the stream's own give what was compressed") {
  CHECK(inflated(from_hex(fixed), sentence.size()) == sentence);
  CHECK(inflated(from_hex(stored), sentence.size()) == sentence);
  CHECK(inflated(from_hex(dynamic), letters().size()) == letters());
  CHECK(inflated(from_hex("0300"), 0).empty());
  CHECK(inflated(from_hex("edc13101000000c2a0f54f6d0d0fa0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000805703"), 100000) == std::string(100000, '\0'));
}

TEST_CASE("Inflate: another size than expected is refused, and no more is allocated than so many bytes can give") {
  for (const auto size : {sentence.size() - 1, sentence.size() + 1, std::size_t{0}}) CHECK_THROWS_WITH(inflated(from_hex(fixed), size), Contains("entry 'x'") && Contains("bytes"));
  CHECK_THROWS_WITH(inflated(from_hex(fixed), std::uint64_t{1} << 60), Contains("damaged"));
  CHECK_THROWS_WITH(inflated({}, 0), Contains("damaged"));
}

TEST_CASE("Inflate: whatever is cut off or changed, it is refused or gives as many bytes as expected") {
  for (const char* hex : {fixed, stored, dynamic}) {
    const auto stream = from_hex(hex);
    const std::size_t size = hex == dynamic ? letters().size() : sentence.size();
    for (std::size_t n = 0; n < stream.size(); ++n) CHECK_THROWS_AS(inflated({stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(n)}, size), gf::Error);
    bits::Random random(3);
    for (int i = 0; i < 20000; ++i) {
      auto bad = stream;
      for (int k = 0; k < 1 + i % 3; ++k) bad[static_cast<std::size_t>(random.below(static_cast<gf::Index>(bad.size())))] = static_cast<std::byte>(random.word());
      std::size_t given = size;
      try {
        given = inflated(bad, size).size();
      } catch (const gf::Error&) {
      }
      REQUIRE(given == size);
    }
  }
}
