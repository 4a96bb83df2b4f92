// Weights, tables and parameters are made of tensors that fit them, and of no others.
#include "goldfinch/layers/fill.hpp"

#include <limits>

#include "refused.hpp"

namespace gf = goldfinch;
using gf::Index;

TEST_CASE("Weights and tables are refused without their numbers, without scales in q8, and in sizes that do not fit") {
  const std::byte data[64] = {};
  REFUSED(gf::Weight(gf::DType::q8, data, 2, 3, 3, 1), "a weight [2, 3] in q8 without scales");
  REFUSED(gf::Weight(gf::DType::f32, nullptr, 2, 3, 3, 1), "a weight [2, 3] without data");
  REFUSED(gf::Weight(gf::DType::u8, data, 2, 3, 3, 1), "u8");
  for (const Index n : {Index{-1}, Index{1} << 41, std::numeric_limits<Index>::max()}) {
    REFUSED(gf::Weight(gf::DType::f32, data, n, 3, 3, 1), "a weight of " + std::to_string(n) + " outputs");
    REFUSED(gf::Weight(gf::DType::f32, data, 0, n, 3, 1), std::to_string(n) + " inputs");
    REFUSED(gf::Table(gf::DType::f32, data, n, 3), "a table of " + std::to_string(n) + " rows");
    REFUSED(gf::Table(gf::DType::f32, data, 0, n), "rows of " + std::to_string(n) + " numbers");
  }
  REFUSED(gf::Table(gf::DType::q8, data, 2, 3), "q8");
  REFUSED(gf::Table(gf::DType::f32, nullptr, 2, 3), "without data");
  const gf::Table table(gf::DType::f32, data, 2, 3);
  double to[3];
  REFUSED(table.row(2, to), "id 2 is out of range: the embedding has 2 rows");
  REFUSED(table.row(-1, to), "id -1 is out of range");
  REFUSED(gf::Table().row(0, to), "has 0 rows");
}

TEST_CASE("A tensor fills only members of its rank, type and size") {
  const std::vector<double> numbers(12, 1);
  const auto fill = [&](auto member, const gf::Shape& shape, gf::Role role = gf::Role::matrix) { gf::Fill<float>(shape, numbers)(member, role); };
  CHECK_NOTHROW(fill(gf::Vector<float>(), {3, 4}));
  CHECK_NOTHROW(fill(gf::Weight(), {3, 4}));
  CHECK_NOTHROW(fill(std::vector<gf::Weight>(), {2, 2, 3}));
  CHECK_NOTHROW(fill(gf::ConcatWeight(), {3, 4}));
  CHECK_NOTHROW(fill(gf::Table(), {3, 4}));
  REFUSED(fill(gf::Vector<float>(), {3, 5}), "12 numbers for a tensor of the shape [3, 5]");
  REFUSED(fill(gf::Vector<float>(), {Index{1} << 62, Index{1} << 62}), "12 numbers for a tensor of the shape");
  for (const gf::Shape& shape : {gf::Shape{12}, gf::Shape{3, 2, 2}}) {
    REFUSED(fill(gf::Weight(), shape), "expected one of 2 dimensions");
    REFUSED(fill(gf::ConcatWeight(), shape), "expected one of 2 dimensions");
    REFUSED(fill(gf::Table(), shape), "expected one of 2 dimensions");
  }
  REFUSED(fill(std::vector<gf::Weight>(), {3, 4}), "expected one of 3 dimensions");
  REFUSED(fill(gf::ConcatWeight(), {4, 3}), "at least as many columns as rows");
  const std::byte data[64] = {};
  const auto q8 = [&](auto member, const gf::Shape& shape, gf::Role role) { gf::Fill<float>(gf::Tensor{gf::DType::q8, shape, data, data})(member, role); };
  CHECK_NOTHROW(q8(gf::Weight(), {3, 4}, gf::Role::matrix));
  REFUSED(q8(gf::Weight(), {3, 4}, gf::Role::lora_in), "q8 without scales");
  REFUSED(q8(std::vector<gf::Weight>(), {2, 2, 3}, gf::Role::lora_out), "q8 without scales");
  REFUSED(q8(gf::ConcatWeight(), {3, 4}, gf::Role::matrix), "expected a multiple of 64");
  REFUSED(q8(gf::Table(), {3, 4}, gf::Role::embedding), "q8");
  REFUSED(q8(gf::Vector<float>(), {3}, gf::Role::decay), "q8");
  gf::Weight to;
  REFUSED(gf::Fill<float>(gf::Tensor{gf::DType::q8, {3, 4}, data, nullptr})(to, gf::Role::matrix), "q8 without scales");
  REFUSED(gf::Fill<float>(gf::Tensor{gf::DType::f32, {3, 4}, nullptr}), "without data");
  REFUSED(gf::Fill<float>(gf::Tensor{gf::DType::f64, {-3}, data}), "a tensor of the shape [-3]");
}
