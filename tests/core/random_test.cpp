#include "goldfinch/core/random.hpp"

#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

using namespace goldfinch;

TEST_CASE("the hash of a stream's name is FNV-1a in 64 bits") {
  STATIC_REQUIRE(fnv1a64("") == 0xcbf29ce484222325);
  STATIC_REQUIRE(fnv1a64("a") == 0xaf63dc4c8601ec8c);
  STATIC_REQUIRE(fnv1a64("foobar") == 0x85944171f73967e8);
  REQUIRE(fnv1a64("\xff") == (0xcbf29ce484222325 ^ 0xff) * 0x100000001b3);  // bytes are unsigned
}

// Printed by: numpy.random.Philox(key=numpy.array([seed, fnv1a64(name)], dtype=numpy.uint64)).random_raw(n)
TEST_CASE("RNG.1 words are those of NumPy's Philox") {
  const std::uint64_t empty[] = {
      0x1564dce548aa5f5c, 0x7a651c1926d40bfa, 0xa9a8d162baf1e546, 0x0d617ebb5a33ce15, 0xeb17176a5376390c,
      0xacc8f8bb1cf2deaa, 0x0f0666eba40dd3c8, 0xc3be9c8d8a08c9d3, 0x501f7b880a26cf30};
  const std::uint64_t sample[] = {
      0xa1123976a97149f0, 0xc5867571c7577177, 0x6474daa58a07862a, 0x1b4d0e874b3265ab, 0x78ef6fc28b50756e,
      0xdec9188f7aa3aa96, 0xe1efe9b03d6bc284, 0xabfb4dc1a451f349, 0x272c97f6779b630a};
  const std::uint64_t decay[] = {
      0xf8e682bb9e871072, 0xc7f147fbdf97ffef, 0xcf1f209adf5f65e9, 0xdacd3dbe5472fd39, 0x914f4146b1482535,
      0x76a174f00f816002, 0x4d48c51049315af0, 0xdd3740c896fd3ae1, 0x3300d914f2915601};
  const RandomStream a(0, ""), b(1, "sample"), c(std::numeric_limits<std::uint64_t>::max(), "blocks.0.att.time_decay");
  for (int i = 0; i < 9; ++i) {
    REQUIRE(a.word(i) == empty[i]);
    REQUIRE(b.word(i) == sample[i]);
    REQUIRE(c.word(i) == decay[i]);
  }
  REQUIRE(a.word(100000) == 0xdc5f47dea978590e);
  REQUIRE(b.word(100000) == 0x45621d907620fbdb);
  REQUIRE(c.word(100000) == 0xe1e675be784a13e4);
  // Far out, by Philox.advance(2^38): four words a block
  REQUIRE(b.word(Index{1} << 40) == 0x6f7d9738003f4e2d);
  REQUIRE(b.word((Index{1} << 40) + 4) == 0x6fe6dff86622e8e8);
}

TEST_CASE("Every index gives a word, one of the block that it names") {
  const RandomStream stream(1, "sample");
  for (const std::uint64_t i : {std::uint64_t{1} << 61, std::uint64_t{1} << 63, (std::uint64_t{1} << 63) + 3, ~std::uint64_t{0} - 1,
                                ~std::uint64_t{0}, std::bit_cast<std::uint64_t>(-0.3)}) {
    REQUIRE(stream.word(i) == philox(1 + i / 4, {1, fnv1a64("sample")})[i % 4]);
    REQUIRE(stream.uniform(i) < 1);
  }
}

TEST_CASE("RNG.2 uniforms are the upper 53 bits of their word, in [0, 1)") {
  const RandomStream stream(1, "sample");
  REQUIRE(stream.uniform(0) == std::ldexp(static_cast<double>(0xa1123976a97149f0 >> 11), -53));
  for (Index i = 0; i < 1000; ++i) {
    REQUIRE(stream.uniform(i) == std::ldexp(static_cast<double>(stream.word(i) >> 11), -53));
    REQUIRE(stream.uniform(i) >= 0);
    REQUIRE(stream.uniform(i) < 1);
  }
}

TEST_CASE("RNG.3 normals are sums of twelve 16-bit fields, with NumPy's words") {
  const RandomStream stream(1, "sample");
  const double expected[] = {0x1.21fcp-1, -0x1.1f49p+0, 0x1.ed62p-1, -0x1.3f08p+0, 0x1.43cp-2};  // computed with NumPy
  for (int i = 0; i < 5; ++i) REQUIRE(stream.normal(i) == expected[i]);
  REQUIRE(stream.normal(33332) == -0x1.d0dcp-2);
  REQUIRE(RandomStream(0, "").normal(33332) == 0x1.1eacp-2);

  for (Index i = 0; i < 200; ++i) {  // field by field, as the definition says it
    std::int64_t sum = 0;
    for (Index w = 3 * i; w < 3 * i + 3; ++w)
      for (int field = 0; field < 4; ++field) sum += static_cast<std::int64_t>(stream.word(w) >> (16 * field) & 0xffff);
    REQUIRE(stream.normal(i) == static_cast<double>(sum - 6 * 65535) / 65536);
  }
}

TEST_CASE("normals in bulk are the normals one by one, for any start and count, in float and double") {
  const RandomStream stream(7, "emb.weight");
  for (const Index first : {Index{0}, Index{1}, Index{2}, Index{3}, Index{4}, Index{1001}, Index{1} << 40})
    for (Index count = 0; count < 14; ++count) {
      std::vector<double> wide(static_cast<std::size_t>(count) + 1, 99.0);
      std::vector<float> narrow(static_cast<std::size_t>(count) + 1, 99.0f);
      stream.normals(first, count, wide.data());
      stream.normals(first, count, narrow.data());
      for (Index i = 0; i < count; ++i) {
        REQUIRE(wide[static_cast<std::size_t>(i)] == stream.normal(first + i));
        REQUIRE(static_cast<double>(narrow[static_cast<std::size_t>(i)]) == stream.normal(first + i));
      }
      REQUIRE(wide.back() == 99.0);
      REQUIRE(narrow.back() == 99.0f);
    }
}

TEST_CASE("normals have mean 0 and variance 1") {
  const Index n = 400000;
  std::vector<double> x(n);
  RandomStream(3, "moments").normals(0, n, x.data());
  double sum = 0, squares = 0;
  for (const double v : x) sum += v, squares += v * v;
  REQUIRE(std::abs(sum / n) < 4 / std::sqrt(n));
  REQUIRE(std::abs(squares / n - 1) < 4 * std::sqrt(2.0 / n));
}
