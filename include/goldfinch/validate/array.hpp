// Numbers where they lie, of any type and in any order: a view that reads as doubles. What frameworks write (Fortran order,
// integers, bfloat16, transposed weights, permuted groups) is read in place, a block at a time, and never copied whole.
//
//   element e of the view, counted along `axes` from the last one fastest, is    scale * data[sum over axes of place(i) * stride]
//
// The shape is what others see; the axes are how it is walked. Usually they are the same, but a dimension may consist of several
// axes (rearrange.hpp). Read-only, and not a matrix: nothing is computed here.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "goldfinch/core/dtype.hpp"
#include "goldfinch/core/tensor.hpp"
#include "goldfinch/math/functions.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

enum class NumberType { f64, f32, bf16, f16, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

/// A number type with its size in bytes and its spelling in safetensors.
struct NumberTypeInfo {
  NumberType type;
  int size;
  const char* name;
};

inline constexpr NumberTypeInfo number_types[] = {
    {NumberType::f64, 8, "F64"}, {NumberType::f32, 4, "F32"}, {NumberType::bf16, 2, "BF16"}, {NumberType::f16, 2, "F16"},
    {NumberType::i64, 8, "I64"}, {NumberType::i32, 4, "I32"}, {NumberType::i16, 2, "I16"},   {NumberType::i8, 1, "I8"},
    {NumberType::u64, 8, "U64"}, {NumberType::u32, 4, "U32"}, {NumberType::u16, 2, "U16"},   {NumberType::u8, 1, "U8"},
    {NumberType::boolean, 1, "BOOL"}};

inline const NumberTypeInfo& info_of(NumberType type) { return number_types[static_cast<int>(type)]; }

/// Calls f with a null pointer to the C++ type of a number type. A boolean is a byte.
template <class F>
decltype(auto) dispatch(NumberType type, F&& f) {
  switch (type) {
    case NumberType::f64: return f(static_cast<double*>(nullptr));
    case NumberType::f32: return f(static_cast<float*>(nullptr));
    case NumberType::bf16: return f(static_cast<BFloat16*>(nullptr));
    case NumberType::f16: return f(static_cast<Float16*>(nullptr));
    case NumberType::i64: return f(static_cast<std::int64_t*>(nullptr));
    case NumberType::i32: return f(static_cast<std::int32_t*>(nullptr));
    case NumberType::i16: return f(static_cast<std::int16_t*>(nullptr));
    case NumberType::i8: return f(static_cast<std::int8_t*>(nullptr));
    case NumberType::u64: return f(static_cast<std::uint64_t*>(nullptr));
    case NumberType::u32: return f(static_cast<std::uint32_t*>(nullptr));
    case NumberType::u16: return f(static_cast<std::uint16_t*>(nullptr));
    case NumberType::u8:
    case NumberType::boolean: break;
  }
  return f(static_cast<std::uint8_t*>(nullptr));
}

/// A function of every number, applied as it is read: others hand their kernels the decay in other forms than w.
enum class Elementwise { none, minus_exp, exp_minus_exp };

class Array {
 public:
  struct Axis {
    Index size, stride;        // in elements; a stride may be negative
    std::vector<Index> order;  // the places along the axis in the order of reading; empty: 0, 1, 2, …
  };

  NumberType type = NumberType::f64;
  Shape shape;
  std::vector<Axis> axes;
  const std::byte* data = nullptr;  // may be misaligned
  bool big_endian = false;          // the bytes of each number, the highest first
  double scale = 1;
  Elementwise function = Elementwise::none;  // after the scale
  std::shared_ptr<const void> storage;       // what data points into, or null where the caller keeps it

  Array() = default;
  /// Row-major numbers, or column-major ones (`fortran`: the first index fastest). The shape must have been checked.
  Array(NumberType number_type, Shape dimensions, const std::byte* bytes, std::shared_ptr<const void> owner = nullptr, bool fortran = false)
      : type(number_type), shape(std::move(dimensions)), data(bytes), storage(std::move(owner)) {
    axes.resize(shape.size());
    Index stride = 1;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      const std::size_t axis = fortran ? i : shape.size() - 1 - i;
      axes[axis] = {shape[axis], stride, {}};
      stride *= shape[axis];
    }
  }

  /// A view of numbers in memory, which the caller keeps: of a matrix, or of a vector with a shape.
  template <class Scalar>
  static Array view(const Scalar* numbers, Shape shape) {
    static_assert(std::is_same_v<Scalar, double> || std::is_same_v<Scalar, float>, "views are of double or float");
    const auto type = std::is_same_v<Scalar, double> ? NumberType::f64 : NumberType::f32;
    return Array(type, std::move(shape), reinterpret_cast<const std::byte*>(numbers));
  }
  template <class Scalar>
  static Array view(const Matrix<Scalar>& x) { return view(x.data(), Shape{x.rows(), x.cols()}); }

