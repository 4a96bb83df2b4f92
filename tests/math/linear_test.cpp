#include "goldfinch/math/linear.hpp"

#include <catch2/catch.hpp>

#include "bits.hpp"
#include "threads.hpp"

namespace gf = goldfinch;
using gf::DType, gf::Index, gf::Matrix, gf::Weight;

namespace {

constexpr DType all_stored[] = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::q8};

/// N x K numbers in a stored type, row-major, `offset` bytes into their buffer; ordinary ones or hostile ones.
struct Numbers {
  DType dtype;
  Index N, K;
  std::vector<std::byte> bytes;
  std::size_t offset;
  std::vector<gf::BFloat16> scales;  // of q8

  Numbers(DType type, Index n, Index k, bool hostile, std::size_t at = 0)
      : dtype(type), N(n), K(k), bytes(static_cast<std::size_t>(n * k * size_of(type)) + at), offset(at) {
    bits::Random random(static_cast<std::uint64_t>(n * 1000 + k));
    for (Index i = 0; i < n * k; ++i) {
      const double x = hostile ? random.hostile<double>() : random.number();
      const float y = hostile ? random.hostile<float>() : static_cast<float>(x);
      const auto put = [&](auto number) {
        std::memcpy(bytes.data() + offset + static_cast<std::size_t>(i) * sizeof number, &number, sizeof number);
      };
      if (type == DType::f64) put(x);
      if (type == DType::f32) put(y);
      if (type == DType::bf16) put(gf::to_bfloat16(y));
      if (type == DType::f16) put(gf::to_float16(y));
      if (type == DType::q8) put(gf::Q8{static_cast<std::int8_t>(random.below(255) - 127)});
    }
    for (Index i = 0; type == DType::q8 && i < n * blocks(); ++i) scales.push_back(gf::to_bfloat16(std::abs(hostile ? random.hostile<float>() : static_cast<float>(random.number()))));
  }
  const std::byte* data() const { return bytes.data() + offset; }
  Index blocks() const { return (K + 63) / 64; }
  Weight weight() const { return {dtype, data(), N, K, K, 1, {reinterpret_cast<const std::byte*>(scales.data()), blocks()}}; }

  template <class Scalar>
  Scalar element(Index n, Index k) const {
    return gf::dispatch_weight(dtype, [&]<class Stored>(Stored*) {
      return static_cast<Scalar>(gf::widen(gf::load<Stored>(data(), static_cast<std::size_t>(n * K + k))));
    });
  }
};

/// LIN.2 from the unpacked numbers, as rules 2 and 3 of docs/numerics.md word it.
template <class Scalar>
Matrix<Scalar> by_the_rule(const Matrix<Scalar>& x, const Numbers& W, Matrix<Scalar> y) {
  for (Index t = 0; t < x.rows(); ++t)
    for (Index n = 0; n < W.N; ++n)
      for (Index first = 0; first < W.K; first += 64) {
        Scalar c(0);
        for (Index k = first; k < std::min<Index>(first + 64, W.K); ++k) {
          const Scalar product = x(t, k) * W.element<Scalar>(n, k);
          c = c + product;
        }
        if (W.dtype == DType::q8) c = static_cast<Scalar>(gf::widen(W.scales[static_cast<std::size_t>(n * W.blocks() + first / 64)])) * c;
        y(t, n) = y(t, n) + c;
      }
  return y;
}

template <class Scalar>
bool fast_is_the_rule(Index T, const Numbers& W, bool hostile) {
  bits::Random random(static_cast<std::uint64_t>(T));
  const auto x = hostile ? random.hostile_matrix<Scalar>(T, W.K) : random.matrix<Scalar>(T, W.K);
  return bits::same(gf::linear(x, W.weight()), by_the_rule<Scalar>(x, W, Matrix<Scalar>::Zero(T, W.N)));
}

}  // namespace

TEMPLATE_TEST_CASE("LIN.1 the fast product is the plain sum bit for bit, on ragged shapes and every stored type", "", float,
                   double) {
  for (const DType type : all_stored)
    for (const Index N : {0, 1, 31, 32, 33, 63, 64, 65})
      for (const Index K : {0, 1, 2, 31, 63, 64, 65, 129}) {
        const Numbers W(type, N, K, false);
        for (const Index T : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 24, 25, 36, 37, 72, 73}) {
          INFO(gf::name_of(type) << ", T = " << T << ", N = " << N << ", K = " << K);
          REQUIRE(fast_is_the_rule<TestType>(T, W, false));
        }
      }
}

TEMPLATE_TEST_CASE("LIN.1 the fast product is the plain sum for denormals, infinities, NaN and huge numbers", "", float, double) {
  for (const DType type : all_stored)
    for (const Index N : {1, 33, 64}) {
      const Numbers W(type, N, 70, true);
      for (const Index T : {1, 2, 4, 5, 12, 13, 40, 80}) {
        INFO(gf::name_of(type) << ", T = " << T << ", N = " << N);
        REQUIRE(fast_is_the_rule<TestType>(T, W, true));
      }
    }
}

