// q8 in safetensors files: a matrix NAME is I8 [out, in], its scales NAME.scale BF16 [out, ceil(in / 64)], and the metadata says how
// they go together:
//
//   "goldfinch.q8": "1"      number (n, k) is scale (n, k / 64) * q (n, k), q from -127 to 127
//
// so that any other reader of the format can use the file. In memory the two are one Tensor.
#pragma once

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/tensor.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

inline constexpr const char *q8_key = "goldfinch.q8", *q8_version = "1";

/// The name of the scales of a tensor.
inline std::string scale_name(const std::string& tensor) { return tensor + ".scale"; }

/// Takes the scales of every q8 tensor into it. Throws Error if they are not there, not such scales, or the metadata does not explain them.
inline void join_scales(Checkpoint& checkpoint) {
  for (auto& [name, tensor] : checkpoint.tensors) {
    if (tensor.dtype != DType::q8) continue;
    const auto problem = [&, &name = name](const auto&... what) { fail(checkpoint.path, ": tensor ", in_quotes(name), " is I8, ", what...); };
    const auto version = checkpoint.metadata.find(q8_key);
    if (version == checkpoint.metadata.end()) problem("but no metadata ", q8_key, " says what that means");
    if (version->second != q8_version) problem("but of version ", in_quotes(version->second), " by the metadata ", q8_key, ", expected ", q8_version);
    if (tensor.shape.size() != 2) problem("of shape ", to_string(tensor.shape), ", expected a matrix");
    const auto scales = checkpoint.tensors.find(scale_name(name));
    if (scales == checkpoint.tensors.end()) problem("but there is no tensor ", in_quotes(scale_name(name)));
    if (scales->second.dtype != DType::bf16 || scales->second.shape != scale_shape(tensor.shape))
      problem("and its scales are ", name_of(scales->second.dtype), " ", to_string(scales->second.shape), ", expected bf16 ", to_string(scale_shape(tensor.shape)));
    tensor.scales = scales->second.data;
    checkpoint.tensors.erase(scales);  // sorts after its tensor, so the loop has not come to it
  }
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
