#include "goldfinch/core/resources.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "goldfinch/core/platform.hpp"

namespace gf = goldfinch;
namespace fs = std::filesystem;

namespace {

/// A root of a file system with what a test writes into it; 8 GB of memory are available in it.
class System {
 public:
  System() {
    std::string name = (fs::temp_directory_path() / "goldfinch_resources.XXXXXX").string();
    if (!::mkdtemp(name.data())) gf::fail(name, ": ", gf::system_reason());
    root_ = name;
    write("/proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n");
  }
  ~System() { fs::remove_all(root_); }
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  System& write(const std::string& path, const std::string& text) {
    const fs::path file = root_.string() + path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return *this;
  }
  int cpus() const { return gf::available_cpus(root_.string()); }
  double memory() const { return gf::available_memory(root_.string()); }

 private:
  fs::path root_;
};

const std::string own_v2 = "/proc/self/cgroup", mounts = "/proc/self/mountinfo";
const std::string mount_v2 = "35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

}  // namespace

TEST_CASE("Without control groups the system's memory and the process's affinity count") {
  const System system;
  CHECK(system.memory() == 8192000000);
  CHECK(system.cpus() == gf::available_cpus("/does not exist"));
  CHECK(system.cpus() >= 1);
}

TEST_CASE("The least limit of all groups around the process holds, in version 2") {
  System system;
  system.write(own_v2, "0::/machine/job/step\n").write(mounts, "23 1 0:1 / / rw - ext4 /dev/sda rw\n" + mount_v2);
  const std::string top = "/sys/fs/cgroup", job = top + "/machine/job", step = job + "/step";
  CHECK(system.memory() == 8192000000);
  system.write(step + "/memory.max", "max\n").write(step + "/cpu.max", "max 100000\n");
  CHECK(system.memory() == 8192000000);
  system.write(job + "/memory.max", "200000000\n").write(job + "/memory.stat", "file 7\nanon 50000000\n");
  CHECK(system.memory() == 150000000);
  system.write(top + "/machine/memory.max", "100000000\n");
  CHECK(system.memory() == 100000000);
  system.write(step + "/memory.high", "30000000\n");
  CHECK(system.memory() == 30000000);
  system.write(step + "/memory.stat", "anon 40000000\n");
  CHECK(system.memory() == 0);
  system.write(job + "/cpu.max", "50000 100000\n");
  CHECK(system.cpus() == 1);
  system.write(job + "/cpu.max", "100000000 100000\n");
  CHECK(system.cpus() == System().cpus());
}

TEST_CASE("The least limit of all groups around the process holds, in version 1") {
  System system;
  system.write(own_v2, "5:memory:/a/b\n4:cpu,cpuacct:/a\n1:name=systemd:/x:y\n0::/\n")
      .write(mounts, "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n34 31 0:31 / /sys/fs/cgroup/my\\040memory rw - cgroup cgroup rw,memory\n"
                     "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  const std::string memory = "/sys/fs/cgroup/my memory";
  system.write(memory + "/memory.limit_in_bytes", "9223372036854771712\n").write(memory + "/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(system.memory() == 8192000000);
  system.write(memory + "/a/memory.limit_in_bytes", "200000000\n").write(memory + "/a/memory.stat", "rss 1\ntotal_rss 80000000\n");
  CHECK(system.memory() == 120000000);
  system.write("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n").write("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  CHECK(system.cpus() == System().cpus());
  system.write("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "100000\n");
  CHECK(system.cpus() == 1);
}

TEST_CASE("A container sees the limits of its own group, whether its groups' names begin at the system's root or at its own") {
  for (const std::string own : {"/docker/abc", "/docker/abc/inner", "/", "/../other"}) {
    System system;
    system.write(own_v2, "0::" + own + "\n").write(mounts, "35 25 0:30 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    system.write("/sys/fs/cgroup/memory.max", "70000000\n").write("/sys/fs/cgroup/cpu.max", "1 100000\n");
    CHECK(system.memory() == 70000000);
    CHECK(system.cpus() == 1);
  }
}

TEST_CASE("What is not as it should be in the system's files is no limit") {
  System system;
  system.write(own_v2, "nonsense\n0::/a\n::\n").write(mounts, "36\n\n - cgroup2\n" + mount_v2 + "x - y z");
  system.write("/sys/fs/cgroup/a/memory.max", "many\n").write("/sys/fs/cgroup/a/cpu.max", "-5 0\n");
  CHECK(system.memory() == 8192000000);
  CHECK(system.cpus() == System().cpus());
  for (const char* group : {"a", "a/b", "..", " "}) CHECK(System().write(own_v2, "0::" + std::string(group) + "\n").write(mounts, mount_v2).memory() == 8192000000);
}
