// What a file looks like that is not what was wanted, by how it begins, for messages: whoever gives a wrong file is told which.
#pragma once

#include <string_view>

#include "goldfinch/core/platform.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// "a GGUF file", with what to do about it where there is something, or null where its beginning tells nothing.
inline const char* foreign_format(const MappedFile& file) {
  const std::string_view head(reinterpret_cast<const char*>(file.data()), std::min<std::size_t>(file.size(), 64));
  const auto starts = [&](std::string_view text) { return head.starts_with(text); };
  if (starts("version https://git-lfs")) return "a pointer to a file kept by git-lfs (fetch the file with git lfs pull)";
  if (starts("GGUF")) return "a GGUF file";
  if (starts("PK\3\4") || starts("PK\5\6")) return "a zip archive (such as .npz or .pth)";
  if (starts("\x93NUMPY")) return "a .npy file";
  if (starts("\x1f\x8b") || starts("BZh") || starts("\xfd" "7zXZ") || starts("\x28\xb5\x2f\xfd")) return "a compressed file (unpack it)";
  if (starts("\x89HDF")) return "an HDF5 file";
  if (starts("%PDF")) return "a PDF file";
  if (starts("\x7f" "ELF")) return "a program";
  if (starts("<")) return "a web page or XML (was the download refused?)";
  if (starts("{") || starts("[")) return "JSON";
  if (head.size() > 1 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5)
    return "a pickle without an archive, as PyTorch before 1.6 wrote it (load it with torch.load and save its state_dict again with torch.save)";
  for (const char c : head.substr(0, 8))
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t') return nullptr;
  return head.size() < 8 ? nullptr : "text, or of a format that is not known";
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
