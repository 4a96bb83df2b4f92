#include "goldfinch/checkpoint/zip.hpp"

#include <catch2/catch.hpp>

#include "files.hpp"

using namespace goldfinch;

namespace {

std::string text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

const std::vector<std::pair<std::string, std::string>> entries = {
    {"a/x", "first"}, {"a/empty", ""}, {"b", "second PK\5\6 PK\1\2"}};

}  // namespace

TEST_CASE("Stored entries are viewed in place, at any padding, in short and in ZIP64 form") {
  for (const bool zip64 : {false, true})
    for (const std::size_t padding : {0, 1, 63}) {
      const files::TemporaryFile temporary(files::zip(entries, padding, zip64).bytes);
      const MappedFile file(temporary.path());
      const ZipDirectory zip(file);
      CHECK(zip.entries().size() == entries.size());
      for (const auto& [name, data] : entries) CHECK(text_of(zip.bytes(name)) == data);
    }
}

TEST_CASE("An archive may end in a comment, even one that looks like an end record") {
  const files::ZipFile z = files::zip(entries);
  for (const std::string& comment : {std::string("hello"), std::string(0xffff, 'c'), "PK\5\6" + std::string(40, 'c')}) {
    const files::TemporaryFile temporary(files::with(z.bytes, z.end + 20, files::u16(comment.size())) + comment);
    const MappedFile file(temporary.path());
    CHECK(text_of(ZipDirectory(file).bytes("a/x")) == "first");
  }
}

TEST_CASE("A compressed or encrypted entry is refused when it is used, and not before") {
  const files::ZipFile z = files::zip(entries);
  const std::size_t local = z.local.at("b"), central = z.central.at("b");
  const std::string compressed = files::with(files::with(z.bytes, central + 10, files::u16(8)), local + 8, files::u16(8));
  const std::string encrypted = files::with(z.bytes, central + 8, files::u16(9));
  for (const auto& [bytes, why] : {std::pair{compressed, "'b' is compressed"}, std::pair{encrypted, "'b' is encrypted"}}) {
    const files::TemporaryFile temporary(bytes);
    const MappedFile file(temporary.path());
    const ZipDirectory zip(file);
    CHECK(text_of(zip.bytes("a/x")) == "first");
    CHECK_THROWS_WITH(zip.bytes("b"), Catch::Contains(why));
    CHECK_THROWS_WITH(zip.bytes("c"), Catch::Contains("no entry 'c'"));
  }
}
