#include "goldfinch/checkpoint/pth.hpp"

#include <catch2/catch.hpp>

#include "files.hpp"

using namespace goldfinch;

namespace {

std::vector<float> values(const Tensor& tensor) {
  std::vector<float> result;
  for (Index i = 0; i < element_count(tensor.shape); ++i)
    result.push_back(
        dispatch(tensor.dtype, [&]<class Stored>(Stored*) { return static_cast<float>(widen(load<Stored>(tensor.data, i))); }));
  return result;
}

/// A tensor over the storage 1 ... 8, read from a file of its own.
Checkpoint view(std::int64_t offset, const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& stride) {
  using namespace files;
  return read_pth(TemporaryFile(pth_of({{"x", tensor(eight, offset, tuple(shape), tuple(stride))}})).path());
}

}  // namespace

TEST_CASE("Contiguous tensors are views into the file, at their offsets in a shared storage") {
  using namespace files;
  const TemporaryFile file(pth_of({{"a", good_tensor()},
                                   {"same", good_tensor()},
                                   {"row", tensor(eight, 5, tuple({1, 3, 1}), tuple({77, 1, 99}))},  // 77 and 99 say nothing
                                   {"scalar", tensor(eight, 7, ")", ")")},
                                   {"empty", tensor(eight, 8, tuple({0, 3}), tuple({3, 1}))}}));
  const Checkpoint checkpoint = read_pth(file.path());
  CHECK(checkpoint.storage.size() == 0);
  CHECK(checkpoint.metadata.empty());
  REQUIRE(checkpoint.tensors.size() == 5);
  CHECK(checkpoint.tensors.at("a").shape == Shape{2, 3});
  CHECK(values(checkpoint.tensors.at("a")) == std::vector<float>{2, 3, 4, 5, 6, 7});
  CHECK(checkpoint.tensors.at("same").data == checkpoint.tensors.at("a").data);
  CHECK(checkpoint.tensors.at("row").shape == Shape{1, 3, 1});
  CHECK(values(checkpoint.tensors.at("row")) == std::vector<float>{6, 7, 8});
  CHECK(checkpoint.tensors.at("scalar").shape.empty());
  CHECK(values(checkpoint.tensors.at("scalar")) == std::vector<float>{8});
  CHECK(checkpoint.tensors.at("empty").shape == Shape{0, 3});
}

TEST_CASE("Transposed, sliced, permuted and expanded tensors are gathered in row-major order") {
  const auto check = [](const Checkpoint& checkpoint, const Shape& shape, const std::vector<float>& expected) {
    CHECK(checkpoint.storage.size() == 1);
    CHECK(checkpoint.tensors.at("x").shape == shape);
    CHECK(values(checkpoint.tensors.at("x")) == expected);
  };
  check(view(0, {4, 2}, {1, 4}), {4, 2}, {1, 5, 2, 6, 3, 7, 4, 8});
  check(view(1, {4}, {2}), {4}, {2, 4, 6, 8});
  check(view(0, {2, 2}, {4, 3}), {2, 2}, {1, 4, 5, 8});
  check(view(0, {2, 2, 2}, {1, 4, 2}), {2, 2, 2}, {1, 3, 5, 7, 2, 4, 6, 8});
  check(view(2, {2, 3}, {0, 0}), {2, 3}, {3, 3, 3, 3, 3, 3});
}

TEST_CASE("Views may use a storage up to its last element and no further") {
  CHECK(values(view(7, {1}, {1}).tensors.at("x")) == std::vector<float>{8});
  CHECK(values(view(1, {2, 2}, {4, 2}).tensors.at("x")) == std::vector<float>{2, 4, 6, 8});
  CHECK_THROWS_WITH(view(2, {2, 2}, {4, 2}), Catch::Contains("reaches beyond its storage of 8 elements"));
  CHECK_THROWS_AS(view(8, {1}, {1}), Error);
}

TEST_CASE("All four storage types are read") {
  using namespace files;
  const std::vector<std::tuple<std::string, std::string, DType>> types = {
      {"DoubleStorage", raw(1.5) + raw(-2.), DType::f64},
      {"FloatStorage", raw(1.5f) + raw(-2.f), DType::f32},
      {"BFloat16Storage", u16(0x3fc0) + u16(0xc000), DType::bf16},
      {"HalfStorage", u16(0x3e00) + u16(0xc000), DType::f16},
  };
  for (const auto& [name, bytes, type] : types) {
    const std::string body = dict({{"x", tensor(storage(name, "0", 2), 0, tuple({2}), tuple({1}))}});
    const Checkpoint checkpoint = read_pth(TemporaryFile(pth(pickle(body), {{"0", bytes}}).bytes).path());
    CHECK(checkpoint.tensors.at("x").dtype == type);
    CHECK(values(checkpoint.tensors.at("x")) == std::vector<float>{1.5f, -2.f});
  }
}

TEST_CASE("Any folder name will do, and entries other than the pickle and its storages are ignored") {
  using namespace files;
  const std::string data_pkl = pickle(dict({{"a", good_tensor()}}));
  for (const bool zip64 : {false, true}) {
    const ZipFile z = zip({{"a folder/data.pkl", data_pkl}, {"a folder/byteorder", "little"}, {"a folder/data/0", floats(8)},
                           {"a folder/version", "3\n"}, {"a folder/.data/serialization_id", "0123"}}, 40, zip64);
    CHECK(read_pth(TemporaryFile(z.bytes).path()).tensors.size() == 1);
  }
}

