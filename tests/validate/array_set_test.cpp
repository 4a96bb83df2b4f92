#include "goldfinch/validate/array_set.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <limits>

#include "bits.hpp"
#include "checkpoint/files.hpp"

namespace gf = goldfinch;
using Catch::Contains;
using files::raw;
using gf::Index;
using gf::Shape;

namespace {

/// A .npy file as numpy.lib.format describes it.
std::string npy(const std::string& dict, const std::string& data, int version = 1) {
  std::string header = dict;
  while ((header.size() + 11) % 64 != 0) header += ' ';
  header += '\n';
  return std::string("\x93NUMPY") + static_cast<char>(version) + '\0' + (version == 1 ? files::u16(header.size()) : files::u32(header.size())) + header + data;
}
std::string npy(const std::string& descr, const std::string& shape, const std::string& data, const std::string& fortran = "False") {
  return npy("{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }", data);
}
const std::string six = files::floats(6);

std::vector<double> all_of(const gf::Array& x) {
  std::vector<double> numbers(static_cast<std::size_t>(x.count()));
  x.read(0, x.count(), numbers.data());
  return numbers;
}

/// The one array of a file with these bytes.
gf::Array open(const std::string& bytes, bool bf16 = false) {
  const files::TemporaryFile file(bytes);
  return gf::open_arrays(file.path(), bf16).arrays.at(0).second;
}
std::string refusal(const std::string& bytes) {
  const files::TemporaryFile file(bytes);
  try {
    gf::open_arrays(file.path());
  } catch (const gf::Error& error) {
    CHECK_THAT(error.what(), Contains(file.path()));
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return error.what();
  }
  return "not refused";
}

struct TemporaryFolder {
  std::filesystem::path path;
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "goldfinch_arrays_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  void add(const std::string& name, const std::string& bytes) const { std::ofstream(path / name, std::ios::binary) << bytes; }
};

}  // namespace

