#include "goldfinch/checkpoint/safetensors.hpp"

#include <catch2/catch.hpp>

#include "files.hpp"

using namespace goldfinch;

namespace {

const std::byte* bytes_of(const std::string& text) { return reinterpret_cast<const std::byte*>(text.data()); }

std::string bytes_of(const Tensor& tensor) {
  const auto size = static_cast<std::size_t>(element_count(tensor.shape)) * size_of(tensor.dtype);
  return {reinterpret_cast<const char*>(tensor.data), size};
}

}  // namespace

TEST_CASE("A safetensors file gives its tensors and its metadata") {
  const Checkpoint checkpoint = read_safetensors(files::TemporaryFile(files::good_safetensors()).path());
  CHECK(checkpoint.metadata == std::map<std::string, std::string>{{"k", "v"}});
  REQUIRE(checkpoint.tensors.size() == 2);
  const Tensor &a = checkpoint.tensors.at("a"), &b = checkpoint.tensors.at("b");
  CHECK(a.dtype == DType::f32);
  CHECK(a.shape == Shape{2, 3});
  CHECK(bytes_of(a) == files::floats(6));
  CHECK(b.dtype == DType::bf16);
  CHECK(b.shape == Shape{1});
  CHECK(widen(load<BFloat16>(b.data, 0)) == 1);
}

TEST_CASE("The header may have any length, so that the data lies at any alignment, and tensors any order") {
  for (int spaces = 0; spaces < 9; ++spaces) {
    const std::string header = R"({"a":{"data_offsets":[8,16],"shape":[1],"dtype":"F64"}, )"
                               R"("b":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}})";
    const files::TemporaryFile file(files::safetensors(header + std::string(spaces, ' '), "abcdefgh12345678"));
    const Checkpoint checkpoint = read_safetensors(file.path());
    CHECK(bytes_of(checkpoint.tensors.at("a")) == "12345678");
    CHECK(bytes_of(checkpoint.tensors.at("b")) == "abcdefgh");
  }
}

TEST_CASE("Scalars, empty tensors and no tensors at all are read") {
  const std::string header = R"({"e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},)"
                             R"("s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})";
  const Checkpoint checkpoint = read_safetensors(files::TemporaryFile(files::safetensors(header, files::floats(1))).path());
  CHECK(checkpoint.tensors.at("e").shape == Shape{0, 7});
  CHECK(checkpoint.tensors.at("s").shape.empty());
  CHECK(load<float>(checkpoint.tensors.at("s").data, 0) == 1);
  CHECK(read_safetensors(files::TemporaryFile(files::safetensors("{}", "")).path()).tensors.empty());
}

TEST_CASE("What is written is read back, in every type and with every character in names and metadata") {
  const std::string data = files::floats(12);
  const std::string odd = "quote\" back\\slash \n\t\x01 caf\xc3\xa9 \xf0\x9f\x90\xa6";
  std::vector<std::pair<std::string, Tensor>> tensors = {{"z", {DType::f64, {2, 3}, bytes_of(data)}},
                                                         {odd, {DType::f32, {3}, bytes_of(data)}},
                                                         {"empty", {DType::f32, {0}, nullptr}},
                                                         {"half", {DType::f16, {1, 1, 5}, bytes_of(data) + 1}},
                                                         {"a", {DType::bf16, {}, bytes_of(data)}}};
  const std::map<std::string, std::string> metadata = {{odd, odd}, {"goldfinch.config", R"({"n_layer": 6})"}, {"", ""}};
  const files::TemporaryFile file;
  write_safetensors(file.path(), tensors, metadata);
  const Checkpoint checkpoint = read_safetensors(file.path());
  CHECK(checkpoint.metadata == metadata);
  REQUIRE(checkpoint.tensors.size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    CAPTURE(name);
    const Tensor& same = checkpoint.tensors.at(name);
    CHECK(same.dtype == tensor.dtype);
    CHECK(same.shape == tensor.shape);
    if (tensor.data) CHECK(bytes_of(same) == bytes_of(tensor));
  }
}

