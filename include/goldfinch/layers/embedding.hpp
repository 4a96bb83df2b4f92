// The embedding, and the "original embedding" x0 that GOLD layers come back to.
//
//   EMB.1   x0[t] = LN(emb[token[t]]; ln0)                    [D], a function of the token id alone
//
// It is the first residual stream, and the only source of GOLD's values: nothing else about a token's value needs a cache.
#pragma once

#include "goldfinch/core/platform.hpp"
#include "goldfinch/layers/parameters.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// A [V, D] table in its stored type, rows contiguous.
class Table {
 public:
  Table() = default;
  /// Copies V * D numbers, of a type that stand for themselves (not q8).
  Table(DType dtype, const std::byte* data, Index V, Index D) : dtype_(dtype), V_(V), D_(D) {
    const Index count = element_count({V, D});
    if (count < 0) fail("a table of ", V, " rows of ", D, " numbers, expected 0 to ", largest_dimension, " of each and a product that fits");
    if (count > 0 && !data) fail("a table [", V, ", ", D, "] without data");
    const auto bytes = dispatch(dtype, [&]<class Stored>(Stored*) { return static_cast<std::size_t>(count) * sizeof(Stored); });
    data_ = std::make_shared<HugeBuffer>(bytes);
    if (bytes > 0) std::memcpy(data_->data(), data, bytes);
  }

  Index V() const { return V_; }
  Index D() const { return D_; }
  std::size_t bytes() const { return data_ ? data_->size() : 0; }

  /// Row i, widened exactly. Throws Error unless 0 <= i < V.
  template <class Scalar>
  void row(Index i, Scalar* to) const {
    if (i < 0 || i >= V_) fail("id ", i, " is out of range: the embedding has ", V_, " rows");
    dispatch(dtype_, [&]<class Stored>(Stored*) {
      const Stored* const from = reinterpret_cast<const Stored*>(data_->data()) + i * D_;
      for (Index j = 0; j < D_; ++j) to[j] = static_cast<Scalar>(widen(from[j]));
    });
  }

 private:
  DType dtype_ = DType::f32;
  Index V_ = 0, D_ = 0;
  std::shared_ptr<HugeBuffer> data_;
};

template <class Scalar>
class Embedding {
 public:
  template <class Visitor>
  void parameters(const Dimensions& n, Visitor&& visit) {
    visit("emb.weight", table, Shape{n.V, n.D}, Role::embedding);
    visit_norm("blocks.0.ln0", ln0, n.D, visit);
  }

  Index vocabulary_size() const { return table.V(); }

  /// EMB.1 for ids[0 .. n-1]: [n, D]. Throws Error unless all are in [0, V).
  template <class Id>
  [[nodiscard]] Matrix<Scalar> rows(const Id* ids, Index n) const {
    if (n < 0) fail("an embedding of ", n, " ids, expected 0 or more");
    Matrix<Scalar> x(n, table.D());
    for_rows(n, table.D(), [&](Index t) { table.row(static_cast<Index>(ids[t]), x.data() + t * table.D()); });
    return layer_norm(x, ln0);  // EMB.1
  }

 private:
  Table table;         // [V, D]
  Affine<Scalar> ln0;  // [D]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
