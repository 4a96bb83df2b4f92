// Models in several .safetensors files, as Hugging Face writes large ones: an index in JSON beside the files says which tensor is where.
//
//   model.safetensors.index.json    {"metadata": {…}, "weight_map": {"emb.weight": "model-00001-of-00002.safetensors", …}}
//
// An index is foreign bytes like any other file: it may name files of its own folder only, and what it says must be what they hold.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "goldfinch/checkpoint/json.hpp"
#include "goldfinch/checkpoint/safetensors.hpp"
#include "goldfinch/core/folder_entries.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The file that holds each tensor, by an index; `path` is for messages.
inline std::map<std::string, std::string> parse_index(const std::string& path, std::string_view text) {
  const auto json = parse_json(text, path);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    fail(path, ": is JSON, but no index of a model in several files; expected .safetensors, .pth, an index or a folder");
  std::map<std::string, std::string> files;
  for (const auto& [name, file] : json["weight_map"].items()) {
    if (!file.is_string()) fail(path, ": the file of tensor ", in_quotes(name), " is ", shown(file), ", expected a string");
    const auto text_of_file = file.get<std::string>();
    if (text_of_file.find('/') != std::string::npos || text_of_file.find('\0') != std::string::npos || !text_of_file.ends_with(".safetensors"))
      fail(path, ": tensor ", in_quotes(name), " is said to be in ", in_quotes(text_of_file), ", expected a .safetensors file of the same folder");
    files[name] = text_of_file;
  }
  if (files.empty()) fail(path, ": names no tensors");
  return files;
}

/// All tensors of the files that an index names. Throws Error naming the file that is missing or that holds something else.
inline Checkpoint read_several_files(const MappedFile& index) {
  const auto place = parse_index(index.path(), {reinterpret_cast<const char*>(index.data()), index.size()});
  std::set<std::string> files;
  for (const auto& [name, file] : place) files.insert(file);
  Checkpoint all;
  all.path = index.path();
  std::set<std::string> held;
  for (const std::string& file : files) {
    const std::string path = (std::filesystem::path(index.path()).parent_path() / file).string();
    Checkpoint part = read_safetensors(path, OtherTypes::listed);
    const auto check = [&](const std::string& name) {
      const auto expected = place.find(name);
      if (expected != place.end() && expected->second == file) return void(held.insert(name));
      fail(path, ": holds tensor ", in_quotes(name), ", which ", index.path(), expected == place.end() ? " does not name" : " says is in another file");
    };
    for (auto& [name, tensor] : part.tensors) {
      check(name);
      if (tensor.dtype == DType::q8 && place.count(scale_name(name))) check(scale_name(name));  // which are part of it
      all.tensors[name] = std::move(tensor);
    }
    for (auto& [name, spelled] : part.others) check(name), all.others[name] = spelled;
    all.metadata.merge(part.metadata);
    all.more_files.push_back(std::move(part.file));
  }
  for (const auto& [name, file] : place)
    if (!held.count(name)) fail(index.path(), ": says that tensor ", in_quotes(name), " is in ", in_quotes(file), ", which does not hold it");
  return all;
}

/// Throws Error where a path is one of several files of a model, by its name (…-00001-of-00002.safetensors): alone it is no model.
inline void refuse_one_of_several(const std::string& path) {
  const auto file = std::filesystem::path(path);
  const std::string name = file.stem().string();
  const auto digits = [&](std::size_t begin, std::size_t n) { return name.find_first_not_of("0123456789", begin) >= begin + n; };
  constexpr std::size_t ending = 15;  // -00001-of-00002
  if (name.size() <= ending) return;
  const std::size_t at = name.size() - ending;
  if (name[at] != '-' || name.compare(at + 6, 4, "-of-") != 0 || !digits(at + 1, 5) || !digits(at + 10, 5) || name.substr(at + 10) == "00001") return;
  fail(path, ": is one of ", std::stoi(name.substr(at + 10)), " files of a model; expected their index, ", name.substr(0, at), file.extension().string(), ".index.json, or the folder that holds them");
}

/// The path of a model: itself, or of a folder the model.safetensors, the only index, or the only checkpoint in it.
inline std::string model_file(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(path, error)) return path;
  std::vector<std::string> indices, files;
  for (const auto& entry : folder_entries(path)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".safetensors.index.json")) indices.push_back(entry.path().string());
    if (name.ends_with(".safetensors") || name.ends_with(".pth") || name.ends_with(".st")) files.push_back(entry.path().string());
  }
  if (const std::string usual = (fs::path(path) / "model.safetensors").string(); fs::exists(usual, error)) return usual;
  auto& found = indices.empty() ? files : indices;
  std::sort(found.begin(), found.end());
  if (found.empty()) fail(path, ": is a directory without a model (.safetensors, .pth or .safetensors.index.json)");
  if (found.size() > 1) fail(path, ": is a directory with several models, ", in_quotes(found[0]), " and ", in_quotes(found[1]), found.size() > 2 ? " and others" : "", "; name one");
  return found[0];
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
