#include <catch2/catch.hpp>

#include <fstream>

#include "goldfinch/checkpoint/load.hpp"

using goldfinch::Index;

namespace {

/// A checkpoint with the names and shapes of a published file, and no data; no tensors if the list is not there.
goldfinch::Checkpoint published(const std::string& name) {
  const std::string path = std::string(GOLDFINCH_SHARED) + "/spec/published/" + name + ".tsv";
  goldfinch::Checkpoint checkpoint;
  checkpoint.path = path;
  std::ifstream file(path);
  for (std::string tensor, sizes, type; file >> tensor >> sizes >> type;) {
    REQUIRE(type == "bfloat16");
    goldfinch::Shape shape;
    std::istringstream list(sizes);
    for (std::string size; std::getline(list, size, ',');) shape.push_back(std::stol(size));
    checkpoint.tensors[tensor] = {goldfinch::DType::bf16, shape, nullptr};
  }
  if (checkpoint.tensors.empty()) WARN("skipped: " + path + " is not there");
  return checkpoint;
}

}  // namespace

TEST_CASE("The published GoldFinch of width 768 is one, and its four unused tensors are ignored by name") {
  const auto checkpoint = published("L12-D768-x060b2_goco-minipile");
  if (checkpoint.tensors.empty()) return;
  const auto shape = goldfinch::resolve_shape(checkpoint);
  CHECK(shape.config.model_name() == "GoldFinch");
  CHECK(shape.config.n_layer == 12);
  CHECK(shape.config.split() == 8);
  CHECK(shape.n.R == 48);
  CHECK(goldfinch::parameter_count(shape) == 186'617'856);
  CHECK(goldfinch::check_tensors(checkpoint, goldfinch::parameter_list(shape), false) ==
        std::vector<std::string>{"time_maa_token", "time_maa_w1", "time_maa_w2", "time_maa_x"});
}

TEST_CASE("The published Finch of width 2048 is one, with nothing to ignore") {
  const auto checkpoint = published("L24-D2048-x060_goco-add-upgrade-chunk0-100m");
  if (checkpoint.tensors.empty()) return;
  const auto shape = goldfinch::resolve_shape(checkpoint);
  CHECK(shape.config.model_name() == "Finch");
  CHECK(goldfinch::parameter_count(shape) == 1'599'873'024);
  CHECK(goldfinch::check_tensors(checkpoint, goldfinch::parameter_list(shape), false).empty());
}

TEST_CASE("A published file with a tensor less, more or of another shape is refused in one sentence that names all of them") {
  auto checkpoint = published("L12-D768-x060b2_goco-minipile");
  if (checkpoint.tensors.empty()) return;
  checkpoint.tensors.erase("blocks.3.att.key.weight");
  checkpoint.tensors["blocks.5.ln1.weight"].shape = {767};
  checkpoint.tensors["blocks.5.ln3.weight"] = {goldfinch::DType::bf16, {768}, nullptr};
  const auto shape = goldfinch::resolve_shape(checkpoint);
  try {
    goldfinch::check_tensors(checkpoint, goldfinch::parameter_list(shape), false);
    FAIL("not refused");
  } catch (const goldfinch::Error& error) {
    for (const char* part : {"blocks.3.att.key.weight", "blocks.5.ln1.weight", "blocks.5.ln3.weight"}) CHECK(std::string(error.what()).find(part) != std::string::npos);
  }
}