TEST_CASE("A .npy file of every number type is read") {
  const auto check = [](const std::string& descr, const std::string& data, std::vector<double> numbers) {
    INFO(descr);
    CHECK(all_of(open(npy(descr, "(" + std::to_string(numbers.size()) + ",)", data))) == numbers);
  };
  check("<f8", raw(1.5) + raw(-2.5), {1.5, -2.5});
  check("<f4", raw(1.5f) + raw(-2.5f), {1.5, -2.5});
  check("<f2", files::u16(0x3c00) + files::u16(0xc000), {1, -2});
  check("<V2", files::u16(0x3f80) + files::u16(0xc000), {1, -2});
  check("|V2", files::u16(0x3f80), {1});
  check("<i8", raw(std::int64_t{-5}), {-5});
  check("<i4", raw(std::int32_t{-5}), {-5});
  check("<i2", raw(std::int16_t{-5}), {-5});
  check("|i1", raw(std::int8_t{-5}), {-5});
  check("<u8", raw(std::uint64_t{5}), {5});
  check("<u4", raw(std::uint32_t{4'000'000'000}), {4e9});
  check("<u2", raw(std::uint16_t{0xffff}), {65535});
  check("|u1", raw(std::uint8_t{255}), {255});
  check("|b1", raw(std::uint8_t{1}) + raw(std::uint8_t{0}), {1, 0});
  const auto reversed = [](std::string bytes) { return std::string(bytes.rbegin(), bytes.rend()); };
  check(">f8", reversed(raw(1.5)) + reversed(raw(-2.5)), {1.5, -2.5});
  check(">f4", reversed(raw(1.5f)) + reversed(raw(-2.5f)), {1.5, -2.5});
  check(">f2", std::string("\x3c\0\xc0\0", 4), {1, -2});
  check(">i4", reversed(raw(std::int32_t{-5})), {-5});
}

TEST_CASE("16-bit integers are bfloat16 where the caller says so") {
  const std::string bytes = npy("<u2", "(2,)", files::u16(0x3f80) + files::u16(0xc000));
  CHECK(all_of(open(bytes)) == std::vector<double>{0x3f80, 0xc000});
  CHECK(all_of(open(bytes, true)) == std::vector<double>{1, -2});
  CHECK(all_of(open(npy("<i2", "(1,)", files::u16(0xc000)), true)) == std::vector<double>{-2});
}

TEST_CASE("Fortran order, both versions, scalars and empty arrays are read") {
  CHECK(all_of(open(npy("<f4", "(2, 3)", six, "True"))) == std::vector<double>{1, 3, 5, 2, 4, 6});
  CHECK(all_of(open(npy("<f4", "(1, 2, 3)", six, "True"))) == std::vector<double>{1, 3, 5, 2, 4, 6});
  CHECK(open(npy("<f4", "(2, 3)", six)).shape == Shape{2, 3});
  CHECK(all_of(open(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", six, 2))) == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(all_of(open(npy("{\"shape\": (), 'fortran_order': False, 'descr': '<f8'}", raw(7.0)))) == std::vector<double>{7});
  for (const char* shape : {"(0, 3)", "(3, 0)", "(2, 0, 3)"})
    for (const char* fortran : {"False", "True"}) CHECK(all_of(open(npy("<f4", shape, "", fortran))).empty());
}

TEST_CASE("A view is read from any element on, in pieces of any length") {
  std::vector<double> data(2 * 3 * 5);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<double>(i);
  gf::Array x(gf::NumberType::f64, {2, 3, 5}, reinterpret_cast<const std::byte*>(data.data()), nullptr, true);
  std::swap(x.axes[0], x.axes[2]), std::swap(x.shape[0], x.shape[2]);
  x.axes[1].order = {2, 0, 1};
  x.scale = 2;
  const auto whole = all_of(x);
  CHECK(whole[0] == 2 * 4);                 // [0, 2 of data, 0]: 0 + 2 * 2 + 0
  CHECK(whole[6] == 2 * (6 + 2 * 2));       // [1, 2 of data, 0]: strides are 6, 2, 1
  for (Index first = 0; first < x.count(); ++first)
    for (Index n = 0; n <= x.count() - first; ++n) {
      std::vector<double> part(static_cast<std::size_t>(n));
      x.read(first, n, part.data());
      REQUIRE(std::equal(part.begin(), part.end(), whole.begin() + first));
    }
}

TEST_CASE("Damaged and foreign .npy files are refused with a reason") {
  const std::string good = npy("<f4", "(2, 3)", six);
  for (std::size_t n = 0; n < good.size(); ++n) REQUIRE(refusal(good.substr(0, n)) != "not refused");
  CHECK_THAT(refusal(good + "x"), Contains("25 bytes"));
  CHECK_THAT(refusal(npy("|O", "(2, 3)", six)), Contains("Python objects"));
  CHECK_THAT(refusal(npy("<c8", "(3,)", six)), Contains("'<c8'"));
  CHECK_THAT(refusal(npy("<U3", "(2,)", six)), Contains("'<U3'"));
  CHECK_THAT(refusal(npy("", "(6,)", six)), Contains("''"));
  CHECK_THAT(refusal(npy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (6,)}", six)), Contains("records"));
  CHECK_THAT(refusal(npy("<f4", "(2, 3)", six, "Maybe")), Contains("dict"));
  CHECK_THAT(refusal(npy("<f4", "(-2, 3)", six)), Contains("dict"));
  CHECK_THAT(refusal(npy("<f4", "(99999999999999999999, 3)", six)), Contains("dict"));
  CHECK_THAT(refusal(npy("<f4", "(576460752303423487, 9223372036854775807)", six)), Contains("dict") || Contains("takes"));
  CHECK_THAT(refusal(npy("<f4", "(4611686018427387904, 4)", six)), Contains("takes") || Contains("dict"));
  CHECK_THAT(refusal(npy("<f4", "(2, 4)", six)), Contains("24 bytes") && Contains("[2, 4]"));
  CHECK_THAT(refusal(npy("{'descr': '<f4', 'shape': (6,)}", six)), Contains("dict"));
  CHECK_THAT(refusal(npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", six)), Contains("dict"));
  CHECK_THAT(refusal(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} more", six)), Contains("dict"));
  CHECK_THAT(refusal(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", six, 3)), Contains("version 3.0"));
  const auto of_rank = [](int rank) {
    std::string ones;
    for (int i = 0; i < rank; ++i) ones += "1, ";
    return npy("<f4", "(" + ones + ")", raw(1.0f));
  };
  CHECK_THAT(refusal(of_rank(65)), Contains("has more than 64 dimensions"));
  CHECK(open(of_rank(64)).shape == Shape(64, 1));
  CHECK_THAT(refusal(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}" + std::string(1, '\0') + "anything", six)), Contains("dict"));
  CHECK_THAT(refusal(npy("<f4", "(0, 1099511627776, 1099511627776)", "")), Contains("takes"));  // whose strides nobody can count
  bits::Random random(5);
  for (int i = 0; i < 3000; ++i) {  // whatever is changed, it is read or refused
    std::string bad = good;
    for (int k = 0; k < 3; ++k) bad[static_cast<std::size_t>(random.below(static_cast<Index>(bad.size())))] = static_cast<char>(random.word());
    const files::TemporaryFile file(bad);
    try {
      for (const auto& [name, x] : gf::open_arrays(file.path()).arrays) all_of(x);
    } catch (const gf::Error&) {
    }
  }
}

TEST_CASE("An .npz archive is read in the order of its data; what is damaged, or holds nothing, is refused") {
  const files::TemporaryFile file(files::zip({{"b.npy", npy("<f4", "(6,)", six)}, {"a.npy", npy("<f8", "(1,)", raw(3.0))}}).bytes);
  const auto set = gf::open_arrays(file.path());
  REQUIRE(set.arrays.size() == 2);
  CHECK(set.arrays[0].first == "b");
  CHECK(all_of(set.arrays[0].second) == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(all_of(*set.find("a")) == std::vector<double>{3});
  CHECK(set.find("c") == nullptr);

  auto zip = files::zip({{"b.npy", npy("<f4", "(6,)", six)}});
  zip.bytes = files::with(zip.bytes, zip.central["b.npy"] + 10, files::u16(8));
  zip.bytes = files::with(zip.bytes, zip.local["b.npy"] + 8, files::u16(8));
  CHECK_THAT(refusal(zip.bytes), Contains("'b.npy'"));  // not compressed, though it says so
  CHECK_THAT(refusal(files::zip({{"readme", "x"}}).bytes), Contains("'readme'"));
  CHECK_THAT(refusal(files::zip({{"a.npy", "x"}}).bytes), Contains("'a.npy'"));
  CHECK_THAT(refusal(files::good_pth()), Contains("goldfinch convert"));
}

TEST_CASE("What is no array of numbers is a fault only where it is wanted") {
  const files::TemporaryFile npz(files::zip({{"a.npy", npy("<f8", "(1,)", raw(3.0))}, {"readme", "x"}, {"t.npy", npy("<U1", "()", raw(1))}}).bytes);
  const auto set = gf::open_arrays(npz.path());
  CHECK(set.arrays.size() == 1);
  CHECK(all_of(*set.find("a")) == std::vector<double>{3});
  CHECK(set.unreadable.size() == 2);
  CHECK_THROWS_AS(set.find("t"), gf::Unreadable);
  CHECK_THROWS_WITH(set.find("readme"), Contains("no .npy"));
  const files::TemporaryFile eight(files::safetensors(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "xy"));
  CHECK(all_of(*gf::open_arrays(eight.path()).find("b")) == std::vector<double>{'y'});
  CHECK_THROWS_AS(gf::open_arrays(eight.path()).find("a"), gf::Unreadable);
}

TEST_CASE("An array is found by its name among a hundred thousand, and where another entry is only called so") {
  gf::ArraySet set{"x", {}};
  for (int i = 0; i < 100000; ++i) set.arrays.emplace_back("blocks." + std::to_string(i), gf::Array());
  for (int i = 0; i < 100000; ++i) REQUIRE(set.find("blocks." + std::to_string(i)) == &set.arrays[static_cast<std::size_t>(i)].second);
  const files::TemporaryFile npz(files::zip({{"x", "text"}, {"x.npy", npy("<f8", "(1,)", raw(3.0))}}).bytes);
  CHECK(all_of(*gf::open_arrays(npz.path()).find("x")) == std::vector<double>{3});
}

TEST_CASE("A folder of .npy files is read in the order of its names, numbers by value") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(gf::open_arrays(folder.path), Contains("without .npy"));
  for (const char* name : {"blocks.10.out.npy", "blocks.2.out.npy", "a.npy", "notes.txt"}) folder.add(name, npy("<f4", "(6,)", six));
  const auto set = gf::open_arrays(folder.path);
  CHECK(set.folder);
  REQUIRE(set.arrays.size() == 3);
  CHECK(set.arrays[0].first == "a");
  CHECK(set.arrays[1].first == "blocks.2.out");
  CHECK(set.arrays[2].first == "blocks.10.out");
  folder.add("b.npy", "x");
  CHECK_THROWS_WITH(gf::open_arrays(folder.path), Contains("b.npy"));
}

TEST_CASE("A safetensors file is read in the order of its data, with integers too") {
  const files::TemporaryFile file(files::safetensors(R"({"z":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"BOOL","shape":[1],"data_offsets":[8,9]}})",
                                                     raw(std::int32_t{-7}) + raw(std::int32_t{9}) + "\1"));
  const auto set = gf::open_arrays(file.path());
  REQUIRE(set.arrays.size() == 2);
  CHECK(set.arrays[0].first == "z");
  CHECK(all_of(set.arrays[0].second) == std::vector<double>{-7, 9});
  CHECK(all_of(set.arrays[1].second) == std::vector<double>{1});
  CHECK_THAT(refusal(files::safetensors(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", "x")), Contains("F8_E4M3"));
}

TEST_CASE("What is none of these is refused") {
  CHECK_THAT(refusal(""), Contains("is empty"));
  CHECK_THAT(refusal(files::safetensors("{}", "")), Contains("no tensors"));
  CHECK_THAT(refusal("hello, world, this is text"), Contains("neither"));
  CHECK_THROWS_WITH(gf::open_arrays("/no/such/file"), Contains("/no/such/file"));
}
