// What this process holds in memory, and its peak from a moment on, by what Linux says in its files.
#pragma once

#include <cstdlib>
#include <fstream>
#include <string>

namespace process_memory {

/// The number behind a name, a line of its own in a file of /proc or of a control group; 0 where there is none.
inline double field(const char* path, const std::string& wanted) {
  std::ifstream file(path);
  for (std::string name, rest; file >> name && std::getline(file, rest);)
    if (name == wanted) return std::strtod(rest.c_str(), nullptr);
  return 0;
}

/// A field of /proc/self/status in bytes, 0 where there is none: VmRSS is held now, VmHWM its peak.
inline double status_bytes(const std::string& name) { return field("/proc/self/status", name + ":") * 1024; }

/// The peak counts from now on.
inline void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace process_memory
