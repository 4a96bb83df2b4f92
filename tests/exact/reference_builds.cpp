// What `goldfinch reference` does, by itself, without the tool that takes minutes to compile:
//
//   reference_builds verify FOLDER           every case on 1, 2 and 5 threads against the manifest's hashes, as `reference verify`
//   reference_builds measure FOLDER [CASE…]  the files of these cases (all, models too, where none is named) and their entries of
//                                            the manifest, budgets included, made anew and compared byte for byte
//   reference_builds write FOLDER            everything, as `reference write`; who changes the data compares what two builds write
//
// Exit code 0: equal; 1: not, with a line for each difference; 2: bad usage or input. The last line says which instruction set's kernels ran.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "goldfinch/validate/operators.hpp"
#include "goldfinch/validate/reference_writer.hpp"
#include "goldfinch/validate/verify.hpp"
#include "kernels.hpp"

namespace gf = goldfinch;
namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) gf::fail(path.string(), ": cannot open");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Where two texts begin to differ, with what stands there.
std::string first_difference(const std::string& a, const std::string& b) {
  const auto at = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  const std::size_t from = at < 40 ? 0 : at - 40;
  return "…" + a.substr(from, 80) + "… in the manifest, …" + b.substr(from, 80) + "… here";
}

/// A folder that goes when this does.
struct Scratch {
  Scratch() {
    char made[] = "/tmp/goldfinch-reference-XXXXXX";
    if (!::mkdtemp(made)) gf::fail("cannot make a folder for the cases: ", gf::system_reason());
    path = made;
  }
  ~Scratch() { fs::remove_all(path); }
  Scratch(const Scratch&) = delete;
  fs::path path;
};

const gf::MeasuringKit kit{gf::run_operator<double>, gf::run_operator<long double>, gf::run_operator<gf::Emulated>};

int measure(const fs::path& folder, const std::set<std::string>& wanted) {
  const auto infos = gf::operator_list();
  std::ifstream file(folder / "manifest.json");
  const auto manifest = gf::Json::parse(file);
  // Beside what a double can hold, long double is another type where there is no x87: there the last digits may differ.
  const bool x87 = std::numeric_limits<long double>::digits == 64;
  std::set<std::string> left = wanted;
  int compared = 0, unequal = 0;
  const auto compare = [&](const std::string& name, gf::Json entry) {
    ++compared;
    left.erase(name);
    for (gf::Json expected : manifest.at("cases")) {
      if (expected.at("name") != name) continue;
      for (gf::Json* json : {&entry, &expected})
        for (auto& tensor : json->at("tensors"))
          if (!x87) tensor.erase("rms"), tensor.erase("error");
      if (expected.dump() != entry.dump())
        ++unequal, std::printf("%s: %s\n", name.c_str(), first_difference(expected.dump(), entry.dump()).c_str());
      return;
    }
    ++unequal, std::printf("%s: is not in the manifest\n", name.c_str());
  };
  const Scratch scratch;
  for (const gf::Case& c : gf::reference_cases()) {
    if (!wanted.empty() && !wanted.count(c.name)) continue;
    const auto computed = gf::reference::compute(c, infos, kit);
    if (!c.on_demand) {
      const std::string made = (scratch.path / "case.safetensors").string();
      gf::reference::write_case(made, c, computed);
      if (content(made) != content(folder / c.file(computed.info.kind)))
        ++unequal, std::printf("%s: the file differs\n", c.name.c_str());
    }
    compare(c.name, gf::reference::case_json(c, computed, kit));
  }
  for (const auto& model : gf::golden_models((folder / "models").string()))
    if (wanted.empty() || wanted.count("model." + model.name))
      compare("model." + model.name, gf::reference::model_json(model, infos, kit));
  for (const auto& name : left) ++unequal, std::printf("%s: there is no such case\n", name.c_str());
  std::printf("%d cases: %s\n", compared, unequal == 0 ? "the same bytes" : "other bytes");
  return unequal == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) try {
  const std::string what = count > 2 ? arguments[1] : "";
  int code = 2;
  if (what == "verify") {
    const auto result = gf::verify(arguments[2], "", gf::operator_list(), gf::run_operator<double>);
    std::fputs(result.text().c_str(), stdout);
    code = result.passed() ? 0 : 1;
  } else if (what == "measure") {
    code = measure(arguments[2], {arguments + 3, arguments + count});
  } else if (what == "write") {
    gf::write_reference(arguments[2], "", gf::operator_list(), kit);
    code = 0;
  } else {
    gf::fail("expected verify FOLDER, measure FOLDER [CASE…] or write FOLDER");
  }
  std::puts(kernels().c_str());
  return code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
