// What this process holds in memory, and its peak from a moment on, by what Linux says in its files.
#pragma once

#include <fstream>
#include <string>

#include "goldfinch/core/resources.hpp"

namespace process_memory {

/// A field of /proc/self/status in bytes, 0 where there is none: VmRSS is held now, VmHWM its peak.
inline double status_bytes(const std::string& name) { return goldfinch::resources_detail::field("/proc/self/status", name + ":") * 1024; }

/// The peak counts from now on.
inline void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace process_memory
