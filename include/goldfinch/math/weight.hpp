// A linear weight [N outputs, K inputs] ready for y = x W^T: packed once, in the type it is stored in, in one layout for every
// scalar and instruction set,
//
//   panel p, input k, output n = 32 p + j   ->   data[(p K + k) 32 + j]                     [ceil(N/32)][K][32]
//
// so that 32 outputs of one input lie side by side, a step of decoding reads the bytes of a panel once and in order, and a
// matrix product reads them from the cache. The ragged end of the last panel is zero and never reaches a result.
//
// In q8, 64 inputs of an output share a scale, a bfloat16: W[n][k] = scale[n][k / 64] * q[n][k], q from -127 to 127. They are the
// inputs of a block of the sum (sum.hpp), which is why the scale multiplies the block and not the number: LIN.1 with scales is
// s = s + scale * (sum over the block of x * q). The 32 scales of a block of a panel lie before its numbers.
#pragma once

#include <bit>
#include <memory>
#include <tuple>
#include <type_traits>

#include "goldfinch/core/dtype.hpp"
#include "goldfinch/core/parallel.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/core/simd.hpp"
#include "goldfinch/math/sum.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

static_assert(q8_block == block);

/// Calls f with a null pointer to the type of a weight's numbers, q8 among them; see dispatch.
template <class F>
decltype(auto) dispatch_weight(DType type, F&& f) {
  if (type == DType::q8) return f(static_cast<Q8*>(nullptr));
  return dispatch(type, f);
}

/// The scales of q8 numbers: scale (n, block) is bfloat16 n * stride + block of `data`.
struct Scales {
  const std::byte* data = nullptr;
  Index stride = 0;
};

class Weight {
 public:
  /// Outputs in a panel.
  static constexpr Index panel = 32;

  /// Room for the 32 scales of a block of a panel, before its numbers, in numbers.
  template <class Stored>
  static constexpr Index scale_room = std::is_same_v<Stored, Q8> ? panel * static_cast<Index>(sizeof(BFloat16)) : 0;

  Weight() = default;

  /// Packs the matrix whose element (n, k) is element n * n_stride + k * k_stride of `data` (which may be misaligned), and in q8 its scales.
  /// Throws Error where there are numbers to pack and no data, or no scales in q8.
  Weight(DType dtype, const std::byte* data, Index N, Index K, Index n_stride, Index k_stride, Scales scales = {}) : dtype_(dtype), N_(N), K_(K) {
    if (element_count({N, K}) < 0) fail("a weight of ", N, " outputs and ", K, " inputs, expected 0 to ", largest_dimension, " of each and a product that fits");
    if (N > 0 && K > 0 && !data) fail("a weight [", N, ", ", K, "] without data");
    if (N > 0 && K > 0 && has_scales() && !scales.data) fail("a weight [", N, ", ", K, "] in q8 without scales: only matrices [out, in] may be in q8");
    data_ = slab_room(bytes());
    dispatch_weight(dtype, [&]<class Stored>(Stored*) {
      parallel_for(panels(), std::max<Index>(1, 65536 / (panel * std::max<Index>(K, 1))), [&](Index begin, Index end) {
        for (Index p = begin; p < end; ++p) {
          const Index width = std::min(panel, N - p * panel);
          for (Index k = 0; k < K; k += block) {
            const auto from = static_cast<std::size_t>(p * panel * n_stride + k * k_stride) * sizeof(Stored);
            pack(data + from, n_stride, k_stride, width, std::min(block, K - k), const_cast<Stored*>(numbers<Stored>(p, k)));
          }
          for (Index b = 0; scale_room<Stored> > 0 && b < blocks(K); ++b)
            for (Index j = 0; j < width; ++j)
              const_cast<BFloat16*>(block_scales(p, b))[j] = load<BFloat16>(scales.data, static_cast<std::size_t>((p * panel + j) * scales.stride + b));
        }
      });
    });
  }

  /// Of a matrix [N, K] as y = x W^T has it, or [K, N] as y = x W has it (LoRA). Scalar: float or double.
  template <class Scalar>
  static Weight out_in(const Matrix<Scalar>& W) { return of(W, W.rows(), W.cols(), W.cols(), 1); }
  template <class Scalar>
  static Weight in_out(const Matrix<Scalar>& W) { return of(W, W.cols(), W.rows(), 1, W.cols()); }

