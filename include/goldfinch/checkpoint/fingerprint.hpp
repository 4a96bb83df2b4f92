// Fingerprints: which model, which tokenizer. A session goes on only with those that it began with.
//
// A model's fingerprint covers the names, types, shapes and bytes of all its tensors and its configuration. The bytes are read at
// memory speed: portions of 1 MiB, in parallel, each boiled down to 128 bytes by sixteen pairs of polynomial hashes of 32-bit words
// (h = h K + word, K odd, so that no single change of a word goes unseen); those, with everything else, go through SHA-256. It
// tells files apart; it does not withstand somebody who wants two to look alike.
#pragma once

#include <array>

#include "goldfinch/checkpoint/config.hpp"
#include "goldfinch/core/parallel.hpp"
#include "goldfinch/core/sha256.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The polynomial hashes of n bytes; a last word is filled up with zeros.
inline std::array<std::uint32_t, 32> hash_portion(const std::byte* data, std::size_t n) {
  constexpr std::size_t lanes_ = 16;
  std::array<std::uint32_t, 32> h{};
  std::size_t i = 0;
  std::uint32_t words[lanes_];
  const auto mix = [&] {
    for (std::size_t j = 0; j < lanes_; ++j) {
      h[j] = h[j] * 0x9e3779b1u + words[j];
      h[lanes_ + j] = h[lanes_ + j] * 0x85ebca77u + words[j];
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

/// SHA-256, in hexadecimal, of all that makes this checkpoint the model it is under this configuration, from the hash_tensor of every tensor.
inline std::string model_fingerprint(const Checkpoint& checkpoint, const Config& config, const std::map<std::string, TensorHash>& of_tensors) {
  Sha256 sha;
  const std::string text = write_config(config);
  sha.update(text.data(), text.size());
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const std::string head = "\n" + name + " " + name_of(tensor.dtype) + " " + to_string(tensor.shape) + "\n";
    sha.update(head.data(), head.size());
    const TensorHash& hashes = of_tensors.at(name);
    sha.update(hashes.data(), hashes.size() * sizeof hashes[0]);
  }
  return sha.finish();
}

/// SHA-256 of a file, in hexadecimal.
inline std::string file_sha256(const std::string& path) {
  const MappedFile file(path);
  return sha256(std::string_view(reinterpret_cast<const char*>(file.data()), file.size()));
}

/// That of a tokenizer's file, or its name where it has none ("bytes").
inline std::string tokenizer_fingerprint(const std::string& path) { return path == "bytes" ? path : file_sha256(path); }

}  // namespace goldfinch::inline GOLDFINCH_ISA
