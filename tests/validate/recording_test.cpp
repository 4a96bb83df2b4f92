#include "goldfinch/validate/recording.hpp"

#include <catch2/catch.hpp>

#include "bits.hpp"
#include "checkpoint/files.hpp"
#include "model/golden.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

gf::Recording<double> record(const std::string& name, Index chunk) {
  const auto model = gf::load_model<double>(golden::weights(name));
  const auto tokens = golden::tokens(name);
  auto state = model.initial_state();
  gf::Recording<double> recording;
  for (std::size_t done = 0; done < tokens.size(); done += static_cast<std::size_t>(chunk))
    model.forward({{std::span(tokens).subspan(done, std::min(tokens.size() - done, static_cast<std::size_t>(chunk))), &state}},
                  gf::Trace<double>(&recording));
  return recording;
}

}  // namespace

TEST_CASE("A recording of chunked calls is the recording of the whole pass, bit for bit") {
  for (const char* name : {"goldfinch", "gptalpha_rope"}) {
    const auto whole = record(name, 1000);
    for (const Index chunk : {1, 7, 16}) {
      const auto pieces = record(name, chunk);
      REQUIRE(pieces.tensors().size() == whole.tensors().size());
      for (std::size_t i = 0; i < whole.tensors().size(); ++i) {
        const auto &a = whole.tensors()[i], &b = pieces.tensors()[i];
        INFO(name << " " << a.name << " in chunks of " << chunk);
        CHECK(a.name == b.name);
        CHECK(a.shape == b.shape);
        CHECK(bits::same(a.data.data(), b.data.data(), static_cast<Index>(a.data.size())));
      }
    }
  }
}

TEST_CASE("A recording is written as a safetensors file with rows as [T, D] and states as [H, N, N]") {
  const auto recording = record("finch", 16);
  const files::TemporaryFile file;
  recording.write(file.path());
  const auto read = gf::read_safetensors(file.path());
  CHECK(read.tensors.size() == recording.tensors().size());
  CHECK(read.tensors.at("embed").shape == gf::Shape{40, 32});
  CHECK(read.tensors.at("blocks.2.ffn.k").shape == gf::Shape{40, 96});
  CHECK(read.tensors.at("blocks.0.att.wkv_state").shape == gf::Shape{4, 8, 8});
  for (const auto& tensor : recording.tensors()) {
    const auto& from = read.tensors.at(tensor.name);
    CHECK(from.dtype == gf::DType::f64);
    REQUIRE(gf::element_count(from.shape) == static_cast<Index>(tensor.data.size()));
    CHECK(std::memcmp(from.data, tensor.data.data(), tensor.data.size() * sizeof(double)) == 0);
  }
}

TEST_CASE("A recorded tensor does not change its width") {
  gf::Recording<float> recording;
  recording.rows("x", gf::Matrix<float>::Zero(2, 3));
  CHECK_THROWS_AS(recording.rows("x", gf::Matrix<float>::Zero(2, 4)), gf::Error);
  CHECK(recording.find("x")->shape == gf::Shape{2, 3});
  CHECK(recording.find("y") == nullptr);
}