  Index N() const { return N_; }
  Index K() const { return K_; }
  DType dtype() const { return dtype_; }
  Index panels() const { return (N_ + panel - 1) / panel; }
  /// Bytes held, the padding of the last panel included; and what a weight of this type and shape would hold.
  std::size_t bytes() const { return bytes_for(dtype_, N_, K_); }
  static std::size_t bytes_for(DType dtype, Index N, Index K) {
    return dispatch_weight(dtype, [&]<class Stored>(Stored*) { return static_cast<std::size_t>((N + panel - 1) / panel * panel_numbers<Stored>(K)) * sizeof(Stored); });
  }

  /// Panel p from the block on that begins with input k: the block's scales, if it has any, then its numbers. Stored must be the type that
  /// dtype() names.
  template <class Stored>
  const Stored* panel_data(Index p, Index k = 0) const {
    return reinterpret_cast<const Stored*>(data_.get()) + p * panel_numbers<Stored>(K_) + k * panel + k / block * scale_room<Stored>;
  }

  /// Numbers that K inputs of a panel take, from the first of a block on, the room of their scales included.
  template <class Stored>
  static Index panel_numbers(Index K) {
    return K * panel + blocks(K) * scale_room<Stored>;
  }

  /// Element (n, k), widened exactly (an f64 weight in a float engine is rounded once); in q8 without its scale.
  template <class Scalar>
  Scalar element(Index n, Index k) const {
    return dispatch_weight(dtype_, [&]<class Stored>(Stored*) { return static_cast<Scalar>(widen(numbers<Stored>(n / panel, k)[n % panel])); });
  }

  /// Whether blocks have scales; and that of block b of output n, widened exactly.
  bool has_scales() const { return dtype_ == DType::q8; }
  template <class Scalar>
  Scalar scale(Index n, Index b) const {
    return static_cast<Scalar>(widen(block_scales(n / panel, b)[n % panel]));
  }

 private:
  static Index blocks(Index K) { return (K + block - 1) / block; }

  /// The 32 numbers of input k of panel p; the 32 scales of its block b.
  template <class Stored>
  const Stored* numbers(Index p, Index k) const {
    return panel_data<Stored>(p, k) + scale_room<Stored>;
  }
  const BFloat16* block_scales(Index p, Index b) const {
    return reinterpret_cast<const BFloat16*>(panel_data<Q8>(p, b * block));
  }

  /// `width` outputs of K inputs, at most a block, to [K][32].
  template <class Stored>
  static void pack(const std::byte* from, Index n_stride, Index k_stride, Index width, Index K, Stored* to) {
#if GOLDFINCH_SIMD
    if (k_stride == 1) {
      // The next block of 32 rows: too many streams for the processor to fetch ahead by itself.
      for (Index j = 0; j < width; ++j)
        for (Index i = 0; i < block * static_cast<Index>(sizeof(Stored)); i += 64) __builtin_prefetch(from + (j * n_stride + block) * static_cast<Index>(sizeof(Stored)) + i);
      using Word = std::tuple_element_t<std::bit_width(sizeof(Stored)) - 1, std::tuple<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>>;
      return turn_rows(from, n_stride, width, K, panel, reinterpret_cast<Word*>(to));
    }
#endif
    for (Index k = 0; k < K; ++k)
      for (Index j = 0; j < width; ++j) to[k * panel + j] = load<Stored>(from, static_cast<std::size_t>(j * n_stride + k * k_stride));
  }

  template <class Scalar>
  static Weight of(const Matrix<Scalar>& W, Index N, Index K, Index n_stride, Index k_stride) {
    static_assert(std::is_same_v<Scalar, float> || std::is_same_v<Scalar, double>);
    return Weight(sizeof(Scalar) == 4 ? DType::f32 : DType::f64, reinterpret_cast<const std::byte*>(W.data()), N, K, n_stride, k_stride);
  }

  DType dtype_ = DType::f32;
  Index N_ = 0, K_ = 0;
  std::shared_ptr<std::byte> data_;  // shared: copies of a model read the same bytes
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
