// Files appear whole or not at all, whatever stands at their place.
#include "goldfinch/core/atomic_file.hpp"

#include <sys/resource.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include <csignal>
#include <thread>

#include "core/folder.hpp"

using namespace goldfinch;
using Catch::Matchers::Contains;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat status;
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

/// The number of a descriptor of the file, in the folder of this process's descriptors.
std::string descriptor_path(const Descriptor& file, const char* folder = "/dev/fd/") {
  return folder + std::to_string(file.get());
}

/// Sets a limit while it lives.
struct FileSizeLimit {
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit less = before;
    less.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &less);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before); }
  struct rlimit before;
};

/// Starts a process that does `work` and ends with what it returns, or 99 where it throws; it is not to use Catch2.
template <class Work>
pid_t start(Work&& work) {
  const pid_t process = ::fork();
  if (process == 0) try {
      ::_exit(work());
    } catch (...) {
      ::_exit(99);
    }
  REQUIRE(process > 0);
  return process;
}
int code_of(pid_t process) {
  int status = 0;
  REQUIRE(::waitpid(process, &status, 0) == process);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// A file of bytes that everybody may write in a folder where nobody may: it cannot be replaced. Root, who may, becomes another.
struct Fixed {
  Folder folder;
  std::string path = folder / "inner/f";
  explicit Fixed(const std::string& bytes) {
    std::filesystem::create_directory(folder / "inner");
    folder.write("inner/f", bytes);
    ::chmod(path.c_str(), 0666);
    ::chmod((folder / "inner").c_str(), 0555);
    ::chmod(folder.path().c_str(), 0755);
  }
  ~Fixed() { ::chmod((folder / "inner").c_str(), 0755); }
  static bool become_another() {
    constexpr uid_t nobody = 65534;
    return ::geteuid() != 0 || ::setresuid(nobody, nobody, nobody) == 0;
  }
};

}  // namespace

TEST_CASE("A file appears when it is committed, and only then") {
  const Folder folder;
  {
    AtomicFile file(folder / "f");
    file.write("abc", 3);
    CHECK_FALSE(std::filesystem::exists(folder / "f"));
    file.commit();
  }
  CHECK(folder.read("f") == "abc");
  CHECK(folder.size() == 1);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  CHECK(mode_of(folder / "f") == (0666 & ~mask));
}

TEST_CASE("What is not committed leaves nothing, and what stood there stands") {
  const Folder folder;
  folder.write("f", "before");
  {
    AtomicFile file(folder / "f");
    file.write("abc", 3);
  }
  CHECK(folder.read("f") == "before");
  AtomicFile::require_writable(folder / "g");
  CHECK(folder.size() == 1);
}

TEST_CASE("A file that is replaced keeps its permissions") {
  const Folder folder;
  REQUIRE(::chmod(folder.write("f", "before").c_str(), 0640) == 0);
  write_file(folder / "f", "after");
  CHECK(folder.read("f") == "after");
  CHECK(mode_of(folder / "f") == 0640);
}

TEST_CASE("Names may be as long as names can be") {
  const Folder folder;
  for (const std::size_t length : {249, 255}) {
    const std::string name(length, 'n');
    write_file(folder / name, "abc");
    CHECK(folder.read(name) == "abc");
  }
  CHECK_THROWS_WITH(AtomicFile(folder / std::string(256, 'n')), Contains("cannot write: File name too long"));
  CHECK(folder.size() == 2);
}

