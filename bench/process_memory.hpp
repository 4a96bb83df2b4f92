// What this process holds in memory, and its peak from a moment on; Linux's /proc.
#pragma once

#include <cstdlib>
#include <fstream>
#include <string>

namespace process_memory {

/// A field of /proc/self/status in bytes, 0 where there is none: VmRSS is held now, VmHWM its peak.
inline double status_bytes(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string name, rest; file >> name && std::getline(file, rest);)
    if (name == field + ":") return std::strtod(rest.c_str(), nullptr) * 1024;
  return 0;
}

/// The peak counts from now on.
inline void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace process_memory
