// How many CPUs and how much memory this process may use: what the system has, cut down to the limits of its control groups.
//
// A process is in a group of each hierarchy (/proc/self/cgroup), a hierarchy is mounted somewhere (/proc/self/mountinfo), and a limit of any
// group around its own holds for it too: all of them are asked, from its own up to the mount's root, in version 2 as in version 1.
// Every function takes a folder that stands for the root of the file system, so that tests can have a system of their own.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace resources_detail {

/// The number behind a name, a line of its own in a file of /proc or of a control group; 0 where there is none.
inline double field(const std::string& path, const std::string& wanted) {
  std::ifstream file(path);
  for (std::string name, rest; file >> name && std::getline(file, rest);)
    if (name == wanted) return std::strtod(rest.c_str(), nullptr);
  return 0;
}

/// The first number in a file; infinity where there is none, or "max".
inline double number(const std::string& path) {
  double value = 0;
  return std::ifstream(path) >> value ? value : std::numeric_limits<double>::infinity();
}

/// Whether a list such as "rw,cpu,cpuacct" has this entry.
inline bool lists(const std::string& list, const std::string& entry) { return ("," + list + ",").find("," + entry + ",") != std::string::npos; }

/// A path of mountinfo as it is: blanks and the like are written there as three octal digits.
inline std::string unescaped(const std::string& text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\\' && i + 3 < text.size()) path += static_cast<char>(std::strtol(text.substr(i + 1, 3).c_str(), nullptr, 8)), i += 3;
    else path += text[i];
  return path;
}

/// Whether `path` is `folder` or below it.
inline bool is_below(const std::string& path, const std::string& folder) {
  return folder == "/" || path == folder || path.compare(0, folder.size() + 1, folder + "/") == 0;
}

/// The folders of the control groups that this process is in, its own first, then those around it, for "memory" or "cpu": of
/// version 2 where `version` is 2, else of version 1.
inline std::vector<std::string> groups(const std::string& root, const std::string& controller, int version) {
  std::string group;
  std::ifstream own(root + "/proc/self/cgroup");  // 4:cpu,cpuacct:/a/b in version 1, 0::/a/b in version 2
  for (std::string line; group.empty() && std::getline(own, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (version == 2 ? controllers.empty() : lists(controllers, controller)) group = line.substr(second + 1);
  }
  if (group.empty()) return {};
  std::ifstream mounts(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    // 36 31 0:33 ROOT POINT options [more] - TYPE source options
    std::istringstream before(line), after(line.substr(std::min(line.size(), line.find(" - ") + 3)));
    std::string id, parent, device, top, point, type, source, options;
    before >> id >> parent >> device >> top >> point;
    after >> type >> source >> options;
    if (version == 2 ? type != "cgroup2" : type != "cgroup" || !lists(options, controller)) continue;
    top = unescaped(top), point = unescaped(point);
    // The mount may begin at a group (a container's); one that is elsewhere, or above a namespace ("/.."), is not to be seen here.
    std::string below = is_below(group, top) && group.find("/..") == std::string::npos ? group.substr(top == "/" ? 0 : top.size()) : "";
    std::vector<std::string> folders;
    for (; below.starts_with('/') && below != "/"; below.resize(below.rfind('/'))) folders.push_back(root + point + below);
    folders.push_back(root + point);
    return folders;
  }
  return {};
}

}  // namespace resources_detail

/// CPUs that this process may use: its affinity, cut down to the quotas of its control groups (rounded up), at least 1.
inline int available_cpus(const std::string& root = "") {
  using namespace resources_detail;
  double cpus = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
#ifdef __linux__
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
#endif
  const auto cut = [&cpus](double quota, double period) {
    if (quota > 0 && period > 0) cpus = std::min(cpus, std::ceil(quota / period));
  };
  for (const auto& group : groups(root, "cpu", 2)) {
    double quota = 0, period = 0;
    if (std::ifstream file(group + "/cpu.max"); file >> quota >> period) cut(quota, period);  // "max 100000" does not parse
  }
  for (const auto& group : groups(root, "cpu", 1)) cut(number(group + "/cpu.cfs_quota_us"), number(group + "/cpu.cfs_period_us"));
  return static_cast<int>(std::max(cpus, 1.0));
}

/// Bytes that this process may still take: what the system has left, or what a control group or the limit of its address space
/// (ulimit -v) leaves it, if that is less; at least 0.
inline double available_memory(const std::string& root = "") {
  using namespace resources_detail;
  double bytes = field(root + "/proc/meminfo", "MemAvailable:") * 1024;
  if (bytes <= 0) bytes = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  for (const auto& group : groups(root, "memory", 2))
    bytes = std::min(bytes, std::min(number(group + "/memory.max"), number(group + "/memory.high")) - field(group + "/memory.stat", "anon"));
  for (const auto& group : groups(root, "memory", 1))
    bytes = std::min(bytes, number(group + "/memory.limit_in_bytes") - field(group + "/memory.stat", "total_rss"));
  struct ::rlimit space;
  if (::getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
    bytes = std::min(bytes, static_cast<double>(space.rlim_cur) - field(root + "/proc/self/status", "VmSize:") * 1024);
  return std::max(bytes, 0.0);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
