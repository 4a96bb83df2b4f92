#include "goldfinch/core/folder_entries.hpp"

#include <set>

#include "folder.hpp"
#include "refused.hpp"

using namespace goldfinch;

TEST_CASE("A folder gives all that it holds, and what is none says so") {
  const Folder folder;
  CHECK(folder_entries(folder.path()).empty());
  std::set<std::string> expected, found;
  for (int i = 0; i < 100; ++i) expected.insert(folder.write("file" + std::to_string(i), ""));
  for (const auto& entry : folder_entries(folder.path())) found.insert(entry.path().string());
  CHECK(found == expected);
  REFUSED(folder_entries(folder / "nowhere"), folder / "nowhere: cannot read the folder: ");
  REFUSED(folder_entries(folder / "file1"), folder / "file1: cannot read the folder: ");
}
