// Files that are mapped, and what can only be read.
#include "goldfinch/core/mapped_file.hpp"

#include <catch2/catch.hpp>

#include <thread>

#include "core/folder.hpp"

using namespace goldfinch;
using Catch::Matchers::Contains;

namespace {

std::string text_of(const MappedFile& file) { return {reinterpret_cast<const char*>(file.data()), file.size()}; }

}  // namespace

TEST_CASE("A file's bytes are there, those of an empty one too") {
  const Folder folder;
  CHECK(text_of(MappedFile(folder.write("f", "abc"))) == "abc");
  CHECK(MappedFile(folder.write("empty", "")).size() == 0);
  CHECK(MappedFile("/dev/null").size() == 0);
}

TEST_CASE("Files that do not know their size are read") {
  const MappedFile version("/proc/version");
  CHECK_THAT(text_of(version), Contains("ersion"));
  version.release(version.data(), version.size());
  CHECK_THAT(text_of(version), Contains("ersion"));
}

TEST_CASE("Pipes are read to their end, once, for all that open them meanwhile") {
  const Folder folder;
  const std::string bytes(300000, 'x');  // more than a pipe holds
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::thread writer([&] { folder.write("pipe", bytes); });
  {
    const MappedFile first(folder / "pipe");
    writer.join();
    CHECK(text_of(first) == bytes);
    const Descriptor keeps_it_open(::open((folder / "pipe").c_str(), O_RDWR));
    CHECK(text_of(MappedFile(folder / "pipe")) == bytes);
  }
  std::thread again([&] { folder.write("pipe", "other"); });
  CHECK(text_of(MappedFile(folder / "pipe")) == "other");
  again.join();

  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Descriptor in(ends[0]);
  CHECK(::write(ends[1], "abc", 3) == 3);
  ::close(ends[1]);
  CHECK(text_of(MappedFile("/dev/fd/" + std::to_string(in.get()))) == "abc");
}

TEST_CASE("What cannot be read says so, by its path") {
  const Folder folder;
  CHECK_THROWS_WITH(MappedFile(folder.path()), Contains(folder.path() + ": is a directory"));
  CHECK_THROWS_WITH(MappedFile(folder / "none"), Contains("none: cannot open: No such file or directory"));
  CHECK_THROWS_WITH(MappedFile("/dev/zero"), Contains("is a device"));
  CHECK_THROWS_WITH(MappedFile("/proc/self/mem"), Contains("cannot read"));
  CHECK_THROWS_WITH(MappedFile("/dev/fd/987654"), Contains("cannot open: Bad file descriptor"));
  const Descriptor zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  CHECK_THROWS_WITH(ReadBytes(zero.get(), "name"), Contains("name: is a device, expected a file or a pipe"));
  CHECK_THROWS_WITH(ReadBytes(-1, "name"), Contains("name: cannot read: Bad file descriptor"));
}

TEST_CASE("What is about to be read can be refused") {
  const Folder folder;
  folder.write("f", "abc");
  struct Refusing {
    Refusing() {
      MappedFile::notice() = [](const std::string& path) { fail(path, ": not this one"); };
    }
    ~Refusing() { MappedFile::notice() = nullptr; }
  };
  {
    const Refusing refusing;
    CHECK_THROWS_WITH(MappedFile(folder / "f"), folder / "f" + ": not this one");
    CHECK(text_of(MappedFile(folder / "f", MappedFile::Again())) == "abc");
  }
  CHECK(text_of(MappedFile(folder / "f")) == "abc");
}
