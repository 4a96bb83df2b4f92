// Safetensors, as much as a backend needs: eight bytes for the length of a JSON header, the header, the numbers.
//   {"y": {"dtype": "BF16", "shape": [21, 16], "data_offsets": [0, 672]}, …}          everything little-endian
// What is read becomes float: the cases' inputs are bfloat16, and counts and ids small integers in float64, so nothing is lost.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> numbers;
};

inline float widened(std::uint16_t bfloat16) {
  const std::uint32_t bits = std::uint32_t{bfloat16} << 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// To the nearest bfloat16, ties to even.
inline std::uint16_t narrowed(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof x);
  return static_cast<std::uint16_t>(x != x ? 0x7fc0 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/// All tensors of a file that are BF16, F32 or F64.
inline std::map<std::string, Tensor> read_safetensors(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  std::stringstream buffer;
  buffer << file.rdbuf();
  const std::string bytes = buffer.str();
  std::uint64_t length = 0;
  if (bytes.size() >= 8) std::memcpy(&length, bytes.data(), 8);
  if (bytes.size() < 8 || length > bytes.size() - 8) throw std::runtime_error(path + ": not a safetensors file");
  const std::string_view text(bytes.data() + 8, length), data(bytes.data() + 8 + length, bytes.size() - 8 - length);

  std::map<std::string, Tensor> tensors;
  try {
    const auto header = nlohmann::json::parse(text);
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") continue;
      const std::string type = entry.at("dtype");
      const std::size_t size = type == "BF16" ? 2 : type == "F32" ? 4 : type == "F64" ? 8 : 0;
      const std::size_t begin = entry.at("data_offsets").at(0), end = entry.at("data_offsets").at(1);
      if (size == 0) continue;
      if (begin > end || end > data.size()) throw std::runtime_error("tensor " + name + " lies beyond the end of the file");
      Tensor& tensor = tensors[name];
      entry.at("shape").get_to(tensor.shape);
      for (std::size_t at = begin; at + size <= end; at += size) {
        std::uint16_t bfloat16;
        float single;
        double number;
        if (size == 2) std::memcpy(&bfloat16, &data[at], 2), tensor.numbers.push_back(widened(bfloat16));
        if (size == 4) std::memcpy(&single, &data[at], 4), tensor.numbers.push_back(single);
        if (size == 8) std::memcpy(&number, &data[at], 8), tensor.numbers.push_back(static_cast<float>(number));
      }
    }
  } catch (const std::exception& error) {
    throw std::runtime_error(path + ": " + error.what());
  }
  return tensors;
}

/// Writes tensors as float32, those named in `bf16` as bfloat16.
inline void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors, const std::map<std::string, bool>& bf16) {
  nlohmann::json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t begin = data.size();
    for (const float x : tensor.numbers) {
      const std::uint16_t half = narrowed(x);
      if (bf16.at(name)) data.append(reinterpret_cast<const char*>(&half), 2);
      else data.append(reinterpret_cast<const char*>(&x), 4);
    }
    header[name] = {{"dtype", bf16.at(name) ? "BF16" : "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), 8) << text << data;
  if (!file.flush()) throw std::runtime_error(path + ": cannot be written");
}
