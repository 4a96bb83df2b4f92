#include "goldfinch/validate/operator.hpp"

#include <catch2/catch.hpp>

using namespace goldfinch;

TEST_CASE("A copy with other numbers keeps all else that a checkpoint has") {
  const std::vector<std::byte> bytes(16);
  const auto file = std::make_shared<const MappedFile>("part", std::span(bytes));
  Checkpoint in;
  in.path = "model";
  in.more_files = {file};
  in.others = {{"count", "I64"}};
  in.metadata = {{"k", "v"}};
  in.tensors = {{"x", {DType::f64, {2}, file->data()}}, {"n", {DType::f64, {1}, file->data()}}};
  OperatorInfo info;
  info.tensors = {input("x", "[T]", ""), setting("n", "[]", "")};
  const Checkpoint out = changed(info, in, [](const std::string&, double x, Index i) { return x + 1 + static_cast<double>(i); });
  CHECK(number_at(out.tensors.at("x"), 0) == 1);
  CHECK(number_at(out.tensors.at("x"), 1) == 2);
  CHECK(out.tensors.at("n").data == file->data());
  CHECK(out.more_files == in.more_files);
  CHECK(out.others == in.others);
  CHECK(out.metadata == in.metadata);
  CHECK(number_at(in.tensors.at("x"), 0) == 0);
}