  Index count() const { return element_count(shape); }

  /// Elements first .. first + n - 1 of the view as doubles; integers beyond 2^53 are rounded.
  void read(Index first, Index n, double* out) const {
    dispatch(type, [&]<class Stored>(Stored*) {
      if (contiguous()) read_run<Stored>(first, 1, n, out);
      else read_strided<Stored>(first, n, out);
    });
    if (scale != 1)
      for (Index i = 0; i < n; ++i) out[i] *= scale;
    if (function == Elementwise::none) return;
    for (Index i = 0; i < n; ++i) out[i] = -goldfinch::exp(out[i]);
    if (function == Elementwise::exp_minus_exp)
      for (Index i = 0; i < n; ++i) out[i] = goldfinch::exp(out[i]);
  }

  /// Forgets the rows beyond those of `wanted`, if it is this shape with fewer of them. For views whose axes are their dimensions.
  void keep_first_rows(const Shape& wanted) {
    if (axes.size() != shape.size() || wanted.size() != shape.size() || wanted.empty() || wanted[0] > shape[0]) return;
    if (!std::equal(wanted.begin() + 1, wanted.end(), shape.begin() + 1)) return;
    shape[0] = axes[0].size = wanted[0];
  }

  /// Whether the numbers lie one after another in memory, as they do in a file of tensors.
  bool plain() const { return contiguous() && !big_endian && scale == 1 && function == Elementwise::none; }

  /// The same numbers, in the same order, in another shape; nothing where it has another number of elements, or where dimensions are
  /// not of one axis each.
  std::optional<Array> reshaped(const Shape& wanted) const {
    if (axes.size() != shape.size() || element_count(wanted) != count()) return std::nullopt;
    Array result = *this;
    result.shape = wanted;
    return result;
  }

  /// The same numbers with the last two dimensions exchanged. For views whose axes are their dimensions.
  Array transposed() const {
    Array result = *this;
    const std::size_t n = shape.size();
    if (n < 2 || axes.size() != n) fail("only a view of two or more dimensions can be transposed");
    std::swap(result.shape[n - 1], result.shape[n - 2]);
    std::swap(result.axes[n - 1], result.axes[n - 2]);
    return result;
  }

 private:
  bool contiguous() const {
    Index stride = 1;
    for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
      if ((axis->stride != stride && axis->size > 1) || !axis->order.empty()) return false;
      stride *= axis->size;
    }
    return true;
  }

  template <class Stored>
  void read_run(Index at, Index stride, Index n, double* out) const {
    for (Index i = 0; i < n; ++i) {
      std::byte bytes[sizeof(Stored)];
      std::memcpy(bytes, data + (at + i * stride) * static_cast<Index>(sizeof bytes), sizeof bytes);
      if (big_endian) std::reverse(std::begin(bytes), std::end(bytes));
      Stored x;
      std::memcpy(&x, bytes, sizeof x);
      if constexpr (std::is_integral_v<Stored>) out[i] = static_cast<double>(x);
      else out[i] = static_cast<double>(widen(x));
    }
  }

  /// One run along the last axis after another, the axes before it turning like an odometer.
  template <class Stored>
  void read_strided(Index first, Index n, double* out) const {
    if (n == 0) return;  // there may be no element
    std::vector<Index> at(axes.size());
    for (std::size_t a = axes.size(); a-- > 0; first /= axes[a].size) at[a] = first % axes[a].size;
    const Axis& last = axes.back();
    while (n > 0) {
      Index start = 0;
      for (std::size_t a = 0; a + 1 < axes.size(); ++a) start += place(axes[a], at[a]) * axes[a].stride;
      const Index run = std::min(n, last.size - at.back());
      if (last.order.empty()) {
        read_run<Stored>(start + at.back() * last.stride, last.stride, run, out);
      } else {
        for (Index i = 0; i < run; ++i) read_run<Stored>(start + place(last, at.back() + i) * last.stride, 1, 1, out + i);
      }
      n -= run, out += run, at.back() += run;
      for (std::size_t a = axes.size(); a-- > 1 && at[a] == axes[a].size;) at[a] = 0, ++at[a - 1];
    }
  }

  static Index place(const Axis& axis, Index i) { return axis.order.empty() ? i : axis.order[static_cast<std::size_t>(i)]; }
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
