// Proves that a build gives the bits of the reference cases: computes every case of a manifest anew, on 1, 2 and 5 threads, and compares
// the SHA-256 of all numbers with the manifest's; those of the files that hold the cases, too.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

#include "goldfinch/core/arithmetic.hpp"
#include "goldfinch/validate/cases.hpp"
#include "goldfinch/validate/golden_models.hpp"
#include "goldfinch/validate/manifest.hpp"
#include "goldfinch/validate/manifest_writer.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct Verification {
  Index tensors = 0;                  // that were computed
  std::vector<std::string> problems;  // a line for each tensor with other bits, and for each case that cannot be computed

  bool passed() const { return problems.empty(); }
  std::string text() const {
    std::string text;
    for (const auto& problem : problems) text += problem + "\n";
#ifdef _OPENMP
    const char* const threads = " tensors on 1, 2 and 5 threads: ";
#else
    const char* const threads = " tensors: ";
#endif
    return text + std::to_string(tensors) + threads +
           (passed() ? "the same bits as the manifest's" : std::to_string(problems.size()) + " with other bits than the manifest's") + "\n";
  }
};

namespace verify_detail {

using Hashes = std::map<std::string, std::string>;

/// Names of the tensors that have other bits than the manifest's entry says.
inline std::vector<std::string> unequal(const ManifestCase& entry, const Hashes& found) {
  std::vector<std::string> names;
  std::set<std::string> listed;
  for (const auto& tensor : entry.tensors) {
    listed.insert(tensor.name);
    const auto same = found.find(tensor.name);
    if (same == found.end() || same->second != tensor.sha256) names.push_back(tensor.name);
  }
  for (const auto& [name, sha] : found)
    if (!listed.count(name)) names.push_back(name + " (which the manifest lacks)");
  return names;
}

inline Hashes hashes_of(const Checkpoint& stored) {
  Hashes hashes;
  for (const auto& [name, tensor] : stored.tensors) hashes[name] = tensor_sha256(tensor);
  return hashes;
}

/// Runs body(threads) for every number of threads that matters; without OpenMP there is one.
template <class Body>
void on_1_2_and_5(Body&& body) {
#ifdef _OPENMP
  const struct Before {  // put back whatever the body throws
    int threads = omp_get_max_threads();
    ~Before() { omp_set_num_threads(threads); }
  } before;
  for (const int threads : {1, 2, 5}) {
    omp_set_num_threads(threads);
    body(threads);
  }
#else
  body(1);
#endif
}

}  // namespace verify_detail

/// Verifies FOLDER/manifest.json, or the only case of it that is named; `infos` and `run` are the kit in double (operators.hpp), whoever
/// has instantiated it, and `starting` is told the name of every case. Throws Error where there is nothing to verify, and where this
/// build's arithmetic is not the contract's.
inline Verification verify(const std::string& folder, const std::string& only, const std::vector<OperatorInfo>& infos, const MeasuringKit::Run& run,
                           const std::function<void(const std::string&)>& starting = [](const std::string&) {}) {
  namespace fs = std::filesystem;
  arithmetic::require();
  const std::string path = (fs::path(folder) / "manifest.json").string();
  const auto manifest = read_manifest(path);
  if (!manifest) fail(path, ": is not a manifest of reference cases");
  const auto cases = reference_cases();
  const auto models = golden_models((fs::path(folder) / "models").string());
  Verification result;
  for (const auto& entry : *manifest) {
    if (!only.empty() && entry.name != only) continue;
    starting(entry.name);
    const auto complain = [&](const std::string& where, const std::vector<std::string>& names, const std::string& what) {
      for (const auto& name : names) result.problems.push_back(where + ": " + name + what);
    };
    verify_detail::Hashes given;
    std::string op = "model";
    std::optional<Checkpoint> in;
    for (const Case& c : cases) {
      if (c.name != entry.name) continue;
      op = c.op;
      in = make_inputs(c, *std::find_if(infos.begin(), infos.end(), [&](const OperatorInfo& info) { return info.name == op; }));
      given = verify_detail::hashes_of(*in);
      if (const std::string file = entry.beside(entry.file); fs::exists(file) || !c.on_demand)
        complain(file, verify_detail::unequal(entry, verify_detail::hashes_of(read_safetensors(file))), " has other bits than the manifest says");
    }
    for (const auto& model : models)
      if (entry.name == "model." + model.name) in = model.inputs;
    if (!in) {
      result.problems.push_back(entry.name + ": this program does not have the case");
      continue;
    }
    verify_detail::on_1_2_and_5([&](int threads) {
      auto computed = given;
      for (const auto& tensor : run(op, *in, nullptr)) computed[tensor.name] = result_sha256(tensor);
      complain(entry.name, verify_detail::unequal(entry, computed), " has other bits on " + std::to_string(threads) + " threads");
      if (threads == 1) result.tensors += static_cast<Index>(computed.size());
    });
  }
  if (result.tensors == 0 && result.passed()) fail(path, ": holds no case", only.empty() ? "" : " " + in_quotes(only));
  return result;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
