// What a folder holds.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// In no order. Throws Error naming the folder if it cannot be read to its end: the loop over a directory_iterator would throw
/// another error, which nobody expects, from its second entry on.
inline std::vector<std::filesystem::directory_entry> folder_entries(const std::string& path) {
  std::vector<std::filesystem::directory_entry> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
    entries.push_back(*entry);
  if (error) fail(path, ": cannot read the folder: ", error.message());
  return entries;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
