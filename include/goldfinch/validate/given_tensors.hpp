// What a user gives to an operator, out of any file of tensors that NumPy or PyTorch write (array_set.hpp), and what comes out, into the
// like.
#pragma once

#include "goldfinch/validate/array_set.hpp"
#include "goldfinch/validate/npz_writer.hpp"
#include "goldfinch/validate/operator_run.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace given_tensors {

/// A tensor of numbers as they lie, or a copy in row-major order. `whole`: sizes, ids and the like, which come as integers too.
inline void put(Checkpoint& to, const std::string& name, const Array& array, bool whole) {
  constexpr std::pair<NumberType, DType> kept[] = {
      {NumberType::f64, DType::f64}, {NumberType::f32, DType::f32}, {NumberType::bf16, DType::bf16}, {NumberType::f16, DType::f16}};
  const auto type = std::find_if(std::begin(kept), std::end(kept), [&](const auto& pair) { return pair.first == array.type; });
  if (array.type == NumberType::i8 && !whole)
    fail(to.path, ": tensor ", name, " is I8; of a model in q8, convert --dtype f32 makes numbers");
  if (type == std::end(kept) && !whole)
    fail(to.path, ": tensor ", name, " is of integers (", info_of(array.type).name, "), expected F64, F32, BF16 or F16");
  if (type != std::end(kept) && array.plain()) {
    to.tensors[name] = {type->second, array.shape, array.data};
    to.storage.push_back(array.storage);
    return;
  }
  std::vector<double> numbers(static_cast<std::size_t>(array.count()));
  array.read(0, array.count(), numbers.data());
  to.put(name, array.shape, std::move(numbers));
}

}  // namespace given_tensors

/// What the operator takes of the file's tensors; those of the names of what it gives are passed over, unknown ones stay to be
/// refused. Throws Error naming the file and what is wrong with it.
inline Checkpoint read_given(const std::string& path, const OperatorInfo& info) {
  const ArraySet set = open_arrays(path);
  Checkpoint given;
  given.path = path, given.metadata = set.metadata;
  for (const TensorSpec& spec : info.tensors)
    if (spec.given()) (void)set.find(spec.name);  // refused if it is there and cannot be read
  for (const auto& [name, array] : set.arrays) {
    const TensorSpec* const spec = info.find(name);
    if (!spec || spec->given()) given_tensors::put(given, name, array, spec && spec->exact);
  }
  return given;
}

/// Writes what an operator gave, as float64: an .npz where the path ends so, else a safetensors file.
inline void write_given(const std::string& path, const Results& results) {
  if (!path.ends_with(".npz")) return write_results(path, {}, results, {});
  std::vector<NpzArray> arrays;
  for (const ResultTensor& result : results) arrays.push_back({result.name, result.shape, stored_numbers(result)});
  write_npz(path, arrays);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
