// Files appear whole or not at all, whatever stands at their place.
#include "goldfinch/core/atomic_file.hpp"

#include <sys/resource.h>

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
