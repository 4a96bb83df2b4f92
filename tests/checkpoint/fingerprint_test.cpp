// What must change a fingerprint changes it.
#include "goldfinch/checkpoint/fingerprint.hpp"

#include <catch2/catch.hpp>

#include "bits.hpp"

namespace gf = goldfinch;

namespace {

auto hash_of(const std::vector<std::uint32_t>& words) { return gf::hash_portion(reinterpret_cast<const std::byte*>(words.data()), words.size() * 4); }

}  // namespace

TEST_CASE("fingerprint: no bit may change, alone or in many words at once") {
  bits::Random random(3);
  std::vector<std::uint32_t> words(1 << 12);
  for (auto& word : words) word = random.word();
  const auto hash = hash_of(words);
  CHECK(hash == hash_of(words));
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{16}, std::size_t{32}, std::size_t{1} << 11, words.size()})
    for (int bit = 0; bit < 32; ++bit) {  // bit 31 of all: a tensor of the other sign
      auto changed = words;
      for (std::size_t i = 5 % step; i < words.size(); i += step) changed[i] ^= std::uint32_t{1} << bit;
      INFO("bit " << bit << " of every " << step << "th word");
      const auto other = hash_of(changed);
      CHECK(other != hash);
      int lanes = 0;
      for (std::size_t lane = 0; lane < hash.size(); ++lane) lanes += other[lane] != hash[lane];
      CHECK(lanes == (step <= 16 ? 32 / static_cast<int>(step) : 2));
    }
  auto swapped = words;
  std::swap(swapped[16], swapped[32]);
  CHECK(hash_of(swapped) != hash);
}

TEST_CASE("fingerprint: names, types, shapes and numbers count, and not what else a checkpoint is") {
  gf::Checkpoint one;
  one.path = "one";
  one.put("a", {2, 3}, {1, 2, 3, 4, 5, 6});
  one.put("b", {1}, {7});
  gf::Checkpoint same = one;
  same.path = "two";
  same.metadata["key"] = "value";
  const std::string fingerprint = gf::tensors_fingerprint(one);
  CHECK(gf::tensors_fingerprint(same) == fingerprint);
  const auto differs = [&](auto&& change) {
    gf::Checkpoint other = one;
    change(other);
    CHECK(gf::tensors_fingerprint(other) != fingerprint);
  };
  differs([](auto& c) { c.put("a", {3, 2}, {1, 2, 3, 4, 5, 6}); });
  differs([](auto& c) { c.put("a", {2, 3}, {-1, -2, -3, -4, -5, -6}); });
  differs([](auto& c) { c.put("b", {1}, {8}); });
  differs([](auto& c) { c.put("c", {1}, {7}); });
  differs([](auto& c) { c.tensors["c"] = c.tensors["b"], c.tensors.erase("b"); });
}
