// A trace kept in memory: every intermediate of the forward passes that it is given to, as one tensor a name, to compare or to
// write to a file. The calls may cut a text into any pieces; the tensors come out whole. For one sequence: the rows of a batch
// would stand one after another, and the contexts of its sequences over each other.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "goldfinch/checkpoint/safetensors.hpp"
#include "goldfinch/core/trace.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// An intermediate in double, whatever scalar the model computes with.
struct RecordedTensor {
  std::string name;
  Shape shape;               // [T, columns]; a state [H, N, N]
  std::vector<double> data;  // row-major
};

template <class Scalar>
class Recording final : public TraceSink<Scalar> {
 public:
  /// Rows are appended.
  void rows(const std::string& name, const Matrix<Scalar>& value) override {
    RecordedTensor& to = matrix(name, value);
    copy(value, to, to.shape[0]);
  }
  /// Rows go to their positions, over what stood there.
  void context(const std::string& name, Index first, const Matrix<Scalar>& value) override {
    copy(value, matrix(name, value), first);
  }
  /// The last one stays.
  void state(const std::string& name, const Matrix<Scalar>& value, Index heads) override {
    RecordedTensor& to = tensor(name, Shape{heads, value.rows() / heads, value.cols()});
    to.data.resize(static_cast<std::size_t>(value.size()));
    std::transform(value.data(), value.data() + value.size(), to.data.begin(),
                   [](const Scalar& x) { return static_cast<double>(x); });
  }

  /// Everything, in the order of first arrival.
  const std::vector<RecordedTensor>& tensors() const { return tensors_; }

  /// The tensor of this name, or null.
  const RecordedTensor* find(const std::string& name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? nullptr : &tensors_[found->second];
  }

  /// Writes a safetensors file, all F64. Throws Error if it cannot be written.
  void write(const std::string& path) const {
    std::vector<std::pair<std::string, Tensor>> list;
    for (const auto& t : tensors_)
      list.push_back({t.name, {DType::f64, t.shape, reinterpret_cast<const std::byte*>(t.data.data())}});
    write_safetensors(path, list, {});
  }

 private:
  RecordedTensor& tensor(const std::string& name, Shape shape) {
    const auto [place, added] = places_.try_emplace(name, tensors_.size());
    if (added) tensors_.push_back({name, std::move(shape), {}});
    return tensors_[place->second];
  }

  RecordedTensor& matrix(const std::string& name, const Matrix<Scalar>& value) {
    RecordedTensor& t = tensor(name, Shape{0, value.cols()});
    require_cols(value, t.shape[1], name.c_str());
    return t;
  }

  /// Puts rows at first, first + 1, …; the vector grows by doubling, so pieces of any size cost no more than the whole.
  static void copy(const Matrix<Scalar>& value, RecordedTensor& to, Index first) {
    to.shape[0] = std::max(to.shape[0], first + value.rows());
    to.data.resize(static_cast<std::size_t>(to.shape[0] * value.cols()));
    std::transform(value.data(), value.data() + value.size(), to.data.begin() + first * value.cols(),
                   [](const Scalar& x) { return static_cast<double>(x); });
  }

  std::vector<RecordedTensor> tensors_;
  std::map<std::string, std::size_t> places_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