TEST_CASE("A tensor outlives everything but its checkpoint") {
  Checkpoint checkpoint = view(0, {4, 2}, {1, 4});
  const Checkpoint moved = std::move(checkpoint);
  CHECK(values(moved.tensors.at("x"))[1] == 5);
}

TEST_CASE("The dict of tensors may be in another, under a name that training programs use; what else is there is not looked at") {
  using namespace files;
  for (const char* key : {"model", "state_dict", "model_state_dict", "module"}) {
    const std::string nested = dict({{"epoch", "K\7"}, {key, dict({{"a", good_tensor()}})}, {"lr", "G" + std::string(8, '\0')}});
    const TemporaryFile file(pth(pickle(nested), {{"0", floats(8)}}).bytes);
    const Checkpoint checkpoint = read_pth(file.path());
    REQUIRE(checkpoint.tensors.size() == 1);
    CHECK(checkpoint.tensors.at("a").shape == Shape{2, 3});
  }
}

TEST_CASE("Tensors of types that no model has are listed, not read") {
  using namespace files;
  const TemporaryFile file(pth_of({{"a", good_tensor()}, {"steps", tensor(storage("LongStorage", "0", 4), 0, tuple({4}), tuple({1}))}}));
  const Checkpoint checkpoint = read_pth(file.path());
  CHECK(checkpoint.tensors.size() == 1);
  CHECK(checkpoint.others == std::map<std::string, std::string>{{"steps", "torch.LongStorage"}});
}

TEST_CASE("Tensors without elements are refused if their other dimensions cannot be counted") {
  using namespace files;
  const std::int64_t huge = std::int64_t{1} << 58;
  const TemporaryFile file(pth_of({{"a", tensor(eight, 0, tuple({huge, huge, 0}), tuple({1, 1, 1}))}}));
  CHECK_THROWS_WITH(read_pth(file.path()), Catch::Contains("has more elements than can be counted"));
}

TEST_CASE("A dict of a hundred thousand things that are no tensors is looked through once") {
  using namespace files;
  std::string nones, recalled;
  for (int i = 0; i < 200000; ++i) nones += "NN";
  CHECK_THROWS_WITH(read_pth(TemporaryFile(pth(pickle("}(" + nones + "u"), {}).bytes).path()), Catch::Contains("as a tensor's name"));
  // A dict of many Nones, under a name of a model that is said again and again.
  for (int i = 0; i < 100000; ++i) recalled += std::string("h\0h\1", 4);
  const std::string again = "}(" + text("model") + std::string("q\0", 2) + "}(" + nones + "u" + std::string("q\1", 2) + recalled + "u";
  CHECK_THROWS_WITH(read_pth(TemporaryFile(pth(pickle(again), {}).bytes).path()), Catch::Contains("has the key 'model' twice"));
}

TEST_CASE("Tensors have at most 64 dimensions, however often one of them is recalled") {
  using namespace files;
  const auto of_rank = [](std::size_t rank) { return tuple(std::vector<std::int64_t>(rank, 1)); };
  const auto read = [&](const std::string& shape, const std::string& stride) { return read_pth(TemporaryFile(pth_of({{"a", tensor(eight, 0, shape, stride)}})).path()); };
  CHECK(read(of_rank(64), of_rank(64)).tensors.at("a").shape.size() == 64);
  CHECK_THROWS_WITH(read(of_rank(65), of_rank(65)), Catch::Contains("tensor 'a' has a tuple of 65 as shape, expected at most 64 dimensions"));
  CHECK_THROWS_WITH(read(of_rank(1), of_rank(65)), Catch::Contains("tensor 'a' has a tuple of 65 as stride"));
}

TEST_CASE("Tensors without elements are refused if strides could not be counted") {
  using namespace files;
  const std::int64_t large = std::int64_t{1} << 40;
  const TemporaryFile file(pth_of({{"a", tensor(eight, 0, tuple({0, large, large}), tuple({1, 1, 1}))}}));
  CHECK_THROWS_WITH(read_pth(file.path()), Catch::Contains("has more elements than can be counted"));
}

TEST_CASE("A storage's key is no longer than a name") {
  using namespace files;
  const auto read = [&](const std::string& key) { return read_pth(TemporaryFile(pth(pickle(dict({{"a", tensor(storage("FloatStorage", key, 8), 0, tuple({8}), tuple({1}))}})), {{key, floats(8)}}).bytes).path()); };
  CHECK(read(std::string(255, 'k')).tensors.size() == 1);
  CHECK_THROWS_WITH(read(std::string(256, 'k')), Catch::Contains("has a storage that is not"));
}

TEST_CASE("What is gathered is at most 16 times the file") {
  using namespace files;
  const auto read = [&](std::int64_t rows) { return read_pth(TemporaryFile(pth_of({{"a", tensor(eight, 0, tuple({rows, 8}), tuple({0, 1}))}})).path()); };
  CHECK(read(100).storage.size() == 1);
  CHECK_THROWS_WITH(read(1000), Catch::Contains("tensor 'a' of shape [1000, 8] expands to much more than the file holds"));
}
