// PyTorch checkpoints: a zip archive of ROOT/data.pkl, a pickled dict of tensors, and ROOT/data/KEY, the storages that they are
// views of. Written by torch.save since version 1.6; not the older form, not TorchScript, not whole models.
//
//   a tensor     _rebuild_tensor_v2(storage, offset, (size, ...), (stride, ...), requires_grad, hooks)      counted in elements
//   a storage    ('storage', torch.BFloat16Storage, KEY, location, elements)
//
// Element (i, j) of a tensor is storage[offset + i stride[0] + j stride[1]]. Tensors may share a storage, and a storage may hold
// more than its tensors (even NaN). Contiguous tensors become views into the mapped file; others are gathered into memory.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "goldfinch/checkpoint/pickle.hpp"
#include "goldfinch/checkpoint/room_for_copy.hpp"
#include "goldfinch/checkpoint/zip.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/core/tensor.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class PthReader {
 public:
  explicit PthReader(std::shared_ptr<const MappedFile> file) : file_(std::move(file)), zip_(*file_) {
    checkpoint_.path = file_->path();
    checkpoint_.file = file_;
  }

  Checkpoint read() {
    find_root();
    const std::string pickle_name = root_ + "data.pkl";
    const Pickle pickle(zip_.bytes(pickle_name), checkpoint_.path + ": " + in_quotes(pickle_name));
    if (pickle.root().kind != PickleValue::dict) fail(checkpoint_.path, ": holds ", describe(pickle.root()), ", expected a dict of tensors");
    const PickleValue& dict = dict_of_tensors(pickle.root());
    std::string others;
    for (std::size_t i = 0, shown = 0; i < dict.items.size(); i += 2) {
      const PickleValue &key = *dict.items[i], &value = *dict.items[i + 1];
      if (key.kind != PickleValue::text) fail(checkpoint_.path, ": has ", describe(key), " as a tensor's name");
      if (value.kind == PickleValue::tensor) add(key.string, value);
      else if (++shown <= 5) others += (others.empty() ? "" : ", ") + in_quotes(key.string) + " is " + describe(value);
      else if (shown == 6) others += ", ...";
    }
    if (!others.empty())
      fail(checkpoint_.path, ": ", others, ", expected only tensors; save the dict that holds them by itself");
    return std::move(checkpoint_);
  }

 private:
  /// The folder, with its slash, that holds data.pkl.
  void find_root() {
    std::optional<std::string> found;
    for (const auto& [name, entry] : zip_.entries()) {
      if (!name.ends_with("/data.pkl")) continue;
      if (found) fail(checkpoint_.path, ": has two pickles, ", in_quotes(*found + "data.pkl"), " and ", in_quotes(name));
      found = name.substr(0, name.size() - 8);
    }
    if (!found) fail(checkpoint_.path, ": is a zip archive without a data.pkl in a folder, not a file written by torch.save");
    root_ = *found;
    if (!zip_.entries().count(root_ + "byteorder")) return;  // PyTorch before 2.1 does not write it
    const auto order = zip_.bytes(root_ + "byteorder");
    if (std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) != "little")
      fail(checkpoint_.path, ": was written on a big-endian machine, expected little-endian numbers");
  }

  /// The dict itself, or the only one of tensors in it that has one of the names that training programs give a model.
  const PickleValue& dict_of_tensors(const PickleValue& root) const {
    const auto has_tensors = [](const PickleValue& dict) {
      for (std::size_t i = 1; i < dict.items.size(); i += 2)
        if (dict.items[i]->kind == PickleValue::tensor) return true;
      return false;
    };
    if (has_tensors(root)) return root;
    const PickleValue* found = nullptr;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < root.items.size(); i += 2) {
      const std::string& key = root.items[i]->string;  // empty where it is no text
      if (key != "model" && key != "state_dict" && key != "model_state_dict" && key != "module") continue;
      if (!seen.insert(key).second) fail(checkpoint_.path, ": has the key ", in_quotes(key), " twice");
      const PickleValue& value = *root.items[i + 1];
      if (value.kind != PickleValue::dict || !has_tensors(value)) continue;
      if (found) fail(checkpoint_.path, ": holds several dicts of tensors, expected one; save the dict that holds the model's by itself");
      found = &value;
    }
    return found ? *found : root;
  }

  void add(const std::string& name, const PickleValue& value) {
    const auto refuse = [&](const auto&... what) { fail(checkpoint_.path, ": tensor ", in_quotes(name), " ", what...); };
    const auto integer = [&](const PickleValue& x, const char* what) -> Index {
      if (x.kind != PickleValue::integer) refuse("has ", describe(x), " as ", what, ", expected an integer");
      if (x.number < 0) refuse("has ", what, " ", x.number, ", expected 0 or more");
      return static_cast<Index>(x.number);
    };
    const auto integers = [&](const PickleValue& x, const char* what) {
      if (x.kind != PickleValue::tuple) refuse("has ", describe(x), " as ", what, ", expected a tuple of integers");
      if (x.items.size() > most_dimensions) refuse("has ", describe(x), " as ", what, ", expected at most ", most_dimensions, " dimensions");
      Shape result;
      for (const auto* item : x.items) result.push_back(integer(*item, what));
      return result;
    };

    if (value.items[0]->kind != PickleValue::storage) refuse("is a view of ", describe(*value.items[0]), ", expected a storage");
    const auto& storage = value.items[0]->items;
    constexpr std::size_t longest_key = 255;  // usually a number; every tensor of the storage makes a name with it
    if (storage[0]->string != "storage" || storage[1]->kind != PickleValue::global || storage[2]->kind != PickleValue::text || storage[2]->string.size() > longest_key)
      refuse("has a storage that is not ('storage', type, key, location, size)");
    const std::string& stored_as = storage[1]->string;
    const DType type = stored_as == "torch.DoubleStorage" ? DType::f64 : stored_as == "torch.FloatStorage" ? DType::f32
                     : stored_as == "torch.BFloat16Storage" ? DType::bf16 : DType::f16;
    if (type == DType::f16 && stored_as != "torch.HalfStorage") {
      if (!checkpoint_.others.emplace(name, stored_as).second) refuse("is there twice");
      return;
    }
    const auto bytes = zip_.bytes(root_ + "data/" + storage[2]->string);
    const Index elements = integer(*storage[4], "storage size");
    if (bytes.size() % size_of(type) != 0 || bytes.size() / size_of(type) != static_cast<std::size_t>(elements))
      refuse("has a storage of ", elements, " elements of ", name_of(type), " in ", bytes.size(), " bytes");

    const Index offset = integer(*value.items[1], "storage offset");
    Shape shape = integers(*value.items[2], "shape");
    const Shape strides = integers(*value.items[3], "stride");
    if (strides.size() != shape.size()) refuse("has shape ", to_string(shape), " but stride ", to_string(strides));
    const Index count = element_count(shape);
    if (count < 0) refuse("has more elements than can be counted");
    Index last = offset;  // its last element's place; comparisons are arranged so that nothing overflows
    for (std::size_t i = 0; count > 0 && i < shape.size(); ++i) {
      if (last < elements && strides[i] > 0 && shape[i] - 1 > (elements - 1 - last) / strides[i]) last = elements;
      if (last < elements) last += (shape[i] - 1) * strides[i];
    }
    if (count > 0 ? last >= elements : offset > elements)
      refuse("of shape ", to_string(shape), " and stride ", to_string(strides), " at offset ", offset,
             " reaches beyond its storage of ", elements, " elements");

    Index contiguous = 1;
    bool in_order = true;
    for (std::size_t i = shape.size(); count > 0 && i-- > 0;) {
      in_order = in_order && (shape[i] == 1 || strides[i] == contiguous);
      contiguous *= shape[i];
    }
    Tensor tensor{type, std::move(shape), bytes.data() + offset * size_of(type)};
    if (count > 0 && !in_order) {
      std::byte* const room = room_for_copy(checkpoint_, name, tensor);
      dispatch(type, [&]<class Stored>(Stored*) { gather<Stored>(tensor.data, tensor.shape, strides, count, room); });
      tensor.data = room;
    }
    if (!checkpoint_.tensors.emplace(name, std::move(tensor)).second) refuse("is there twice");
  }

  /// Copies count > 0 elements, in row-major order.
  template <class Stored>
  static void gather(const std::byte* first, const Shape& shape, const Shape& strides, Index count, std::byte* to_first) {
    Shape at(shape.size(), 0);
    Index from = 0;
    for (Index to = 0; to < count; ++to) {
      std::memcpy(to_first + to * static_cast<Index>(sizeof(Stored)), first + from * static_cast<Index>(sizeof(Stored)), sizeof(Stored));
      for (std::size_t i = shape.size(); i-- > 0;) {  // the next element in row-major order
        from += strides[i];
        if (++at[i] < shape[i]) break;
        from -= shape[i] * strides[i];
        at[i] = 0;
      }
    }
  }

  Checkpoint checkpoint_;
  std::shared_ptr<const MappedFile> file_;
  ZipDirectory zip_;
  std::string root_;
};

/// A checkpoint over a mapped file. Throws Error naming the file, the tensor or the part of the pickle, and what is wrong with it.
inline Checkpoint read_pth(std::shared_ptr<const MappedFile> file) { return PthReader(std::move(file)).read(); }
inline Checkpoint read_pth(const std::string& path) { return read_pth(std::make_shared<const MappedFile>(path)); }

}  // namespace goldfinch::inline GOLDFINCH_ISA
