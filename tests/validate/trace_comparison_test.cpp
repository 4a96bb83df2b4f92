#include "goldfinch/validate/trace_comparison.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

#include "bits.hpp"
#include "checkpoint/files.hpp"
#include "goldfinch/validate/comparison_html.hpp"
#include "goldfinch/validate/comparison_json.hpp"
#include "goldfinch/validate/comparison_text.hpp"
#include "model/golden.hpp"

namespace gf = goldfinch;
using Catch::Contains;
using gf::DType;
using gf::Index;
using gf::Status;

namespace {

using Matrices = std::vector<std::pair<std::string, gf::Matrix<double>>>;

gf::ArraySet set_of(const Matrices& matrices, const std::string& path = "/no/where/x") {
  gf::ArraySet set{path, {}, false, false};
  for (const auto& [name, x] : matrices) set.arrays.emplace_back(name, gf::Array::view(x));
  return set;
}

Matrices three() {
  bits::Random random(7);
  return {{"blocks.0.att.xv2", random.matrix<double>(8, 4)}, {"blocks.0.att.wkv", random.matrix<double>(8, 4)}, {"logits", random.matrix<double>(8, 12)}};
}

gf::TraceComparison compare(const Matrices& e, const Matrices& g, DType format = DType::f32) { return gf::compare_traces(set_of(e), set_of(g), {}, format); }

/// A folder with a reference of a tensor y and another, and what stands in the manifest beside it.
struct Reference {
  std::filesystem::path folder;
  gf::Matrix<double> y = bits::Random(5).matrix<double>(6, 4);

  explicit Reference(const std::string& manifest, const std::string& other = "r") {
    std::string name = (std::filesystem::temp_directory_path() / "goldfinch_compare_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    folder = name;
    std::filesystem::create_directories(folder / "operators");
    std::ofstream(folder / "manifest.json") << manifest;
    gf::write_safetensors(path(), {{"y", {DType::f64, {6, 4}, reinterpret_cast<const std::byte*>(y.data())}}, {other, {DType::f64, {6, 4}, reinterpret_cast<const std::byte*>(y.data())}}}, {});
  }
  ~Reference() { std::filesystem::remove_all(folder); }
  std::string path() const { return (folder / "operators" / "wkv6.x.safetensors").string(); }
  gf::TraceComparison with(double factor, DType format) const {
    const Matrices got = {{"y", factor * y}};
    return gf::compare_traces(gf::open_arrays(path()), set_of(got), {}, format);
  }
};

std::string manifest(const std::string& tensors, const std::string& file = "operators/wkv6.x.safetensors") {
  return R"({"numerics": 1, "cases": [{"name": "wkv6.x", "kind": "operator", "file": ")" + file +
         R"(", "purpose": "to test", "catches": ["read-after-update", "another-flag"], "reproduce": "goldfinch reference write DIR", "tensors": [)" + tensors + "]}]}";
}
const std::string r = R"({"name": "r", "role": "input", "layout": "[T, D]"})";
const std::string y = R"({"name": "y", "role": "output", "layout": "[T, D]", "equation": "WKV.1", "budgets": {"bf16": {"local": 0.01, "end_to_end": 0.02}, "f32": {"local": 0.5, "end_to_end": 0.5}}})";

}  // namespace

TEST_CASE("Equal traces pass; missing tensors fail, others are listed") {
  auto e = three();
  CHECK(compare(e, e).first_failure() == nullptr);
  Matrices got = {e[2], e[0], {"mine", e[0].second}};
  const auto all = compare(e, got);
  CHECK(all.extra == std::vector<std::string>{"mine"});
  REQUIRE(all.first_failure());
  CHECK(all.first_failure()->name == "blocks.0.att.wkv");
  CHECK(all.count(Status::untested) == 1);
  CHECK(all.count(Status::passed) == 2);
}

TEST_CASE("The first failure is the first in the order of the expected data, with its words, equation and mistakes") {
  const auto e = three();
  auto g = e;
  g[1].second *= 2, g[2].second *= 2;
  const auto all = compare(e, g);
  REQUIRE(all.first_failure());
  CHECK(all.first_failure()->name == "blocks.0.att.wkv");
  CHECK(all.first_failure()->equation == "FC2.7, WKV.1");
  const std::string text = to_text(all);
  CHECK_THAT(text, Contains("FAILED     blocks.0.att.wkv") && Contains("FAILED     logits") && Contains("wkv-scaled: ") && Contains("times 2"));
  CHECK_THAT(text, Contains("3 tensors, f32: 1 PASSED, 2 FAILED") && Contains("logits: KL "));
}

