// From tensors to parameters: the visitor that loading, and whoever makes weights in memory, gives to a parameter list.
#pragma once

#include <atomic>
#include <cmath>

#include "goldfinch/core/tensor.hpp"
#include "goldfinch/layers/embedding.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The type in which an engine of Scalars keeps weights of this type: float64 numbers are rounded to float when an engine of floats is filled,
/// once, so that no kernel has to.
template <class Scalar>
constexpr DType kept_type(DType stored) {
  return std::is_same_v<Scalar, float> && stored == DType::f64 ? DType::f32 : stored;
}

/// Fills one parameter from its tensor, whatever kind of member it is. Throws Error where the tensor's shape or type is none for that kind.
template <class Scalar>
struct Fill {
  explicit Fill(const Tensor& given) : tensor(given) {
    if (count() < 0) fail("a tensor of the shape ", to_string(tensor.shape), ", expected dimensions of 0 to ", largest_dimension, " and a product that fits");
    if (count() > 0 && !tensor.data) fail("a tensor of the shape ", to_string(tensor.shape), " without data");
    if (kept_type<Scalar>(tensor.dtype) == tensor.dtype) return;
    rounded = HugeBuffer(static_cast<std::size_t>(count()) * sizeof(float));
    auto* const to = reinterpret_cast<float*>(rounded.data());
    std::atomic<bool> found = false;
    parallel_for(count(), 65536, [&](Index begin, Index end) {
      bool here = false;
      for (Index i = begin; i < end; ++i) {
        to[i] = static_cast<float>(load<double>(given.data, static_cast<std::size_t>(i)));
        here |= std::isinf(to[i]);
      }
      if (here) found = true;
    });
    too_large = found;
    tensor.dtype = DType::f32, tensor.data = rounded.data();
  }
  /// From numbers in memory, as many as the shape has, the last dimension fastest.
  Fill(const Shape& shape, std::span<const double> numbers) : Fill(of(shape, numbers)) {}

  Tensor tensor;
  HugeBuffer rounded;
  bool too_large = false;  // a float64 number became infinite as a float

  Index size(std::size_t axis) const { return tensor.shape[axis]; }
  Index count() const { return element_count(tensor.shape); }
  const std::byte* at(Index element) const { return tensor.data + element * size_of(tensor.dtype); }
  /// The scales from a block on, if there are any.
  Scales scales(Index first = 0) const {
    if (tensor.dtype != DType::q8 || !tensor.scales) return {};
    return {tensor.scales + first * size_of(DType::bf16), scale_shape(tensor.shape)[1]};
  }

  void operator()(Vector<Scalar>& to, Role) const {
    to.resize(count());
    dispatch(tensor.dtype, [&]<class Stored>(Stored*) {
      for (Index i = 0; i < count(); ++i) to[i] = static_cast<Scalar>(widen(load<Stored>(tensor.data, static_cast<std::size_t>(i))));
    });
  }
  void operator()(Weight& to, Role role) const {
    require_rank(2);
    if (role == Role::matrix) to = Weight(tensor.dtype, tensor.data, size(0), size(1), size(1), 1, scales());
    else to = Weight(tensor.dtype, tensor.data, size(1), size(0), 1, size(1));  // LoRA matrices are stored [in, out]
  }
  void operator()(std::vector<Weight>& to, Role) const {  // [groups, rank, D]
    require_rank(3);
    to.clear();
    for (Index g = 0; g < size(0); ++g) to.emplace_back(tensor.dtype, at(g * size(1) * size(2)), size(2), size(1), 1, size(2));
  }
  void operator()(ConcatWeight& to, Role) const {  // [D, D + R]
    require_rank(2);
    if (size(1) < size(0)) fail("a matrix over [left; right] of the shape ", to_string(tensor.shape), ", expected at least as many columns as rows");
    if (tensor.dtype == DType::q8 && size(0) % q8_block != 0) fail("a matrix over [left; right] in q8 of ", size(0), " rows, expected a multiple of ", q8_block);
    const Index D = size(0), R = size(1) - D;
    to.left = Weight(tensor.dtype, tensor.data, D, D, D + R, 1, scales());
    to.right = Weight(tensor.dtype, at(D), D, R, D + R, 1, scales(D / q8_block));
  }
  void operator()(Table& to, Role) const {
    require_rank(2);
    to = Table(tensor.dtype, tensor.data, size(0), size(1));
  }

 private:
  static Tensor of(const Shape& shape, std::span<const double> numbers) {
    if (element_count(shape) != static_cast<Index>(numbers.size())) fail(numbers.size(), " numbers for a tensor of the shape ", to_string(shape));
    return {DType::f64, shape, reinterpret_cast<const std::byte*>(numbers.data())};
  }

  void require_rank(std::size_t rank) const {
    if (tensor.shape.size() != rank) fail("a tensor of the shape ", to_string(tensor.shape), ", expected one of ", rank, " dimensions");
  }
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
