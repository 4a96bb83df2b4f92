// What the fuzz targets share. A target gives foreign bytes to one reader and uses what it read as the program would; whatever the bytes,
// the reader ends in good time, touches nothing that is not its own, and says what is wrong in one line. Anything else is a find.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <span>
#include <string>

#include "goldfinch/core/platform.hpp"

namespace fuzz {

/// The bytes as a file in memory, behind whose end nothing may be read.
inline std::shared_ptr<const goldfinch::MappedFile> file(const std::uint8_t* data, std::size_t size) {
  return std::make_shared<const goldfinch::MappedFile>("input", std::as_bytes(std::span(data, size)));
}

inline std::string_view text(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

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
