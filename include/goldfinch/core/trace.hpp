// Intermediates on their way through a layer. A layer writes   const auto k = trace("k", …);   under the names of the golden
// traces; without a sink that is a move and nothing else. With one, the sink sees a copy: to record, to compare, to print.
#pragma once

#include <string>
#include <utility>

#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Receives intermediates by full name ("blocks.3.att.k"). Chunked calls deliver a tensor in several pieces.
template <class Scalar>
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  /// The rows of this call's tokens; the next call's rows follow them.
  virtual void rows(const std::string& name, const Matrix<Scalar>& value) = 0;
  /// Rows that belong to positions first, first + 1, … of the context; delivered again whenever they are rebuilt.
  virtual void context(const std::string&, Index /*first*/, const Matrix<Scalar>&) {}
  /// A state after the call, [H N, N]; the last one counts.
  virtual void state(const std::string&, const Matrix<Scalar>&, Index /*heads*/) {}
  /// After rows or context (`first` is 0 for rows): what the computation goes on with. A sink that leads a model along a reference puts
  /// the reference's rows here, so that every step shows its own error only.
  virtual void replace(const std::string&, Index /*first*/, Matrix<Scalar>&) {}
};

/// A sink, or none, with the prefix of the names that are written through it.
template <class Scalar>
class Trace {
 public:
  Trace() = default;
  explicit Trace(TraceSink<Scalar>* sink, std::string prefix = "") : sink_(sink), prefix_(std::move(prefix)) {}

  explicit operator bool() const { return sink_ != nullptr; }

  /// The same sink under a longer prefix.
  Trace scope(const std::string& name) const { return sink_ ? Trace(sink_, prefix_ + name + ".") : Trace(); }

  Matrix<Scalar> operator()(const char* name, Matrix<Scalar> value) const {
    if (sink_) sink_->rows(prefix_ + name, value), sink_->replace(prefix_ + name, 0, value);
    return value;
  }
  Matrix<Scalar> context(const char* name, Index first, Matrix<Scalar> value) const {
    if (sink_) sink_->context(prefix_ + name, first, value), sink_->replace(prefix_ + name, first, value);
    return value;
  }
  void state(const char* name, const Matrix<Scalar>& value, Index heads) const {
    if (sink_) sink_->state(prefix_ + name, value, heads);
  }

 private:
  TraceSink<Scalar>* sink_ = nullptr;
  std::string prefix_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
