// From a checkpoint to a model: every tensor checked against the model's own list of parameters, then packed once in its stored
// type (float64 in an engine of floats as float). What is wrong is said in one sentence that lists it all.
#pragma once

#include "goldfinch/checkpoint/checkpoint.hpp"
#include "goldfinch/checkpoint/config.hpp"
#include "goldfinch/checkpoint/fingerprint.hpp"
#include "goldfinch/layers/fill.hpp"
#include "goldfinch/model/model.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Name, shape and role of one parameter.
struct ParameterInfo {
  std::string name;
  Shape shape;
  Role role;
  bool may_be_q8;  // a matrix; but not one over [left; right] where the right's blocks of the sum do not begin with a scale of the whole's
};

/// All parameters of a model of this shape, in the order of the computation.
inline std::vector<ParameterInfo> parameter_list(const ModelShape& shape) {
  std::vector<ParameterInfo> list;
  Model<float>(shape.config, shape.n).parameters([&]<class Member>(const std::string& name, Member&, const Shape& s, Role role) {
    list.push_back({name, s, role, role == Role::matrix && (!std::is_same_v<Member, ConcatWeight> || s[0] % q8_block == 0)});
  });
  return list;
}

/// How many numbers they have together.
inline Index parameter_count(const ModelShape& shape) {
  Index count = 0;
  for (const ParameterInfo& parameter : parameter_list(shape)) count += element_count(parameter.shape);
  return count;
}

/// Top-level tensors of published GoldFinch files that no code uses.
inline constexpr const char* unused_published_tensors[] = {"time_maa_x", "time_maa_token", "time_maa_w1", "time_maa_w2"};

/// Throws Error listing every tensor that is missing, misshapen or unexpected. Returns the names that are ignored: the unused ones
/// of published files, and all unexpected ones if asked to.
inline std::vector<std::string> check_tensors(const Checkpoint& checkpoint, const std::vector<ParameterInfo>& parameters, bool ignore_unexpected) {
  std::vector<std::string> problems, ignored;
  std::set<std::string> expected;
  for (const auto& [name, shape, role, may_be_q8] : parameters) {
    expected.insert(name);
    const auto found = checkpoint.tensors.find(name);
    if (const auto other = checkpoint.others.find(name); other != checkpoint.others.end())
      problems.push_back("tensor " + name + " is " + in_quotes(other->second) + ", expected numbers of 64, 32 or 16 bits with a fraction, or q8");
    else if (found == checkpoint.tensors.end())
      problems.push_back("has no tensor " + name + " " + to_string(shape));
    else if (found->second.shape != shape)
      problems.push_back("tensor " + name + " is " + to_string(found->second.shape) + ", expected " + to_string(shape));
    else if (found->second.dtype == DType::q8 && !may_be_q8)
      problems.push_back("tensor " + name + " is q8, which only matrices may be, and w_kv_cache_b only where n_embd is a multiple of 64");
  }
  std::set<std::string> present;
  for (const auto& [name, tensor] : checkpoint.tensors) present.insert(name);
  for (const auto& [name, spelled] : checkpoint.others) present.insert(name);
  for (const std::string& name : present) {
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

/// Throws Error listing these tensors, of which each is_nonfinite, if there are any.
inline void refuse_nonfinite(const Checkpoint& checkpoint, const std::vector<std::string>& names) {
  std::string numbers, q8;
  for (const auto& name : names) {
    std::string& list = checkpoint.tensors.at(name).dtype == DType::q8 ? q8 : numbers;
    list += (list.empty() ? "" : ", ") + name;
  }
  if (!numbers.empty()) fail(checkpoint.path, ": NaN or infinity in ", numbers);
  if (!q8.empty()) fail(checkpoint.path, ": -128, or a scale that is negative, infinite or NaN, in ", q8);
}

/// The model of a checkpoint whose tensors are checked (check_tensors), and its fingerprint if that is wanted. Each tensor comes from the file
/// once: its numbers are looked at, hashed and packed while they are at hand; those of ignored tensors do not matter. Throws Error as
/// refuse_nonfinite, and where float64 does not fit into an engine of floats.
template <class Scalar>
Model<Scalar> make_model(const Checkpoint& checkpoint, const ModelShape& shape, const CacheSettings& cache = {}, std::string* fingerprint = nullptr) {
  Model<Scalar> model(shape.config, shape.n, cache);
  std::map<const Tensor*, std::function<void(const Tensor&)>> fills;  // none for a tensor that the model ignores
  model.parameters([&](const std::string& name, auto& member, const Shape&, Role role) {
    fills[&checkpoint.tensors.at(name)] = [&checkpoint, &member, name, role](const Tensor& tensor) {
      const Fill<Scalar> fill{tensor};
      if (fill.too_large) fail(checkpoint.path, ": tensor ", name, " holds numbers too large for f32, in which its float64 is kept");
      fill(member, role);
    };
  });
  // A tensor is in memory twice while it is packed: the largest come first, when there is not much else.
  std::vector<const std::pair<const std::string, Tensor>*> largest_first;
  for (const auto& named : checkpoint.tensors) largest_first.push_back(&named);
  std::stable_sort(largest_first.begin(), largest_first.end(),
                   [](const auto* a, const auto* b) { return element_count(a->second.shape) > element_count(b->second.shape); });

  std::vector<std::string> nonfinite;
  std::map<std::string, TensorHash> hashes;
  with_workers([&] {
    for (const auto* named : largest_first) {
      const auto& [name, tensor] = *named;
      const auto fill = fills.find(&tensor);
      if (fill != fills.end() && is_nonfinite(tensor)) nonfinite.push_back(name);
      if (nonfinite.empty()) {
        if (fingerprint) hashes[name] = hash_tensor(tensor);
        if (fill != fills.end()) fill->second(tensor);
      }
      checkpoint.release(tensor);
    }
  });
  std::sort(nonfinite.begin(), nonfinite.end());
  refuse_nonfinite(checkpoint, nonfinite);
  if (fingerprint) *fingerprint = model_fingerprint(checkpoint, shape.config, hashes);
  return model;
}

/// All of it: the file's configuration, every check, and the model.
template <class Scalar>
Model<Scalar> load_model(const Checkpoint& checkpoint, const ConfigOverrides& overrides = {}, bool ignore_unexpected = false, const CacheSettings& cache = {}) {
  const ModelShape shape = resolve_shape(checkpoint, overrides);
  check_tensors(checkpoint, parameter_list(shape), ignore_unexpected);
  return make_model<Scalar>(checkpoint, shape, cache);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
