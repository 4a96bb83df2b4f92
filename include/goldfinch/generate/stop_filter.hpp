// Text that ends before the first of several stop strings. A text is over at its first byte with which any of them is
// complete, and what goes before that string comes out (of two that are complete there, before the longer one). Where
// tokens or pieces end makes no difference: pieces of one text in any sizes give the same bytes.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class StopFilter {
 public:
  /// Throws Error for an empty stop string.
  explicit StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {
    for (const auto& stop : stops_)
      if (stop.empty()) fail("a stop string is empty");
  }

  /// Takes the next piece of the text; returns what is certain to go before a stop string. A tail that may yet become
  /// one is held back. After a stop string nothing more comes.
  std::string push(std::string_view text) {
    held_ += text;
    if (stopped_) return {};
    std::size_t first = held_.size(), end = std::string::npos;  // of the stop string
    for (const auto& stop : stops_) {
      const std::size_t begin = held_.find(stop);
      if (begin == std::string::npos || begin + stop.size() > end) continue;
      first = begin + stop.size() < end ? begin : std::min(first, begin);
      end = begin + stop.size();
    }
    stopped_ = end != std::string::npos;
    if (!stopped_)
      for (const auto& stop : stops_)
        for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > held_.size() - first; --n)
          if (held_.ends_with(std::string_view(stop).substr(0, n))) first = held_.size() - n;
    std::string out = held_.substr(0, first);
    held_.erase(0, first);
    return out;
  }

  /// No more text, so that nothing can become a stop string any more: what was held back, unless it is one.
  std::string flush() { return stopped_ ? std::string() : std::exchange(held_, ""); }

  bool stopped() const { return stopped_; }

  /// What has come in and not come out: the beginning of what may become a stop string, or a stop string and what came
  /// behind it.
  const std::string& held() const { return held_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
