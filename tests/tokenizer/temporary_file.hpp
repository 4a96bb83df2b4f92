// A file with given bytes that is gone at the end of its scope.
#pragma once

#include <string>
#include <string_view>

#include "core/folder.hpp"

class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view bytes) : path_(folder_.write("file", std::string(bytes))) {}
  const std::string& path() const { return path_; }

 private:
  Folder folder_;
  std::string path_;
};
