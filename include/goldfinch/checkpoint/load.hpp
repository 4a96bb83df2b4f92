// From a checkpoint to a model: every tensor checked against the model's own list of parameters, then packed once in its stored
// type. What is wrong is said in one sentence that lists it all.
#pragma once

#include "goldfinch/checkpoint/checkpoint.hpp"
#include "goldfinch/checkpoint/config.hpp"
#include "goldfinch/model/model.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Name, shape and role of one parameter.
struct ParameterInfo {
  std::string name;
  Shape shape;
  Role role;
};

/// All parameters of a model of this shape, in the order of the computation.
inline std::vector<ParameterInfo> parameter_list(const ModelShape& shape) {
  std::vector<ParameterInfo> list;
  Model<float>(shape.config, shape.n).parameters([&](const std::string& name, auto&, const Shape& s, Role role) { list.push_back({name, s, role}); });
  return list;
}

/// Top-level tensors of published GoldFinch files that no code uses.
inline constexpr const char* unused_published_tensors[] = {"time_maa_x", "time_maa_token", "time_maa_w1", "time_maa_w2"};

/// Throws Error listing every tensor that is missing, misshapen or unexpected. Returns the names that are ignored: the unused ones
/// of published files, and all unexpected ones if asked to.
inline std::vector<std::string> check_tensors(const Checkpoint& checkpoint, const std::vector<ParameterInfo>& parameters, bool ignore_unexpected) {
  std::vector<std::string> problems, ignored;
  std::set<std::string> expected;
  for (const auto& [name, shape, role] : parameters) {
    expected.insert(name);
    const auto found = checkpoint.tensors.find(name);
    if (found == checkpoint.tensors.end())
      problems.push_back("has no tensor " + name + " " + to_string(shape));
    else if (found->second.shape != shape)
      problems.push_back("tensor " + name + " is " + to_string(found->second.shape) + ", expected " + to_string(shape));
  }
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (expected.count(name)) continue;
    const bool unused = std::find(std::begin(unused_published_tensors), std::end(unused_published_tensors), name) != std::end(unused_published_tensors);
    if (unused || ignore_unexpected) ignored.push_back(name);
    else problems.push_back("does not expect tensor " + in_quotes(name));
  }
  if (!problems.empty()) {
    std::string all;
    for (const auto& problem : problems) all += (all.empty() ? "" : "; ") + problem;
    fail(checkpoint.path, ": ", all);
  }
  return ignored;
}

/// Throws Error listing every tensor that holds a NaN or an infinity.
inline void check_finite(const Checkpoint& checkpoint) {
  std::string all;
  for (const auto& name : nonfinite_tensors(checkpoint)) all += (all.empty() ? "" : ", ") + name;
  if (!all.empty()) fail(checkpoint.path, ": NaN or infinity in ", all);
}

/// Fills one parameter from its tensor, whatever kind of member it is.
template <class Scalar>
struct Fill {
  const Tensor& tensor;

  Index size(std::size_t axis) const { return tensor.shape[axis]; }
  Index count() const { return element_count(tensor.shape); }
  const std::byte* at(Index element) const { return tensor.data + element * size_of(tensor.dtype); }

  void operator()(Vector<Scalar>& to, Role) const {
    to.resize(count());
    dispatch(tensor.dtype, [&]<class Stored>(Stored*) {
      for (Index i = 0; i < count(); ++i) to[i] = static_cast<Scalar>(widen(load<Stored>(tensor.data, static_cast<std::size_t>(i))));
    });
  }
  void operator()(Weight& to, Role role) const {
    if (role == Role::matrix) to = Weight(tensor.dtype, tensor.data, size(0), size(1), size(1), 1);
    else to = Weight(tensor.dtype, tensor.data, size(1), size(0), 1, size(1));  // LoRA matrices are stored [in, out]
  }
  void operator()(std::vector<Weight>& to, Role) const {  // [groups, rank, D]
    to.clear();
    for (Index g = 0; g < size(0); ++g) to.emplace_back(tensor.dtype, at(g * size(1) * size(2)), size(2), size(1), 1, size(2));
  }
  void operator()(ConcatWeight& to, Role) const {  // [D, D + R]
    const Index D = size(0), R = size(1) - D;
    to.left = Weight(tensor.dtype, tensor.data, D, D, D + R, 1);
    to.right = Weight(tensor.dtype, at(D), D, R, D + R, 1);
  }
  void operator()(Table& to, Role) const { to = Table(tensor.dtype, tensor.data, size(0), size(1)); }
};

/// The model of a checkpoint whose tensors are checked (check_tensors, check_finite).
template <class Scalar>
Model<Scalar> make_model(const Checkpoint& checkpoint, const ModelShape& shape) {
  Model<Scalar> model(shape.config, shape.n);
  model.parameters([&](const std::string& name, auto& member, const Shape&, Role role) { Fill<Scalar>{checkpoint.tensors.at(name)}(member, role); });
  return model;
}

/// All of it: the file's configuration, every check, and the model.
template <class Scalar>
Model<Scalar> load_model(const Checkpoint& checkpoint, const ConfigOverrides& overrides = {}, bool ignore_unexpected = false) {
  const ModelShape shape = resolve_shape(checkpoint, overrides);
  check_tensors(checkpoint, parameter_list(shape), ignore_unexpected);
  check_finite(checkpoint);
  return make_model<Scalar>(checkpoint, shape);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
