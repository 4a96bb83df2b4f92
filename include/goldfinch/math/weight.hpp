// A linear weight [N outputs, K inputs] ready for y = x W^T: packed once, in the type it is stored in, in one layout for every
// scalar and instruction set,
//
//   panel p, input k, output n = 32 p + j   ->   data[(p K + k) 32 + j]                     [ceil(N/32)][K][32]
//
// so that 32 outputs of one input lie side by side, a step of decoding reads the bytes of a panel once and in order, and a
// matrix product reads them from the cache. The ragged end of the last panel is zero and never reaches a result.
#pragma once

#include <memory>
#include <type_traits>

#include "goldfinch/core/dtype.hpp"
#include "goldfinch/core/parallel.hpp"
#include "goldfinch/core/platform.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class Weight {
 public:
  /// Outputs in a panel.
  static constexpr Index panel = 32;

  Weight() = default;

  /// Packs the matrix whose element (n, k) is element n * n_stride + k * k_stride of `data` (which may be misaligned).
  Weight(DType dtype, const std::byte* data, Index N, Index K, Index n_stride, Index k_stride) : dtype_(dtype), N_(N), K_(K) {
    const Index row_bytes = panel * size_of(dtype);
    data_ = std::make_shared<HugeBuffer>(static_cast<std::size_t>(panels() * K * row_bytes));
    dispatch(dtype, [&]<class Stored>(Stored*) {
      auto* const to = reinterpret_cast<Stored*>(data_->data());
      parallel_for(panels(), std::max<Index>(1, 65536 / (panel * std::max<Index>(K, 1))), [&](Index begin, Index end) {
        for (Index p = begin; p < end; ++p) {
          const Index width = std::min(panel, N - p * panel);
          for (Index k = 0; k < K; ++k)
            for (Index j = 0; j < width; ++j)
              to[(p * K + k) * panel + j] = load<Stored>(data, static_cast<std::size_t>((p * panel + j) * n_stride + k * k_stride));
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
  /// Bytes held, the padding of the last panel included.
  std::size_t bytes() const { return data_ ? data_->size() : 0; }

  /// The first number of panel p; Stored must be the type that dtype() names.
  template <class Stored>
  const Stored* panel_data(Index p) const {
    return reinterpret_cast<const Stored*>(data_->data()) + p * K_ * panel;
  }

  /// Element (n, k), widened exactly (an f64 weight in a float engine is rounded once).
  template <class Scalar>
  Scalar element(Index n, Index k) const {
    return dispatch(dtype_, [&]<class Stored>(Stored*) {
      return static_cast<Scalar>(widen(panel_data<Stored>(n / panel)[k * panel + n % panel]));
    });
  }

 private:
  template <class Scalar>
  static Weight of(const Matrix<Scalar>& W, Index N, Index K, Index n_stride, Index k_stride) {
    static_assert(std::is_same_v<Scalar, float> || std::is_same_v<Scalar, double>);
    return Weight(sizeof(Scalar) == 4 ? DType::f32 : DType::f64, reinterpret_cast<const std::byte*>(W.data()), N, K, n_stride, k_stride);
  }

  DType dtype_ = DType::f32;
  Index N_ = 0, K_ = 0;
  std::shared_ptr<HugeBuffer> data_;  // shared: copies of a model read the same bytes
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
