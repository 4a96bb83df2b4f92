// Fingerprints: which model, which tokenizer. A session goes on only with those that it began with.
//
// A model's fingerprint covers the names, types, shapes and bytes of all its tensors and its configuration. The bytes are read at
// memory speed: portions of 1 MiB, in parallel, each boiled down to 128 bytes by sixteen pairs of hashes of 32-bit words
// (h = rotate(h xor word) K, K odd, so that no single change of a word goes unseen; without the rotation the signs of an even number
// of words could change); those, with everything else, go through SHA-256. It tells files apart; it does not withstand somebody who
// wants two to look alike.
#pragma once

#include <array>
#include <bit>

#include "goldfinch/checkpoint/config.hpp"
#include "goldfinch/core/parallel.hpp"
#include "goldfinch/core/sha256.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The hashes of n bytes; a last word is filled up with zeros.
inline std::array<std::uint32_t, 32> hash_portion(const std::byte* data, std::size_t n) {
  constexpr std::size_t lanes_ = 16;
  std::array<std::uint32_t, 32> h{};
  std::size_t i = 0;
  std::uint32_t words[lanes_];
  const auto mix = [&] {
    for (std::size_t j = 0; j < lanes_; ++j) {
      h[j] = std::rotl(h[j] ^ words[j], 13) * 0x9e3779b1u;
      h[lanes_ + j] = std::rotl(h[lanes_ + j] ^ words[j], 17) * 0x85ebca77u;
    }
  };
  for (; i + sizeof words <= n; i += sizeof words) {
    std::memcpy(words, data + i, sizeof words);
    mix();
  }
  std::memset(words, 0, sizeof words);
  if (i < n) std::memcpy(words, data + i, n - i);
  mix();
  return h;
}

/// The hashes of all portions of a tensor's bytes. On all threads.
using TensorHash = std::vector<std::array<std::uint32_t, 32>>;
inline TensorHash hash_tensor(const Tensor& tensor) {
  constexpr std::size_t portion = std::size_t{1} << 20;
  TensorHash hashes;
  for (const auto& bytes : stored_bytes(tensor)) {
    const std::size_t before = hashes.size(), count = (bytes.size() + portion - 1) / portion;
    hashes.resize(before + count);
    parallel_for(static_cast<Index>(count), 1, [&](Index begin, Index end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
        hashes[before + i] = hash_portion(bytes.data() + i * portion, std::min(portion, bytes.size() - i * portion));
    });
  }
  return hashes;
}

/// Adds a tensor's name, type, shape and, by its hash_tensor, bytes.
inline void add_tensor(Sha256& sha, const std::string& name, const Tensor& tensor, const TensorHash& hashes) {
  const std::string head = "\n" + name + " " + name_of(tensor.dtype) + " " + to_string(tensor.shape) + "\n";
  sha.update(head.data(), head.size());
  sha.update(hashes.data(), hashes.size() * sizeof hashes[0]);
}

/// SHA-256, in hexadecimal, of all that makes this checkpoint the model it is under this configuration, from the hash_tensor of every tensor.
inline std::string model_fingerprint(const Checkpoint& checkpoint, const Config& config, const std::map<std::string, TensorHash>& of_tensors) {
  Sha256 sha;
  const std::string text = write_config(config);
  sha.update(text.data(), text.size());
  for (const auto& [name, tensor] : checkpoint.tensors) add_tensor(sha, name, tensor, of_tensors.at(name));
  return sha.finish();
}

/// The same of the tensors of a checkpoint that is no model: of states, say, whatever files hold them.
inline std::string tensors_fingerprint(const Checkpoint& checkpoint) {
  Sha256 sha;
  for (const auto& [name, tensor] : checkpoint.tensors) add_tensor(sha, name, tensor, hash_tensor(tensor));
  return sha.finish();
}

/// SHA-256 of a tokenizer's file, or its name where it has none ("bytes").
inline std::string tokenizer_fingerprint(const std::string& path) {
  if (path == "bytes") return path;
  const MappedFile file(path);
  return sha256(std::string_view(reinterpret_cast<const char*>(file.data()), file.size()));
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
