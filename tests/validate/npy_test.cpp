#include "goldfinch/validate/npy.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

using namespace goldfinch;
using Catch::Contains;

namespace {

/// A path in a folder of its own, which goes away with it.
struct TemporaryPath {
  std::filesystem::path folder;
  TemporaryPath() {
    std::string name = (std::filesystem::temp_directory_path() / "goldfinch_npy_XXXXXX").string();
    if (!::mkdtemp(name.data())) fail("cannot make a folder like ", name);
    folder = name;
  }
  ~TemporaryPath() { std::filesystem::remove_all(folder); }
  std::string path() const { return (folder / "x.npy").string(); }
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Reads what the format's description says, by itself: magic, version, header length, header, then the numbers.
template <class Scalar>
Matrix<Scalar> parse(const std::string& bytes, const std::string& header) {
  REQUIRE(bytes.size() >= 10);
  REQUIRE(bytes.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
  const std::size_t length = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  REQUIRE((10 + length) % 64 == 0);
  REQUIRE(bytes.size() >= 10 + length);
  const std::string text = bytes.substr(10, length);
  REQUIRE(text.substr(0, header.size()) == header);
  REQUIRE(text.find_first_not_of(' ', header.size()) == length - 1);
  REQUIRE(text.back() == '\n');
  long rows = -1, cols = -1;
  REQUIRE(std::sscanf(text.c_str() + text.find("'shape': ("), "'shape': (%ld, %ld)", &rows, &cols) == 2);
  Matrix<Scalar> x(rows, cols);
  REQUIRE(bytes.size() - 10 - length == static_cast<std::size_t>(x.size()) * sizeof(Scalar));
  std::copy(bytes.begin() + 10 + static_cast<std::ptrdiff_t>(length), bytes.end(), reinterpret_cast<char*>(x.data()));
  return x;
}

template <class Scalar>
Matrix<Scalar> numbers(Index rows, Index cols) {
  Matrix<Scalar> x(rows, cols);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = Scalar(1) / Scalar(i + 1);
  return x;
}

}  // namespace

TEST_CASE("a .npy file holds the rows that were written, in the stated type, shape and order") {
  const TemporaryPath place;
  const auto x = numbers<double>(5, 3);
  NpyWriter f64(place.path(), DType::f64, 5, 3);
  f64.write(Matrix<double>(x.topRows(2)));
  f64.write(Matrix<double>(0, 3));
  f64.write(Matrix<double>(x.bottomRows(3)));
  REQUIRE_FALSE(std::filesystem::exists(place.path()));
  f64.commit();
  REQUIRE(parse<double>(read(place.path()), "{'descr': '<f8', 'fortran_order': False, 'shape': (5, 3), }") == x);

  NpyWriter f32(place.path(), DType::f32, 5, 3);
  f32.write(numbers<float>(5, 3));
  f32.commit();
  REQUIRE(parse<float>(read(place.path()), "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 3), }") ==
          numbers<float>(5, 3));
}

TEST_CASE("numbers of another type are rounded to the file's, and shapes may be empty") {
  const TemporaryPath place;
  NpyWriter file(place.path(), DType::f64, 2, 2);
  file.write(numbers<long double>(2, 2));
  file.commit();
  REQUIRE(parse<double>(read(place.path()), "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }") ==
          Matrix<double>(numbers<long double>(2, 2).cast<double>()));

  NpyWriter empty(place.path(), DType::f32, 0, 7);
  empty.commit();
  REQUIRE(parse<float>(read(place.path()), "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 7), }").size() == 0);
}

TEST_CASE("a .npy file with missing, surplus or misshapen rows is refused, and what was there stays") {
  const TemporaryPath place;
  std::ofstream(place.path()) << "before";
  {
    NpyWriter file(place.path(), DType::f32, 2, 3);
    file.write(numbers<float>(1, 3));
    REQUIRE_THROWS_WITH(file.commit(), Contains("1 rows were written, expected 2"));
    REQUIRE_THROWS_WITH(file.write(numbers<float>(2, 3)), Contains("row 3 was written, expected 2 rows"));
    REQUIRE_THROWS_WITH(file.write(numbers<float>(1, 4)), Contains("has 4 columns, expected 3"));
  }
  REQUIRE_THROWS_WITH(NpyWriter(place.path(), DType::bf16, 1, 1), Contains("bf16"));
  REQUIRE_THROWS_WITH(NpyWriter(place.path(), DType::f32, -1, 1), Contains("[-1, 1]"));
  REQUIRE_THROWS_WITH(NpyWriter(place.path() + "/x", DType::f32, 1, 1), Contains("cannot write"));
  REQUIRE(read(place.path()) == "before");
  REQUIRE(std::distance(std::filesystem::directory_iterator(place.folder), {}) == 1);
}