TEST_CASE("A folder is put into the order of the computation") {
  std::vector<std::string> names = {"blocks.0.att.k", "blocks.0.att.xk",  "blocks.0.ffn.k", "blocks.0.ln1", "blocks.0.out", "blocks.10.ln1", "blocks.10.att.xq",
                                    "blocks.2.out",   "blocks.0.att.xv2", "embed",          "ln_out",       "logits",       "mine",          "tokencat.keys"};
  gf::trace_detail::sort_by_computation(names);
  CHECK(names == std::vector<std::string>{"embed", "blocks.0.ln1", "blocks.0.att.xk", "blocks.0.att.xv2", "blocks.0.att.k", "blocks.0.ffn.k", "blocks.0.out", "blocks.2.out",
                                          "tokencat.keys", "blocks.10.ln1", "blocks.10.att.xq", "ln_out", "logits", "mine"});
}

TEST_CASE("The table knows every tensor of every golden trace, by its kind of layer, in the order of the files") {
  for (const char* name : golden::names) {
    const auto trace = gf::open_arrays(golden::path(name) + ".trace.safetensors");
    std::set<std::string> names;
    for (const auto& [tensor, array] : trace.arrays) names.insert(tensor);
    for (const auto& [tensor, array] : trace.arrays) {
      INFO(name << " " << tensor);
      const auto* const known = gf::trace_detail::known_tensor(tensor, names);
      REQUIRE(known);
      CHECK(std::any_of(std::begin(gf::mistakes), std::end(gf::mistakes), [&](const gf::Mistake& m) { return gf::begins_at(m, known->equation); }));
    }
  }
  const auto equation = [](const std::string& trace, const char* tensor) {
    std::set<std::string> names;
    for (const auto& [name, array] : gf::open_arrays(golden::path(trace) + ".trace.safetensors").arrays) names.insert(name);
    return std::string(gf::trace_detail::known_tensor(tensor, names)->equation);
  };
  CHECK(equation("goldfinch", "blocks.0.att.k") == "FC2.5");
  CHECK(equation("goldfinch", "blocks.5.att.k") == "GOLD.5");
  CHECK(equation("finch", "blocks.0.att.k") == "F.3");
  CHECK(equation("gptalpha_rope", "blocks.0.att.k") == "GA.2");
  CHECK(equation("llama_rope", "blocks.0.att.k") == "LA.1");
  CHECK(equation("llama_rope", "blocks.0.ffn.k") == "SG.1");
  CHECK(equation("gptalpha_rope", "blocks.0.ffn.k") == "CM.3");
}

TEST_CASE("Labels: what stands in brackets counts for nothing") {
  CHECK(gf::labels_in("FC2.7, WKV.1") == std::vector<std::string>{"FC2.7", "WKV.1"});
  CHECK(gf::labels_in("LORA.2 (FC2.2, F.2)") == std::vector<std::string>{"LORA.2"});
  CHECK(gf::labels_in("GOLD.7, ATT.1 - ATT.4") == std::vector<std::string>{"GOLD.7", "ATT.1", "ATT.4"});
  CHECK(gf::labels_in("").empty());
}

TEST_CASE("A manifest gives budgets, order and flags; inputs need not be given back") {
  const Reference reference(manifest(r + "," + y));
  const auto right = reference.with(1.01, DType::bf16);
  CHECK(right.first_failure() == nullptr);
  REQUIRE(right.tensors.size() == 1);
  CHECK(right.tensors[0].comparison.budget == 0.02);
  CHECK(right.tensors[0].role == "output");
  const auto wrong = reference.with(1.03, DType::bf16);
  REQUIRE(wrong.first_failure());
  CHECK_THAT(to_text(wrong), Contains("WKV.1") && Contains("wkv-scaled: ") && Contains("also: read-after-update") && !Contains("another-flag") && Contains("goldfinch reference write DIR"));
  CHECK(reference.with(1.3, DType::f32).tensors[0].comparison.status == Status::mistrusted);  // 0.5: no information
  CHECK(reference.with(1.01, DType::f64).first_failure());                                      // no budget of its own: the format's
}

