// The last tokens of a text, each once: what a repetition penalty looks at.
#pragma once

#include <deque>
#include <map>

#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class RecentTokens {
 public:
  /// Remembers the last `limit` tokens; -1: all.
  explicit RecentTokens(Index limit) : limit_(limit) {}

  void push(int token) {
    if (limit_ == 0) return;
    ++times_[token];
    if (limit_ < 0) return;  // nothing is ever forgotten, so their order does not matter
    order_.push_back(token);
    if (static_cast<Index>(order_.size()) <= limit_) return;
    const auto oldest = times_.find(order_.front());
    if (--oldest->second == 0) times_.erase(oldest);
    order_.pop_front();
  }

  /// token -> how often it is among them, which is not 0.
  const std::map<int, Index>& times() const { return times_; }

 private:
  Index limit_;
  std::deque<int> order_;  // the oldest first
  std::map<int, Index> times_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
