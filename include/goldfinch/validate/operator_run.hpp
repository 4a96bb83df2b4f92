// One run of an operator in one scalar: its tensors in, as matrices of that scalar; whatever it computes out, in order, under the
// names of its description. A run may be led: each intermediate, once recorded, is replaced by a reference's, so that what is
// recorded next shows that step's own error and nothing of what came before.
#pragma once

#include <functional>
#include <memory>

#include "goldfinch/checkpoint/safetensors.hpp"
#include "goldfinch/core/segments.hpp"
#include "goldfinch/core/trace.hpp"
#include "goldfinch/layers/fill.hpp"
#include "goldfinch/validate/operator.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// A computed tensor. long double holds what float, double and long double compute exactly, so that it serves to measure double.
struct ResultTensor {
  std::string name;
  TensorRole role;
  Shape shape;
  std::vector<long double> data;  // row-major
};

using Results = std::vector<ResultTensor>;

inline const ResultTensor* find(const Results& results, const std::string& name) {
  for (const ResultTensor& tensor : results)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

/// The float64 bytes that a file of results holds. NaN has one encoding (docs/numerics.md, rule 1).
inline std::vector<double> stored_numbers(const ResultTensor& tensor) {
  std::vector<double> numbers(tensor.data.begin(), tensor.data.end());
  for (double& x : numbers)
    if (x != x) x = std::numeric_limits<double>::quiet_NaN();
  return numbers;
}

/// Writes a safetensors file: the tensors in front, then the results.
inline void write_results(const std::string& path, std::vector<std::pair<std::string, Tensor>> tensors, const Results& results,
                          const std::map<std::string, std::string>& metadata) {
  std::vector<std::vector<double>> numbers;
  for (const ResultTensor& result : results) {
    numbers.push_back(stored_numbers(result));
    tensors.push_back({result.name, {DType::f64, result.shape, reinterpret_cast<const std::byte*>(numbers.back().data())}});
  }
  write_safetensors(path, tensors, metadata);
}

/// A number out of any scalar, and into it, as what an operator returns or, not `stored`, as what is formed on the way.
template <class Scalar>
long double widest(const Scalar& x) {
  if constexpr (requires { static_cast<long double>(x); }) return static_cast<long double>(x);
  else return static_cast<double>(x);
}
template <class Scalar>
Scalar from_widest(long double x, bool stored) {
  if constexpr (requires(Scalar s) { s.stored(); }) return stored ? Scalar(static_cast<double>(x)).stored() : Scalar(static_cast<double>(x));
  else if constexpr (requires { static_cast<Scalar>(x); }) return static_cast<Scalar>(x);
  else return Scalar(static_cast<double>(x));
}

template <class Scalar>
class OperatorRun {
 public:
  /// Throws Error if the tensors do not fit the description. `lead`: results of another run, or null.
  OperatorRun(const OperatorInfo& info, const Checkpoint& in, const Results* lead) : letters(info, in), info_(info), in_(in), lead_(lead) {}

  const Letters letters;
  Results results;

  bool has(const std::string& name) const { return in_.tensors.count(name) > 0; }
  const Tensor& tensor(const std::string& name) const { return in_.tensors.at(name); }
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const { fail(in_.path, ": ", parts...); }

  /// A given tensor, the last dimension across and all others down.
  Matrix<Scalar> matrix(const std::string& name) const {
    const Tensor& from = tensor(name);
    const Index cols = from.shape.empty() ? 1 : from.shape.back();
    Matrix<Scalar> to(element_count(from.shape) / cols, cols);
    for (Index i = 0; i < to.size(); ++i) to.data()[i] = static_cast<Scalar>(number_at(from, i));
    return to;
  }
  Vector<Scalar> vector(const std::string& name) const {
    Vector<Scalar> to;
    Fill<Scalar>{tensor(name)}(to, Role::mix_rate);
    return to;
  }
  double number(const std::string& name, double otherwise) const { return has(name) ? number_at(tensor(name), 0) : otherwise; }

  /// A list of whole numbers from 0 to `most`.
  std::vector<Index> whole_numbers(const std::string& name, Index most) const {
    const Tensor& from = tensor(name);
    std::vector<Index> to;
    for (Index i = 0; i < element_count(from.shape); ++i) {
      const double x = number_at(from, i);
      if (!(x >= 0 && x <= static_cast<double>(most)) || x != std::floor(x)) refuse("tensor ", name, " holds ", x,
          ", expected whole numbers from 0 to ", most);
      to.push_back(static_cast<Index>(x));
    }
    return to;
  }

  Index head_size() const {
    if (!letters.has("N")) refuse("has no tensor head_size []: the number of channels of a head");
    return letters.at("N");
  }

  Index sequences() const { return letters.get("B", 1); }

  /// How `total` rows are shared out to the sequences by the setting `name`.
  std::vector<Index> shares(const std::string& name, Index total) const {
    if (!has(name)) {
      if (sequences() > 1) refuse("has no tensor ", name, " [B], which ", sequences(), " sequences need");
      return {total};
    }
    const auto all = whole_numbers(name, total);
    Index sum = 0;
    for (const Index n : all) sum += n;
    if (sum != total) refuse("tensor ", name, " adds up to ", sum, ", expected the ", total, " rows that there are");
    return all;
  }

  /// The segments of this call's T rows.
  template <class State>
  Segments<State> segments(std::vector<State>& states) const {
    Segments<State> out;
    Index first = 0;
    for (const Index rows : shares("lengths", letters.at("T"))) {
      out.push_back({first, rows, &states[out.size()]});
      first += rows;
    }
    return out;
  }

  /// Records a matrix under a name of the description and hands it back; led, the reference's instead. shape: of the same number of elements.
  template <class Number>
  Matrix<Number> operator()(const std::string& name, Matrix<Number> value, const Shape& shape) {
    record(name, shape, 0, value);
    replace(name, 0, value);
    return value;
  }

  /// The same for what is formed on the way and never rounded to a format: decays, losses. A led run must not round it either, or
  /// the budget of what comes next would be for decays of 16 bits.
  template <class Number>
  Matrix<Number> formed(const std::string& name, Matrix<Number> value, const Shape& shape) {
    record(name, shape, 0, value);
    replace(name, 0, value, false);
    return value;
  }

  template <class Number>
  Matrix<Number> operator()(const std::string& name, Matrix<Number> value) {
    const Shape shape = {value.rows(), value.cols()};
    return (*this)(name, std::move(value), shape);
  }
  /// Records what a model carries, under a name that no description lists.
  void carried(const std::string& name, const Matrix<Scalar>& value) { record(name, {value.rows(), value.cols()}, 0, value, TensorRole::state); }

  /// The sink that layers write their intermediates to. The context's are recorded for one sequence only: several would lie over each other.
  struct Sink : TraceSink<Scalar> {
    OperatorRun& run;
    explicit Sink(OperatorRun& r) : run(r) {}
    void rows(const std::string& name, const Matrix<Scalar>& value) override { run.record(name, {value.rows(), value.cols()}, 0, value); }
    void context(const std::string& name, Index first, const Matrix<Scalar>& value) override {
      if (run.sequences() == 1) run.record(name, {first + value.rows(), value.cols()}, first, value);
    }
    void state(const std::string& name, const Matrix<Scalar>& value, Index heads) override {
      if (run.info_.any_weights && run.sequences() == 1) run.record(name, {heads, value.rows() / heads, value.cols()}, 0, value, TensorRole::state);
    }
    void replace(const std::string& name, Index first, Matrix<Scalar>& value) override { run.replace(name, first, value); }
  };

 private:
  template <class Number>
  void record(const std::string& name, const Shape& shape, Index first, const Matrix<Number>& value, TensorRole role = TensorRole::intermediate) {
    if (const TensorSpec* const spec = info_.find(name)) role = spec->role;
    ResultTensor* to = const_cast<ResultTensor*>(find(results, name));
    if (!to) to = &results.emplace_back(ResultTensor{name, role, shape, {}});
    to->shape = shape;
    to->data.resize(static_cast<std::size_t>(element_count(shape)));
    const auto at = static_cast<std::size_t>(first * value.cols());
    for (Index i = 0; i < value.size(); ++i) to->data[at + static_cast<std::size_t>(i)] = widest(value.data()[i]);
  }

  template <class Number>
  void replace(const std::string& name, Index first, Matrix<Number>& value, bool stored = true) {
    const ResultTensor* const from = lead_ ? find(*lead_, name) : nullptr;
    if (!from || from->role == TensorRole::state) return;
    // The reference may keep fewer rows than there are: the first. The others go on as they were computed.
    const Index at = first * value.cols(), n = std::min(value.size(), static_cast<Index>(from->data.size()) - at);
    for (Index i = 0; i < n; ++i) value.data()[i] = from_widest<Number>(from->data[static_cast<std::size_t>(at + i)], stored);
  }

  const OperatorInfo& info_;
  const Checkpoint& in_;
  const Results* lead_;
};

/// An operator of the kit in one scalar.
template <class Scalar>
struct Operator {
  OperatorInfo info;
  std::function<void(OperatorRun<Scalar>&)> run;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