TEST_CASE("What a path denotes that is open already is written through that descriptor, never renamed over") {
  const Folder folder;
  folder.write("log", "precious\n");
  const Descriptor log(::open((folder / "log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  std::filesystem::create_symlink(descriptor_path(log), folder / "link");
  std::filesystem::create_symlink("link", folder / "link to it");
  for (const std::string& path : {descriptor_path(log), descriptor_path(log, "/proc/self/fd/"),
                                  descriptor_path(log, "/proc/thread-self/fd/"), folder / "link to it"}) {
    AtomicFile::require_writable(path);
    write_file(path, "line\n");
  }
  CHECK(folder.read("log") == "precious\nline\nline\nline\nline\n");
  CHECK(::write(log.get(), "end\n", 4) == 4);  // still open, still the same file
  CHECK(folder.read("log").ends_with("end\n"));
  CHECK(folder.size() == 3);

  const Descriptor input(::open((folder / "log").c_str(), O_RDONLY | O_CLOEXEC));
  CHECK_THROWS_WITH(AtomicFile(descriptor_path(input)), Contains("is open for reading only"));
  CHECK_THROWS_WITH(AtomicFile("/dev/fd/987654"), Contains("cannot write: Bad file descriptor"));
}

TEST_CASE("What another process has open is written at its end, never renamed over") {
  const Folder folder;
  folder.write("log", "precious\n");
  const Descriptor log(::open((folder / "log").c_str(), O_RDWR | O_CLOEXEC));
  const std::string process = "/proc/" + std::to_string(::getpid());
  for (const std::string& descriptors : {process + "/fd/", process + "/task/" + std::to_string(::getpid()) + "/fd/"}) {
    const std::string path = descriptor_path(log, descriptors.c_str());
    CHECK(code_of(start([&] {
            AtomicFile::require_writable(path);
            write_file(path, "line\n");
            return 0;
          })) == 0);
  }
  CHECK(folder.read("log") == "precious\nline\nline\n");
  CHECK(folder.size() == 1);
  CHECK(::pwrite(log.get(), "P", 1, 0) == 1);
  CHECK(folder.read("log").starts_with("Precious"));  // the same file

  CHECK(process_of_descriptors("/proc/12/fd") == 12);
  CHECK(process_of_descriptors("/proc/12/task/13/fd") == 12);
  for (const char* other : {"/proc/12/fdinfo", "/proc/self/fd", "/proc/12/task/fd", "/proc//fd", "/proc/12/cwd/fd", "/dev/fd", "/proc/-1/fd", "12/fd"})
    CHECK(process_of_descriptors(other) <= 0);
}

TEST_CASE("A file that can be written but not replaced is overwritten, whatever its length was") {
  for (const std::size_t length : {std::size_t{0}, std::size_t{3}, std::size_t{1} << 20}) {
    const Fixed fixed(std::string(length, 'x'));
    CHECK(code_of(start([&] {
            if (!Fixed::become_another()) return 3;
            write_file(fixed.path, "whole");
            try {
              write_file(fixed.folder / "inner/new", "whole");
            } catch (const Error&) {
              return 0;
            }
            return 1;
          })) == 0);
    CHECK(fixed.folder.read("inner/f") == "whole");
  }
}

TEST_CASE("Signals wait until a file that is overwritten is whole, whichever thread they come to") {
  constexpr std::size_t size = std::size_t{32} << 20;
  for (const bool another_thread : {false, true}) {
    const Fixed fixed(std::string(size, 'x'));
    const pid_t process = start([&] {
      if (!Fixed::become_another()) return 3;
      std::signal(SIGTERM, [](int) {
        remove_unfinished_files();
        ::_exit(7);
      });
      std::thread thread;
      if (another_thread) thread = std::thread([] { while (true) ::pause(); });
      write_file(fixed.path, std::string(size, 'y'));
      while (true) ::pause();
    });
    const Descriptor file(::open(fixed.path.c_str(), O_RDONLY | O_CLOEXEC));
    siginfo_t ended = {};
    for (char first = 'x'; first == 'x' && ended.si_pid == 0;) {
      (void)!::pread(file.get(), &first, 1, 0);
      ::waitid(P_PID, static_cast<id_t>(process), &ended, WEXITED | WNOHANG | WNOWAIT);
    }
    ::kill(process, SIGTERM);
    CHECK(code_of(process) == 7);
    CHECK((fixed.folder.read("inner/f") == std::string(size, 'y')));
  }
}

TEST_CASE("A file that is replaced keeps its group, in a folder that gives new ones another") {
  gid_t groups[64];
  const int count = ::getgroups(64, groups);
  gid_t other = ::geteuid() == 0 ? 12345 : ::getegid();
  for (int i = 0; i < count; ++i)
    if (groups[i] != ::getegid()) other = groups[i];
  if (other == ::getegid()) return;  // there is no other that we may give
  const Folder folder;
  folder.write("f", "before");
  REQUIRE(::chown(folder.path().c_str(), static_cast<uid_t>(-1), other) == 0);
  REQUIRE(::chmod(folder.path().c_str(), 02755) == 0);
  for (const gid_t group : {::getegid(), other}) {
    REQUIRE(::chown((folder / "f").c_str(), static_cast<uid_t>(-1), group) == 0);
    write_file(folder / "f", "after");
    struct stat status;
    REQUIRE(::stat((folder / "f").c_str(), &status) == 0);
    CHECK(status.st_gid == group);
    CHECK(folder.read("f") == "after");
  }
}

TEST_CASE("Symbolic links keep pointing where they point, at files that are there and at places for one") {
  const Folder folder;
  std::filesystem::create_directory(folder / "inner");
  folder.write("inner/there", "before");
  std::filesystem::create_symlink("inner/there", folder / "a");
  std::filesystem::create_symlink("inner/new", folder / "b");
  std::filesystem::create_symlink("round", folder / "round");
  write_file(folder / "a", "after");
  write_file(folder / "b", "made");
  CHECK(folder.read("inner/there") == "after");
  CHECK(folder.read("inner/new") == "made");
  CHECK(std::filesystem::is_symlink(folder / "a"));
  CHECK(std::filesystem::is_symlink(folder / "b"));
  CHECK_THROWS_WITH(AtomicFile(folder / "round"), Contains("symbolic links"));
}

TEST_CASE("Pipes are written directly, and a reader who goes away gets no more") {
  std::signal(SIGPIPE, SIG_IGN);
  const Folder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  AtomicFile::require_writable(folder / "pipe");  // does not wait for a reader, nor end one
  std::string read;
  std::thread reader([&] { read = folder.read("pipe"); });
  write_file(folder / "pipe", "abc");
  reader.join();
  CHECK(read == "abc");

  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Descriptor out(ends[1]);
  ::close(ends[0]);
  CHECK_NOTHROW(write_file(descriptor_path(out), "abc"));
  AtomicFile unread(descriptor_path(out));
  CHECK_FALSE(unread.reader_gone());
  unread.write("abc", 3);
  CHECK(unread.reader_gone());
}

TEST_CASE("What cannot be written says so, by its path") {
  const Folder folder;
  CHECK_THROWS_WITH(AtomicFile(folder.path()), Contains(folder.path() + ": cannot write: is a directory"));
  CHECK_THROWS_WITH(AtomicFile(folder / "missing/f"), Contains("missing/f: cannot write: No such file or directory"));
  CHECK_THROWS_AS(AtomicFile(folder / ""), Error);
  CHECK_THROWS_AS(AtomicFile(""), Error);
  CHECK_THROWS_AS(AtomicFile(folder.write("file", "") + "/f"), Error);
  CHECK_THROWS_WITH(write_file("/dev/full", "abc"), Contains("No space left on device"));
}

TEST_CASE("A file beyond the limit of its size is refused, and the old one stands") {
  const Folder folder;
  folder.write("f", "before");
  {
    const FileSizeLimit limit(1000);
    CHECK_THROWS_WITH(write_file(folder / "f", std::string(2000, 'x')), Contains("File too large"));
    CHECK_THROWS_WITH(write_file(folder / "new", std::string(2000, 'x')), Contains("File too large"));
  }
  CHECK(folder.read("f") == "before");
  CHECK(folder.size() == 1);
}

TEST_CASE("Unfinished files can be removed from a handler of signals") {
  const Folder folder;
  AtomicFile one(folder / "one"), two(folder / "two");
  CHECK(folder.size() == 2);
  remove_unfinished_files();
  CHECK(folder.size() == 0);
  const AtomicFile three(folder / "three");
  CHECK(folder.size() == 1);
}
