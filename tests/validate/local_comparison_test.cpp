// Causes are told from consequences: one step of a model is made wrong, everything after it is computed in consequence, and of all that
// is wrong then, exactly that step is wrong locally.
#include "goldfinch/validate/local_comparison.hpp"

#include <catch2/catch.hpp>

#include "goldfinch/validate/comparison_json.hpp"
#include "goldfinch/validate/comparison_text.hpp"
#include "goldfinch/validate/golden_models.hpp"
#include "goldfinch/validate/operators.hpp"
#include "goldfinch/validate/recording.hpp"
#include "model/golden.hpp"

namespace gf = goldfinch;
using Catch::Contains;
using gf::Index;
using gf::Status;

namespace {

/// Records a run in which one intermediate is changed on its way.
template <class Scalar>
struct Planted final : gf::TraceSink<Scalar> {
  std::string where;
  std::function<void(gf::Matrix<Scalar>&)> change;
  gf::Recording<Scalar> recording;

  void rows(const std::string&, const gf::Matrix<Scalar>&) override {}
  void state(const std::string& name, const gf::Matrix<Scalar>& value, Index heads) override { recording.state(name, value, heads); }
  void replace(const std::string& name, Index first, gf::Matrix<Scalar>& value) override {
    if (name == where) change(value);
    recording.context(name, first, value);
  }
};

template <class Scalar>
std::vector<gf::RecordedTensor> run(const std::string& model_name, const std::string& where = "", std::function<void(gf::Matrix<Scalar>&)> change = {}) {
  const auto model = gf::load_model<Scalar>(golden::weights(model_name));
  const auto tokens = golden::tokens(model_name);
  auto state = model.initial_state();
  Planted<Scalar> sink;
  sink.where = where, sink.change = change;
  model.forward({{tokens, &state}}, gf::Trace<Scalar>(&sink));
  return sink.recording.tensors();
}

gf::ArraySet set_of(const std::vector<gf::RecordedTensor>& tensors) {
  gf::ArraySet set{"/no/where/x", {}, false, false};
  for (const auto& t : tensors) set.arrays.emplace_back(t.name, gf::Array::view(t.data.data(), t.shape));
  return set;
}

gf::OperatorInfo info_of(const std::string& op) {
  for (auto& info : gf::operator_list())
    if (info.name == op) return info;
  FAIL(op);
  throw;
}

gf::TraceComparison compare(const std::string& model, const std::vector<gf::RecordedTensor>& expected, const std::vector<gf::RecordedTensor>& got) {
  auto all = gf::compare_traces(set_of(expected), set_of(got), {}, gf::DType::f32);
  gf::compare_locally(all, info_of("model"), gf::read_golden_model(golden::path(model)).inputs, gf::run_operator<double>);
  return all;
}

std::vector<std::string> wrong_locally(const gf::TraceComparison& all) {
  std::vector<std::string> names;
  for (const auto& t : all.tensors)
    if (t.failed_locally()) names.push_back(t.name);
  return names;
}

}  // namespace

TEST_CASE("Local: a planted mistake fails alone, however much fails in consequence") {
  const auto expected = run<double>("goldfinch_rope");
  const std::pair<const char*, Index> planted[] = {{"blocks.0.ln1", 100},      {"blocks.0.att.xk", 100}, {"blocks.1.att.k", 80},     {"blocks.1.att.wkv", 60},
                                                   {"tokencat.compressed", 20}, {"tokencat.keys", 20},    {"blocks.4.att.mk", 10},    {"blocks.4.att.attn", 1},
                                                   {"blocks.5.ffn.k", 4},       {"logits", 1}};
  for (const auto& [name, at_least] : planted) {
    INFO(name);
    const auto all = compare("goldfinch_rope", expected, run<float>("goldfinch_rope", name, [](gf::Matrix<float>& x) { x *= 1.25F; }));
    CHECK(all.count(Status::failed) >= at_least);
    CHECK(wrong_locally(all) == std::vector<std::string>{name});
    CHECK(all.count_local(Status::passed) == static_cast<Index>(all.tensors.size()) - 1);
    CHECK_THAT(to_text(all), Contains(std::string("The cause, the first that is wrong for what it was given: ") + name + " ") && Contains("times 1.25"));
    CHECK(nlohmann::json::parse(to_json_text(all)).at("cause") == name);
  }
}

TEST_CASE("Local: a right run passes; a NaN is blamed where it begins; what is missing is computed on") {
  const auto expected = run<double>("finch");
  const auto right = compare("finch", expected, run<float>("finch"));
  CHECK(right.first_failure() == nullptr);
  CHECK(right.first_cause() == nullptr);
  CHECK(right.count_local(Status::passed) == static_cast<Index>(right.tensors.size()));

  const auto nan = compare("finch", expected, run<float>("finch", "blocks.0.att.r", [](gf::Matrix<float>& x) { x(3, 5) = std::nanf(""); }));
  CHECK(nan.count(Status::failed) > 20);
  CHECK(wrong_locally(nan) == std::vector<std::string>{"blocks.0.att.r"});

  auto without = run<float>("finch", "blocks.1.att.k", [](gf::Matrix<float>& x) { x *= 1.25F; });
  std::erase_if(without, [](const auto& t) { return t.name == "blocks.1.att.k"; });
  const auto missing = compare("finch", expected, without);
  CHECK(missing.count(Status::untested) == 1);
  CHECK(wrong_locally(missing) == std::vector<std::string>{"blocks.1.att.wkv", "blocks.1.att.wkv_state"});  // the first that shows it
}

TEST_CASE("Local: shapes that do not fit do not lead, and fail") {
  const auto expected = run<double>("llama_rope");
  auto got = run<float>("llama_rope");
  for (auto& t : got)
    if (t.name == "blocks.1.att.q") t.shape = {t.shape[1], t.shape[0]};
  const auto all = compare("llama_rope", expected, got);
  CHECK(wrong_locally(all) == std::vector<std::string>{"blocks.1.att.q"});
  CHECK(all.count(Status::failed) == 1);
}