TEST_CASE("The bytes written are defined: data from a multiple of 8 on, tensors in the order given, equal for equal input") {
  const std::string data = files::floats(2);
  const files::TemporaryFile file;
  write_safetensors(file.path(), {{"b", {DType::f32, {2}, bytes_of(data)}}, {"a", {DType::bf16, {1}, bytes_of(data)}}},
                    {{"k", "v"}});
  const std::string header = R"({"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("a":{"dtype":"BF16","shape":[1],"data_offsets":[8,10]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  CHECK(file.read() == files::safetensors(padded, data + data.substr(0, 2)));
}

TEST_CASE("A file may be written onto the one that its tensors are views of") {
  const files::TemporaryFile file(files::good_safetensors());
  const Checkpoint checkpoint = read_safetensors(file.path());
  write_safetensors(file.path(), {{"renamed", checkpoint.tensors.at("a")}}, {});
  CHECK(bytes_of(read_safetensors(file.path()).tensors.at("renamed")) == files::floats(6));
}

TEST_CASE("A writer takes data in any portions and shows nothing before all of it is there") {
  const files::TemporaryFile file("before");
  {
    SafetensorsWriter writer(file.path(), {{"a", {DType::f32, {2}, nullptr}}}, {});
    const std::string data = files::floats(2);
    writer.write(data.data(), 3);
    CHECK_THROWS_WITH(writer.commit(), Catch::Contains("3 bytes of data given, expected 8"));
    CHECK_THROWS_WITH(writer.write(data.data(), 6), Catch::Contains("more than 8 bytes"));
    CHECK(file.read() == "before");
    writer.write(data.data() + 3, 5);
    writer.commit();
  }
  CHECK(bytes_of(read_safetensors(file.path()).tensors.at("a")) == files::floats(2));
}

TEST_CASE("Names that a reader would refuse are not written, and what was there stays") {
  const files::TemporaryFile file("before");
  const Tensor none{DType::f32, {0}, nullptr};
  CHECK_THROWS_WITH(write_safetensors(file.path(), {{"a", none}, {"a", none}}, {}), Catch::Contains("two entries of the name"));
  CHECK_THROWS_WITH(write_safetensors(file.path(), {{"__metadata__", none}}, {}), Catch::Contains("'__metadata__'"));
  CHECK_THROWS_WITH(write_safetensors(file.path(), {{"\xff", none}}, {}), Catch::Contains("'\\xff': is not UTF-8"));
  CHECK_THROWS_WITH(write_safetensors(file.path(), {}, {{"k", "\xc0\x80"}}), Catch::Contains("is not UTF-8"));
  CHECK_THROWS_WITH(write_safetensors(file.path(), {{"a", {DType::f32, {-1}, nullptr}}}, {}), Catch::Contains("shape [-1]"));
  CHECK(file.read() == "before");
  CHECK_THROWS_AS(write_safetensors("/no/such/folder/x", {}, {}), Error);
}

TEST_CASE("Tensors have at most 64 dimensions") {
  const auto of_rank = [](int rank) {
    std::string ones = "1";
    for (int i = 1; i < rank; ++i) ones += ",1";
    return files::safetensors(R"({"a":{"dtype":"F32","shape":[)" + ones + R"(],"data_offsets":[0,4]}})", files::floats(1));
  };
  CHECK(read_safetensors(files::TemporaryFile(of_rank(64)).path()).tensors.at("a").shape.size() == 64);
  CHECK_THROWS_WITH(read_safetensors(files::TemporaryFile(of_rank(65)).path()), Catch::Contains("entry 'a', 'shape' holds more than 64 numbers"));
}

TEST_CASE("A type is one of the format's by its whole name") {
  const auto of = [](const std::string& type) { return files::safetensors(R"({"a":{"dtype":")" + type + R"(","shape":[1],"data_offsets":[0,2]}})", "xx"); };
  CHECK(read_safetensors(files::TemporaryFile(of("I16")).path(), OtherTypes::listed).others.at("a") == "I16");
  for (const char* type : {"I16 U16", "", " ", "16"}) CHECK_THROWS_WITH(read_safetensors(files::TemporaryFile(of(type)).path(), OtherTypes::listed), Catch::Contains("expected F64, F32, BF16, F16 or I8"));
}
