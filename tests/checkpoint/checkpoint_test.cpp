#include "goldfinch/checkpoint/checkpoint.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <set>

#include "malformed.hpp"

using namespace goldfinch;

namespace {

std::string message_of(const std::string& path) {
  try {
    open_checkpoint(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::vector<double> values(const Tensor& tensor) {
  std::vector<double> result;
  for (Index i = 0; i < element_count(tensor.shape); ++i)
    result.push_back(
        dispatch(tensor.dtype, [&]<class Stored>(Stored*) -> double { return widen(load<Stored>(tensor.data, i)); }));
  return result;
}

/// A checkpoint of one tensor over an array, which must outlive it.
template <class Word>
Checkpoint checkpoint_over(DType type, const std::vector<Word>& words) {
  Checkpoint checkpoint;
  checkpoint.tensors["x"] = {type, {static_cast<Index>(words.size())}, reinterpret_cast<const std::byte*>(words.data())};
  return checkpoint;
}

}  // namespace

TEST_CASE("Malformed files are refused with a message of one line that names the file and the problem") {
  const auto all = malformed_files();
  CHECK(all.size() >= 70);
  std::set<std::string> names;
  for (const auto& [name, bytes, fragment] : all) {
    CAPTURE(name, fragment);
    CHECK(names.insert(name).second);
    const files::TemporaryFile file(bytes);
    const std::string message = message_of(file.path());
    CHECK_THAT(message, Catch::StartsWith(file.path() + ": ") && Catch::Contains(fragment));
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("What a file is, its content says") {
  CHECK(open_checkpoint(files::TemporaryFile(files::good_safetensors()).path()).tensors.size() == 2);
  CHECK(open_checkpoint(files::TemporaryFile(files::good_pth()).path()).tensors.size() == 1);
  CHECK_THAT(message_of(std::filesystem::temp_directory_path().string()), Catch::Contains("is a directory"));
  CHECK_THAT(message_of("/no/such/file"), Catch::Contains("/no/such/file: cannot open"));
}

TEST_CASE("Opening a checkpoint translates its names") {
  const files::TemporaryFile file(files::pth_of({{"rwkv.blocks.3.attention.key.weight", files::good_tensor()}}));
  const Checkpoint checkpoint = open_checkpoint(file.path());
  CHECK(checkpoint.tensors.count("blocks.3.att.key.weight") == 1);
  CHECK(checkpoint.tensors.size() == 1);
}

TEST_CASE("A mutated file is refused or read, whatever byte is changed and wherever it is cut") {
  std::uint32_t random = 1;
  const auto below = [&](std::size_t n) { return (random = random * 1664525 + 1013904223, (random >> 8) % n); };
  int refused = 0;
  for (const std::string& good : {files::good_safetensors(), files::good_pth()}) {
    const files::TemporaryFile file;
    for (int i = 0; i < 3000; ++i) {
      std::string bytes = good;
      for (std::size_t n = 1 + below(3); n > 0; --n)
        bytes[below(bytes.size())] = static_cast<char>(below(4) ? below(256) : below(2) * 255);
      if (below(5) == 0) bytes.resize(below(bytes.size()));
      file.write(bytes);
      try {
        const Checkpoint checkpoint = open_checkpoint(file.path());
        nonfinite_tensors(checkpoint);  // touches every byte
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  CHECK(refused > 2000);
}

TEST_CASE("A NaN or an infinity is found in every type, at every place, and nothing else is") {
  for (const std::size_t size : {1, 2047, 2048, 2049, 5000}) {
    CAPTURE(size);
    const auto test = [&]<class Word>(DType type, Word inf, Word nan, Word largest) {
      const Word sign = static_cast<Word>(Word{1} << (8 * sizeof(Word) - 1));
      std::vector<Word> words(size, largest);
      for (std::size_t i = 0; i < size; i += 2) words[i] |= sign;
      CHECK(nonfinite_tensors(checkpoint_over(type, words)).empty());
      for (const std::size_t at : {std::size_t{0}, size / 2, size - 1})
        for (const Word bad : {inf, nan, Word(inf | sign), Word(nan | sign), Word(~Word{0})}) {
          const Word good = std::exchange(words[at], bad);
          CHECK(nonfinite_tensors(checkpoint_over(type, words)) == std::vector<std::string>{"x"});
          words[at] = good;
        }
    };
    test(DType::f64, std::uint64_t{0x7ff0000000000000}, std::uint64_t{0x7ff0000000000001}, std::uint64_t{0x7fefffffffffffff});
    test(DType::f32, std::uint32_t{0x7f800000}, std::uint32_t{0x7f800001}, std::uint32_t{0x7f7fffff});
    test(DType::bf16, std::uint16_t{0x7f80}, std::uint16_t{0x7f81}, std::uint16_t{0x7f7f});
    test(DType::f16, std::uint16_t{0x7c00}, std::uint16_t{0x7c01}, std::uint16_t{0x7bff});
  }
}

TEST_CASE("Each tensor that is not finite is named once, in order") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> large(3 << 20, 1.f), small = {nan, nan};
  large[0] = large.back() = nan;
  Checkpoint checkpoint = checkpoint_over(DType::f32, large);
  checkpoint.tensors["a"] = {DType::f32, {2}, reinterpret_cast<const std::byte*>(small.data())};
  checkpoint.tensors["b"] = {DType::f32, {1}, reinterpret_cast<const std::byte*>(&large[1])};
  checkpoint.tensors["c"] = {DType::f32, {0}, nullptr};
  CHECK(nonfinite_tensors(checkpoint) == std::vector<std::string>{"a", "x"});
}

#ifdef GOLDFINCH_SHARED
TEST_CASE("The golden .pth files hold the tensors of their safetensors file") {
  const std::string folder = std::string(GOLDFINCH_SHARED) + "/oracle/goldfinch.";
  if (!std::filesystem::exists(folder + "safetensors")) {
    WARN("skipped: no " << folder << "safetensors");
    return;
  }
  const Checkpoint truth = open_checkpoint(folder + "safetensors");
  for (const char* kind : {"f32", "bf16", "published"}) {
    CAPTURE(kind);
    const Checkpoint checkpoint = open_checkpoint(folder + kind + ".pth");
    CHECK(checkpoint.storage.size() == 0);  // all views
    CHECK(nonfinite_tensors(checkpoint).empty());
    REQUIRE(checkpoint.tensors.size() == truth.tensors.size());
    for (const auto& [name, tensor] : truth.tensors) {
      CAPTURE(name);
      REQUIRE(checkpoint.tensors.count(name) == 1);
      const Tensor& same = checkpoint.tensors.at(name);
      CHECK(same.dtype == (std::string(kind) == "f32" ? DType::f32 : DType::bf16));
      CHECK(same.shape == tensor.shape);
      CHECK(values(same) == values(tensor));
    }
  }
}
#endif
