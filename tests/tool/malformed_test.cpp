// Every malformed file that the readers refuse, given to the program as a user would give it: exit code 2 and one line that names
// the file and the reason. Built with sanitizers, this is where crashes and undefined behaviour would show.
#include <catch2/catch.hpp>

#include <sys/wait.h>

#include <cstdlib>

#include "checkpoint/malformed.hpp"
#include "core/folder.hpp"
#include "tokenizer/malformed_vocabularies.hpp"

namespace {

struct Outcome {
  int code;
  std::string error;
};

/// Runs the program in `folder` with these arguments.
Outcome run(const Folder& folder, const std::string& arguments) {
  const int status = std::system(("cd " + folder.path() + " && OMP_NUM_THREADS=1 " GOLDFINCH_PROGRAM " " + arguments + " >/dev/null 2>errors").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, folder.read("errors")};
}

void check_refused(const Outcome& outcome, const std::string& name, const std::string& message) {
  INFO(name << ": exit code " << outcome.code << ", " << outcome.error.substr(0, 300));
  CHECK(outcome.code == 2);
  CHECK(std::count(outcome.error.begin(), outcome.error.end(), '\n') == 1);
  CHECK(outcome.error.find(message) != std::string::npos);
}

}  // namespace

TEST_CASE("The program refuses every malformed checkpoint and vocabulary with exit code 2 and one line") {
  const Folder folder;
  for (const auto& file : malformed_files()) {
    folder.write("file", file.bytes);
    check_refused(run(folder, "info file"), file.name, file.fragment);
  }
  for (const auto& vocabulary : malformed_vocabularies) {
    folder.write("file", std::string(vocabulary.bytes));
    check_refused(run(folder, "tokenize --tokenizer file --text x"), std::string(vocabulary.name), std::string(vocabulary.message));
  }
}
