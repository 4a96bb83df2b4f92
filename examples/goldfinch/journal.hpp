// Results of a long run as they come, in a file beside the one that they are for, so that a run that was killed goes on
// where it was. A result is one line of text; their order is that in which they come. One line of the file each:
//
//   SHA-256 of the rest of the line, 64 hexadecimal digits   a blank   the result's index   a blank   the result
//
// The first line tells what the run is of (JSON, in place of index and result). Writing may be cut off anywhere:
// whatever follows the last line that is whole and has the right checksum is dropped. A process that is killed loses
// the line that it was writing.
//
// Nothing is taken on trust: before results are delivered the journal is read again, and it is removed only when the
// file that they went to has been read again, too.
#pragma once

#include <sys/file.h>

#include <charconv>
#include <cstring>

#include <nlohmann/json.hpp>

#include "goldfinch/core/platform.hpp"
#include "goldfinch/core/sha256.hpp"

namespace tool {

class Journal {
 public:
  /// Opens the journal, or begins it if there is none, for `count` results of a run that `about` describes: "the model"
  /// -> its fingerprint, …. Throws Error naming the path if it is of a run that differs in any of these, if it is no
  /// journal, or if another process writes it; then nothing is changed.
  Journal(const std::string& path, const nlohmann::ordered_json& about, std::size_t count) : path_(path), places_(count) {
    file_ = goldfinch::Descriptor(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
    if (!file_) goldfinch::fail(path, ": cannot write: ", goldfinch::system_reason());
    struct stat status;
    if (::fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode)) goldfinch::fail(path, ": is not a regular file");
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) goldfinch::fail(path, ": another run is writing it");
    const std::string header = with_checksum(about.dump());
    const goldfinch::MappedFile mapped(path, goldfinch::MappedFile::Again());
    const std::string_view text(reinterpret_cast<const char*>(mapped.data()), mapped.size());
    if (header.starts_with(text) && text != header) {  // new, or cut off before there was a result
      truncate(0);
      write(header);
      return;
    }
    const std::string_view first = whole_line(text);
    const auto other = nlohmann::ordered_json::parse(first, nullptr, false);
    if (!other.is_object()) goldfinch::fail(path, ": is no journal of results, or a damaged one; it is in the way");
    for (const auto& [key, value] : about.items())
      if (!other.contains(key) || other[key] != value)
        goldfinch::fail(path, ": holds results of a run that differs in ", key, "; finish that run, or remove the file to begin anew");
    truncate(read_results(text));
  }

  /// How many results are there, and whether that of `index` is.
  std::size_t size() const { return size_; }
  bool has(std::size_t index) const { return places_[index].size > 0; }

  /// Adds a result, a line without its newline.
  void append(std::size_t index, const std::string& result) {
    const std::string line = with_checksum(std::to_string(index) + " " + result);
    write(line);
    keep(index, 0, result.size() + 1);  // deliver() finds out where it is
  }

  /// All results have been appended: writes them to `out`, by index, and removes the journal. The file appears whole or
  /// not at all. Calls each(line) for every result. Throws Error where results are missing, because something else has
  /// written into the journal; the next run then goes on with those that are there.
  template <class Each>
  void deliver(const std::string& out, Each&& each) {
    const goldfinch::MappedFile mapped(path_, goldfinch::MappedFile::Again());
    const std::string_view text(reinterpret_cast<const char*>(mapped.data()), mapped.size());
    const std::size_t end = read_results(text);
    if (end != text.size() || size_ != places_.size()) {
      truncate(end);
      goldfinch::fail(path_, ": something else has written into it: ", size_, " of ", places_.size(), " results are whole; run the same command again for the others");
    }
    goldfinch::AtomicFile file(out);
    for (const Place& place : places_) {
      each(text.substr(place.begin, place.size - 1));
      file.write(mapped.data() + place.begin, place.size);
    }
    file.commit();
    const goldfinch::MappedFile written(out, goldfinch::MappedFile::Again());
    std::string_view rest(reinterpret_cast<const char*>(written.data()), written.size());
    const auto check = [&](bool right) {
      if (!right) goldfinch::fail(out, ": does not hold what was written into it; the results are still in ", path_);
    };
    for (const Place& place : places_) {
      check(rest.starts_with(text.substr(place.begin, place.size)));
      rest.remove_prefix(place.size);
    }
    check(rest.empty());
    ::unlink(path_.c_str());
  }

 private:
  /// Where a result is in the file, its newline included.
  struct Place {
    std::size_t begin = 0, size = 0;
  };

  static constexpr std::size_t checksum_size = 65;  // its blank included

  static std::string with_checksum(const std::string& text) { return goldfinch::sha256(text) + " " + text + "\n"; }

  /// The first line of `text` without checksum and newline; empty if it is not whole.
  static std::string_view whole_line(std::string_view text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.size() == text.size() || line.size() < checksum_size || line[checksum_size - 1] != ' ') return {};
    const std::string_view rest = line.substr(checksum_size);
    return goldfinch::sha256(rest) == line.substr(0, checksum_size - 1) ? rest : std::string_view();
  }

  /// Finds the results that are whole, up to the first line that is not; returns where that begins. Empty where the
  /// header is not.
  std::size_t read_results(std::string_view text) {
    std::fill(places_.begin(), places_.end(), Place());
    size_ = 0;
    const std::string_view header = whole_line(text);
    if (header.empty()) return 0;
    std::size_t begin = checksum_size + header.size() + 1;
    while (true) {
      const std::string_view line = whole_line(text.substr(begin));
      const std::size_t blank = std::min(line.find(' '), line.size());
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(line.data(), line.data() + blank, index);
      if (error != std::errc() || end != line.data() + blank || blank == line.size() || index >= places_.size() || has(index)) return begin;
      keep(index, begin + checksum_size + blank + 1, line.size() - blank);  // the newline counts, the blank does not
      begin += checksum_size + line.size() + 1;
    }
  }

  void keep(std::size_t index, std::size_t begin, std::size_t size) {
    places_[index] = {begin, size};
    ++size_;
  }

  void truncate(std::size_t size) {
    if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) goldfinch::fail(path_, ": cannot write: ", goldfinch::system_reason());
  }

  void write(const std::string& line) {
    if (const int error = goldfinch::write_fully(file_.get(), line.data(), line.size())) goldfinch::fail(path_, ": cannot write: ", std::strerror(error));
  }

  std::string path_;
  goldfinch::Descriptor file_;
  std::vector<Place> places_;  // [count]
  std::size_t size_ = 0;
};

}  // namespace tool
