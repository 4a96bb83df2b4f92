// Every corpus once through its target, without a fuzzer:   run_corpus FOLDER [NAME…]
// Each file tests/fuzz/NAME.cpp is compiled with its LLVMFuzzerTestOneInput called fuzz_NAME (tests/CMakeLists.txt).
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#ifdef GOLDFINCH_HAVE_SENTENCEPIECE
#define SENTENCEPIECE(X) X(sentencepiece)
#else
#define SENTENCEPIECE(X)
#endif
#define TARGETS(X) SENTENCEPIECE(X) X(safetensors) X(pth) X(pickle) X(npy) X(npz) X(config) X(session) X(world) X(name_map) X(index) X(batch)

extern "C" {
#define DECLARE(name) int fuzz_##name(const std::uint8_t* data, std::size_t size);
TARGETS(DECLARE)
}

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
#define NAMED(name) {#name, fuzz_##name},
  const std::pair<std::string, int (*)(const std::uint8_t*, std::size_t)> targets[] = {TARGETS(NAMED)};
  if (argc < 2) return 2;
  const std::vector<std::string> wanted(argv + 2, argv + argc);
  for (const auto& [name, target] : targets) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(fs::path(argv[1]) / name)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& path : files) {
      std::ifstream file(path, std::ios::binary);
      const std::string bytes(std::istreambuf_iterator<char>(file), {});
      const auto exact = std::make_unique<std::uint8_t[]>(bytes.size());  // so that a sanitizer sees a byte read behind the last
      std::copy(bytes.begin(), bytes.end(), exact.get());
      std::cerr << path.string() << std::endl;  // the last one named is the one that failed
      target(exact.get(), bytes.size());
    }
    std::cout << name << ": " << files.size() << " inputs" << std::endl;
    if (files.empty()) return 1;
  }
}