TEST_CASE("Where a format has no budget beside others', it cannot hold the numbers: nothing but the shape is judged") {
  const Reference reference(manifest(r + "," + y));
  for (const double factor : {1.0, 0.0, std::numeric_limits<double>::infinity()}) {
    const auto all = reference.with(factor, DType::f16);
    CHECK(all.first_failure() == nullptr);
    CHECK(all.tensors[0].comparison.status == Status::mistrusted);
    CHECK_THAT(to_text(all), Contains("no information: the format cannot hold these numbers"));
    CHECK_THAT(to_html(all), Contains(">none<"));
  }
  const Matrices shorter = {{"y", reference.y.topRows(5)}};
  CHECK(gf::compare_traces(gf::open_arrays(reference.path()), set_of(shorter), {}, DType::f16).count(Status::failed) == 1);
}

TEST_CASE("A state before the call is an input, the state after it a result") {
  const auto state = [](const std::string& name) { return R"({"name": ")" + name + R"(", "role": "state", "layout": "[B, H, N, N]")"; };
  CHECK(Reference(manifest(state("S_before") + R"(, "made": "zeros"},)" + y), "S_before").with(1, DType::bf16).first_failure() == nullptr);
  const auto without = Reference(manifest(state("S_after") + "}," + y), "S_after").with(1, DType::bf16);
  REQUIRE(without.first_failure());
  CHECK(without.first_failure()->name == "S_after");
  CHECK(without.first_failure()->comparison.status == Status::untested);
}

TEST_CASE("A manifest of another kind or without the file is passed over, a damaged one is refused") {
  CHECK(Reference("[1, 2]").with(1.01, DType::bf16).tensors.size() == 2);
  CHECK(Reference("{").with(1.01, DType::bf16).tensors.size() == 2);
  CHECK(Reference(manifest(y, "operators/other.safetensors")).with(1.01, DType::bf16).tensors.size() == 2);
  CHECK_THROWS_WITH(Reference(manifest(R"({"role": "output"})")).with(1, DType::f32), Contains("manifest.json"));
  CHECK_THROWS_WITH(Reference(manifest(R"({"name": "s"})")).with(1, DType::f32), Contains("'s'"));
  CHECK_THROWS_WITH(Reference(manifest(y + "," + y)).with(1, DType::f32), Contains("twice"));
  CHECK_THROWS_WITH(Reference(R"({"numerics": 2, "cases": []})").with(1, DType::f32), Contains("of version '2' of the numerics contract"));
}

TEST_CASE("The first rows of a longer tensor are compared on request") {
  const auto e = three();
  auto longer = e;
  for (auto& [name, x] : longer) {
    x.conservativeResize(11, Eigen::NoChange);
    x.bottomRows(3).setConstant(9);
  }
  CHECK(compare(e, longer).count(Status::failed) == 3);
  CHECK(gf::compare_traces(set_of(e), set_of(longer), {}, DType::f32, true).first_failure() == nullptr);
  CHECK(gf::compare_traces(set_of(longer), set_of(e), {}, DType::f32, true).count(Status::failed) == 3);
}

TEST_CASE("A tensor that does not fit its rule fails with the rule's reason") {
  const auto e = three();
  const gf::NameMap map("m", R"([{"ours": "logits", "theirs": "logits", "rearrange": "a b c -> a b c"}])");
  const auto all = gf::compare_traces(set_of(e), set_of(e), map, DType::f32);
  REQUIRE(all.first_failure());
  CHECK_THAT(all.first_failure()->comparison.reason, Contains("a b c"));
}

TEST_CASE("The reports hold every tensor, hostile names too") {
  Matrices e = three();
  e.push_back({"<b>\n\xff</b>", e[0].second});
  auto g = e;
  g[1].second(3, 2) = std::numeric_limits<double>::quiet_NaN();
  g[3].second *= 3;
  const auto all = compare(e, g);
  CHECK_THAT(to_text(all), Contains("\\xff"));
  const auto json = nlohmann::json::parse(to_json_text(all));
  CHECK(json.at("passed") == false);
  CHECK(json.at("first_failure") == "blocks.0.att.wkv");
  CHECK(json.at("tensors").size() == 4);
  CHECK(json.at("counts").at("FAILED") == 2);
  CHECK(json.at("tensors")[1].at("got_nonfinite").at("nan") == 1);
  CHECK(json.at("tensors")[2].at("logits").at("top1") == 1.0);
  const std::string html = to_html(all);
  CHECK(html == to_html(all));
  CHECK_THAT(html, Contains("blocks.0.att.wkv") && Contains("&lt;b&gt;") && !Contains("<b>\n"));
  CHECK_THAT(html, !Contains("<script") && !Contains("src=") && !Contains("href="));
  for (const char* part : {"Error along depth", "Error along time", "largest error, of the tensor's rms"}) CHECK_THAT(html, Contains(part));
}
