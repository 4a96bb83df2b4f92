#include "goldfinch/checkpoint/checkpoint.hpp"

#include <catch2/catch.hpp>

#include "files.hpp"

using namespace goldfinch;
using Catch::Contains;
using namespace std::string_literals;

namespace {

/// A folder with files, which goes away with this object.
class Folder {
 public:
  explicit Folder(const std::map<std::string, std::string>& contents) {
    std::filesystem::remove(place_.path());
    std::filesystem::create_directory(place_.path());
    for (const auto& [name, bytes] : contents) std::ofstream(path(name), std::ios::binary) << bytes;
  }
  ~Folder() { std::filesystem::remove_all(place_.path()); }
  std::string path(const std::string& name = "") const { return place_.path() + (name.empty() ? "" : "/" + name); }

 private:
  files::TemporaryFile place_;
};

std::string part(const std::string& name, float first) {
  return files::safetensors("{\"" + name + R"(":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", files::floats(2, first));
}
std::string index(const std::string& map) { return R"({"metadata":{"total_size":16,"a":1},"weight_map":{)" + map + "}}"; }

const std::string one = "m-00001-of-00002.safetensors", two = "m-00002-of-00002.safetensors", list = "m.safetensors.index.json";
const std::string both = "\"a\":\"" + one + "\",\"b\":\"" + two + "\"";

void check_refused(const std::map<std::string, std::string>& contents, const std::string& path, const std::string& reason) {
  const Folder folder(contents);
  CHECK_THROWS_WITH(open_checkpoint(folder.path(path)), Contains(reason) && Contains(folder.path()));
}

}  // namespace

TEST_CASE("A model in several files is read by its index, or by the folder that it is in") {
  const Folder folder({{one, part("a", 1)}, {two, part("b", 3)}, {list, index(both)}, {"config.json", "{}"}});
  for (const std::string path : {"", "m.safetensors.index.json"}) {
    const Checkpoint checkpoint = open_checkpoint(folder.path(path));
    CHECK(checkpoint.path == folder.path(list));
    REQUIRE(checkpoint.tensors.size() == 2);
    CHECK(number_at(checkpoint.tensors.at("a"), 1) == 2);
    CHECK(number_at(checkpoint.tensors.at("b"), 0) == 3);
    for (const auto& [name, tensor] : checkpoint.tensors) checkpoint.release(tensor);
    CHECK(number_at(checkpoint.tensors.at("b"), 1) == 4);
  }
}

TEST_CASE("Hostile indices are refused: files elsewhere, missing files, tensors that are not where they are said to be") {
  const std::map<std::string, std::string> good = {{one, part("a", 1)}, {two, part("b", 3)}};
  const auto with_index = [&](const std::string& text) {
    auto contents = good;
    contents[list] = text;
    return contents;
  };
  const auto mapped = [&](const std::string& map) { return with_index(index(map)); };
  for (const std::string elsewhere : {"../m.safetensors", "/etc/m.safetensors", "x/m.safetensors", "..", "", "a.pth", "a\\u0000b.safetensors"})
    check_refused(mapped("\"a\":\"" + elsewhere + "\""), list, "expected a .safetensors file of the same folder");
  check_refused(mapped(both + ",\"c\":\"m-00003-of-00003.safetensors\""), list, "m-00003-of-00003.safetensors: cannot open");
  check_refused(mapped(both + ",\"c\":\"" + one + "\""), list, "says that tensor 'c' is in '" + one + "', which does not hold it");
  check_refused(mapped("\"a\":\"" + one + "\",\"b\":\"" + one + "\""), list, "says that tensor 'b' is in '" + one + "', which does not hold it");
  check_refused(mapped("\"b\":\"" + two + "\",\"c\":\"" + one + "\""), list, "holds tensor 'a', which " );
  check_refused(mapped(both + ",\"a\":\"" + two + "\""), list, "the key 'a' stands there twice");
  check_refused(mapped("\"a\":7"), list, "the file of tensor 'a' is '7', expected a string");
  check_refused(mapped(""), list, "names no tensors");
  check_refused(with_index("{\"weight_map\":[]}"), list, "no index of a model in several files");
  check_refused(with_index("{\"weight_map\":" + std::string(100000, '[')), list, "is nested deeper than 16 levels");
  auto twice = mapped(both);
  twice[two] = part("a", 5);
  check_refused(twice, list, "holds tensor 'a', which ");
}

TEST_CASE("One of several files says so, and so does a folder that is not clear") {
  check_refused({{one, part("a", 1)}}, one, "is one of 2 files of a model; expected their index, m.safetensors.index.json, or the folder");
  check_refused({{"a.safetensors", part("a", 1)}, {"b.pth", ""}}, "", "is a directory with several models");
  check_refused({{"config.json", "{}"}}, "", "is a directory without a model");
  const Folder usual({{"model.safetensors", part("a", 1)}, {"b.safetensors", part("b", 1)}}), alone({{"m-00001-of-00001.safetensors", part("a", 1)}});
  CHECK(open_checkpoint(usual.path()).tensors.count("a") == 1);
  CHECK(open_checkpoint(alone.path()).tensors.count("a") == 1);
}

TEST_CASE("Of q8 tensors in several files the scales are beside their numbers, as the index says") {
  const std::string q8 = files::q8_safetensors(), scale = "\"m.scale\":\"";
  const auto folder = [&](const std::string& map) { return std::map<std::string, std::string>{{one, q8}, {two, part("b", 3)}, {list, index(map)}}; };
  const std::string m = "\"m\":\"" + one + "\",", b = "\"b\":\"" + two + "\"";
  const Folder good(folder(m + scale + one + "\"," + b));
  CHECK(open_checkpoint(good.path(list)).tensors.at("m").dtype == DType::q8);
  check_refused(folder(m + scale + one + "\"," + b + ",\"z\":\"" + one + "\""), list, "says that tensor 'z' is in '" + one + "', which does not hold it");
  check_refused(folder(m + scale + two + "\"," + b), list, one + ": holds tensor 'm.scale', which ");
}

TEST_CASE("What is no checkpoint is called what it looks like") {
  const auto refused = [](const std::string& bytes, const std::string& reason) {
    const files::TemporaryFile file(bytes);
    for (const bool direct : {false, true}) CHECK_THROWS_WITH(direct ? read_safetensors(file.path()) : open_checkpoint(file.path()), Contains(reason));
  };
  refused("GGUF\3\0\0\0aaaaaaaa"s, "is a GGUF file");
  refused("\x93NUMPY\1\0v\0aaaa"s, "is a .npy file");
  refused("\x1f\x8b\x08\0\0\0\0\0\0\0\0"s, "is a compressed file");
  refused("seven little words of text", "is text");
  refused("<html><body></body></html>", "is a web page or XML");
  CHECK_THROWS_WITH(read_safetensors(files::TemporaryFile(files::good_pth()).path()), Contains("is a zip archive"));
  CHECK_THROWS_WITH(read_safetensors(files::TemporaryFile("\1\2\3\4\5\6\7\x08\x09\x0a").path()), Contains("is not a safetensors file"));
}
