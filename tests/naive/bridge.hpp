// Between goldfinch and the naive implementation: weights and configurations both ways, and goldfinch's trace in naive terms.
// Files are read, and random numbers drawn, by goldfinch; what computes is either's own.
#pragma once

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/validate/recording.hpp"
#include "naive/naive.hpp"

namespace naive {

namespace gf = goldfinch;

inline Config config_of(const gf::Config& config) {
  Config out;
  out.n_layer = static_cast<int>(config.n_layer), out.split = static_cast<int>(config.split());
  out.D = static_cast<int>(config.n_embd), out.N = static_cast<int>(config.head_size);
  out.tmix = config.tmix, out.tmix2 = config.tmix2, out.cmix = config.cmix, out.cmix2 = config.cmix2;
  out.head_size_divisor = config.head_size_divisor;
  out.use_one_minus_w = config.use_one_minus_w, out.use_v2 = config.use_v2;
  out.rope_base = config.rope_base, out.rope_rescale = config.rope_rescale;
  return out;
}

inline Array<double> array_of(const gf::Shape& shape) {
  const int cols = shape.empty() ? 1 : static_cast<int>(shape.back());
  return Array<double>(static_cast<int>(gf::element_count(shape)) / cols, cols);
}

inline Weights weights_of(const gf::Checkpoint& checkpoint) {
  Weights weights;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    Array<double>& value = weights[name] = array_of(tensor.shape);
    gf::dispatch(tensor.dtype, [&, &tensor = tensor]<class Stored>(Stored*) {
      for (std::size_t i = 0; i < value.x.size(); ++i) value.x[i] = static_cast<double>(gf::widen(gf::load<Stored>(tensor.data, i)));
    });
  }
  return weights;
}

/// A goldfinch model of these weights; a view of them only while it is made.
template <class S>
gf::Model<S> goldfinch_of(const gf::ModelShape& shape, const Weights& weights) {
  gf::Checkpoint checkpoint;
  for (const auto& parameter : gf::parameter_list(shape))
    checkpoint.tensors[parameter.name] = {gf::DType::f64, parameter.shape, reinterpret_cast<const std::byte*>(weights.at(parameter.name).x.data())};
  return gf::make_model<S>(checkpoint, shape);
}

template <class S>
Trace trace_of(const gf::Recording<S>& recording) {
  Trace trace;
  for (const auto& tensor : recording.tensors()) {
    Array<double> value = array_of(tensor.shape);
    value.x = tensor.data;
    trace.put(tensor.name, value, true);
  }
  return trace;
}

template <class S>
Array<double> array_of(const gf::Matrix<S>& matrix) {
  Array<double> value(static_cast<int>(matrix.rows()), static_cast<int>(matrix.cols()));
  for (int t = 0; t < value.rows; ++t)
    for (int j = 0; j < value.cols; ++j) value(t, j) = static_cast<double>(matrix(t, j));
  return value;
}

}  // namespace naive
