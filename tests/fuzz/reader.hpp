// What the fuzz targets share. A target gives foreign bytes to one reader and uses what it read as the program would; whatever the bytes,
// the reader ends in good time, touches nothing that is not its own, and says what is wrong in one line. Anything else is a find.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <span>
#include <string>

#include "goldfinch/core/platform.hpp"

namespace fuzz {

/// The bytes as a file in memory, behind whose end nothing may be read; nothing is beside it.
inline std::shared_ptr<const goldfinch::MappedFile> file(const std::uint8_t* data, std::size_t size) {
  return std::make_shared<const goldfinch::MappedFile>("/dev/null/input", std::as_bytes(std::span(data, size)));
}

inline std::string_view text(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

/// A copy of a safetensors file. Where the highest byte of the header's length is not 0, which it is in every file, the length is made right:
/// as good as no change of a header gets past one that stays.
inline std::unique_ptr<std::uint8_t[]> with_header_length(const std::uint8_t* data, std::size_t size) {
  auto copy = std::make_unique<std::uint8_t[]>(size);
  std::copy_n(data, size, copy.get());
  if (size < 9 || data[7] == 0) return copy;
  std::size_t at = 8;
  int depth = 0;
  for (bool quoted = false; at < size; ++at) {
    if (quoted && data[at] == '\\') ++at;
    else if (data[at] == '"') quoted = !quoted;
    else if (!quoted && data[at] == '{') ++depth;
    else if (!quoted && data[at] == '}' && --depth == 0) break;
  }
  at = std::min(at + 1, size);
  while (at < size && data[at] == ' ' && at % 8 != 0) ++at;  // the padding that our writer adds
  const std::uint64_t length = at - 8;
  std::memcpy(copy.get(), &length, sizeof length);
  return copy;
}

/// Runs a reader: it may throw Error with one line of printable text, and nothing else.
template <class Read>
int run(Read&& read) {
  try {
    read();
  } catch (const goldfinch::Error& error) {
    const std::string_view message = error.what();
    for (const char c : message)
      if (static_cast<unsigned char>(c) < 0x20) {
        std::cerr << "a message of more than one line, or with control characters: " << message << "\n";
        std::abort();
      }
    if (message.empty()) std::abort();
  }
  return 0;
}

}  // namespace fuzz
