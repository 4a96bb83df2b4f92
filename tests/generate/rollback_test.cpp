#include "goldfinch/generate/rollback.hpp"

#include <catch2/catch.hpp>

#include "bits.hpp"
#include "goldfinch/checkpoint/load.hpp"

namespace gf = goldfinch;

namespace {

std::unique_ptr<gf::Engine> golden_engine() {
  const auto checkpoint = gf::open_checkpoint(GOLDFINCH_REFERENCE_DIR "/models/goldfinch.safetensors");
  return std::make_unique<gf::ModelEngine<float>>(gf::load_model<float>(checkpoint));
}

std::vector<int> some_tokens(int n) {
  std::vector<int> tokens;
  for (int t = 0; t < n; ++t) tokens.push_back(t * 7 % 61);
  return tokens;
}

}  // namespace

TEST_CASE("Rollback: going on from a kept place gives the bits of never having left it") {
  const auto engine = golden_engine();
  const auto tokens = some_tokens(150);
  const auto sequence = engine->start();
  gf::Rollback rollback(std::size_t{1} << 20);
  gf::Matrix<double> all(150, engine->dimensions().V);
  for (int t = 0; t < 150; ++t) {
    all.row(t) = engine->forward({{std::span(&tokens[static_cast<std::size_t>(t)], 1), sequence.get()}});
    if (t == 9 || t == 70 || t == 100) rollback.checkpoint(*sequence, all.row(t));
  }
  CHECK(rollback.rollback(9) == nullptr);
  for (const auto& [position, expected] : {std::pair{10, 10}, {70, 10}, {71, 71}, {100, 71}, {101, 101}, {150, 101}}) {
    const auto* kept = rollback.rollback(position);
    REQUIRE(kept);
    REQUIRE(kept->sequence->position() == expected);
    CHECK(bits::same(kept->logits, gf::Matrix<double>(all.row(expected - 1))));
    const auto again = kept->sequence->fork();
    const auto rest = engine->forward({{std::span(tokens).subspan(static_cast<std::size_t>(expected)), again.get()}});
    CHECK(bits::same(rest, gf::Matrix<double>(all.bottomRows(150 - expected))));
  }
}

TEST_CASE("Rollback: copies stay within their bytes, the oldest go first, and one too large is not kept") {
  const auto engine = golden_engine();
  const auto tokens = some_tokens(8);
  const auto sequence = engine->start();
  const std::size_t one = engine->start()->state_bytes() + 8192;  // and a page, and the logits
  gf::Rollback three(3 * one), none(1000);
  for (int t = 0; t < 8; ++t) {
    const auto logits = engine->forward({{std::span(&tokens[static_cast<std::size_t>(t)], 1), sequence.get()}});
    three.checkpoint(*sequence, logits);
    none.checkpoint(*sequence, logits);
    CHECK(three.bytes() <= 3 * one);
  }
  CHECK(three.rollback(5) == nullptr);
  CHECK(three.rollback(6)->sequence->position() == 6);
  CHECK(three.rollback(8)->sequence->position() == 8);
  CHECK(none.rollback(8) == nullptr);
  CHECK(none.bytes() == 0);
}

TEST_CASE("Rollback: one that was moved from is empty, and keeps copies as a new one does") {
  const auto engine = golden_engine();
  const auto tokens = some_tokens(2);
  const auto sequence = engine->start();
  gf::Rollback first(std::size_t{1} << 20);
  first.checkpoint(*sequence, engine->forward({{std::span(tokens).first(1), sequence.get()}}));
  const gf::Rollback second = std::move(first);
  CHECK(second.kept().size() == 1);
  CHECK(first.kept().empty());
  CHECK(first.bytes() == 0);
  first.checkpoint(*sequence, engine->forward({{std::span(tokens).last(1), sequence.get()}}));
  CHECK(first.kept().size() == 1);
  CHECK(first.bytes() == second.bytes());
}
