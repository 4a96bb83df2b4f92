#include "goldfinch/core/sha256.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

using namespace goldfinch;

TEST_CASE("SHA-256 gives the digests of the FIPS 180 examples") {
  REQUIRE(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  REQUIRE(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  REQUIRE(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  REQUIRE(sha256("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                 "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu") ==
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  REQUIRE(sha256(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on how the bytes are cut into pieces") {
  std::string bytes;
  for (int i = 0; i < 300; ++i) bytes += static_cast<char>(i * 7);
  for (const std::size_t length : {0u, 1u, 55u, 56u, 63u, 64u, 65u, 119u, 120u, 128u, 300u}) {
    const std::string whole = sha256(std::string_view(bytes).substr(0, length));
    for (const std::size_t piece : {1u, 3u, 63u, 64u, 65u, 130u}) {
      Sha256 hash;
      for (std::size_t at = 0; at < length; at += piece) hash.update(bytes.data() + at, std::min(piece, length - at));
      hash.update(nullptr, 0);
      REQUIRE(hash.finish() == whole);
    }
  }
}