TEMPLATE_TEST_CASE("LIN.1 does not depend on the number of threads, nor on how rows are divided among caches", "", float,
                   double) {
  struct Case {
    Index T, N, K;
  };
  for (const Case& c : {Case{1, 300, 700}, Case{2, 300, 700}, Case{5, 170, 400}, Case{130, 40, 2100}, Case{100, 520, 700}, Case{900, 33, 9}, Case{530, 70, 130}}) {
    for (const DType type : {DType::bf16, DType::q8}) {
      const Numbers W(type, c.N, c.K, false);
      bits::Random random;
      const auto x = random.matrix<TestType>(c.T, c.K);
      const auto expected = by_the_rule<TestType>(x, W, Matrix<TestType>::Zero(c.T, c.N));
      threads::on_1_2_and_5([&] {
        INFO(gf::name_of(type) << ", T = " << c.T << ", N = " << c.N << ", K = " << c.K);
        CHECK(bits::same(gf::linear(x, W.weight()), expected));
      });
    }
  }
}

TEMPLATE_TEST_CASE("LIN.1 a row of the result depends on that row alone", "", float, double) {
  const Numbers W(DType::f32, 50, 130, false);
  bits::Random random;
  const auto x = random.matrix<TestType>(40, 130);
  const auto whole = gf::linear(x, W.weight());
  for (const Index n : {1, 2, 3, 7, 13, 39}) {
    const Matrix<TestType> part = x.middleRows(40 - n, n);
    CHECK(bits::same(gf::linear(part, W.weight()), whole.bottomRows(n)));
  }
}

TEMPLATE_TEST_CASE("LIN.2 a sum is continued from what the result holds, on every path", "", float, double) {
  for (const DType type : {DType::bf16, DType::q8}) {
    const Numbers W(type, 45, 100, false);
    for (const Index T : {1, 2, 5, 12, 30, 80}) {
      bits::Random random;
      const auto x = random.matrix<TestType>(T, 100);
      const auto start = random.matrix<TestType>(T, 45);
      auto y = start;
      gf::linear_onto(x, W.weight(), y);
      INFO(gf::name_of(type) << ", T = " << T);
      CHECK(bits::same(y, by_the_rule<TestType>(x, W, start)));
    }
  }
}

TEST_CASE("LIN.2 the plain loop on packed weights is the plain sum on unpacked ones") {
  for (const DType type : all_stored) {
    const Numbers W(type, 37, 70, true);
    bits::Random random;
    const auto x = random.hostile_matrix<double>(3, 70);
    Matrix<double> y = Matrix<double>::Zero(3, 37);
    gf::plain::linear_onto(3, x.data(), 70, W.weight(), y.data(), 37);
    CHECK(bits::same(y, by_the_rule<double>(x, W, Matrix<double>::Zero(3, 37))));
  }
}

TEMPLATE_TEST_CASE("Weights may be misaligned in their file, and the input columns of a wider matrix", "", float, double) {
  for (const DType type : all_stored) {
    const Numbers aligned(type, 40, 24, false), shifted(type, 40, 24, false, 1);
    bits::Random random;
    const auto wide = random.matrix<TestType>(14, 100);
    for (const Index T : {1, 3, 14}) {
      const Matrix<TestType> rows = wide.topRows(T), x = rows.middleCols(50, 24);
      CHECK(bits::same(gf::linear(rows.middleCols(50, 24), shifted.weight()), gf::linear(x, aligned.weight())));
    }
  }
}

TEST_CASE("A weight stored [in, out] is packed to the same numbers as its transpose") {
  for (const DType type : gf::all_dtypes) {
    const Numbers W(type, 5, 70, false);
    const Weight stored(type, W.data(), 70, 5, 1, 70);  // 70 outputs of 5 inputs
    for (Index n = 0; n < 70; ++n)
      for (Index k = 0; k < 5; ++k) REQUIRE(stored.element<double>(n, k) == W.element<double>(k, n));
  }
}

TEST_CASE("An f64 weight in a float engine is rounded once, and narrower ones are exact") {
  const Numbers wide(DType::f64, 33, 3, false), narrow(DType::f16, 33, 3, false);
  const Matrix<float> x = Matrix<float>::Identity(3, 3);
  const auto y = gf::linear(x, wide.weight());
  const auto z = gf::linear(x, narrow.weight());
  for (Index n = 0; n < 33; ++n)
    for (Index k = 0; k < 3; ++k) {
      CHECK(y(k, n) == static_cast<float>(wide.element<double>(n, k)));
      CHECK(static_cast<double>(z(k, n)) == narrow.element<double>(n, k));
    }
}

TEST_CASE("A linear layer names the width that it expects") {
  const Numbers W(DType::f32, 4, 3, false);
  CHECK_THROWS_WITH(gf::linear(Matrix<float>(Matrix<float>::Zero(2, 5)), W.weight()), Catch::Contains("5 columns, expected 3"));
}
