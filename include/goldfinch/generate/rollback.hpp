// Positions of a sequence that one can go back to. A recurrent state cannot be run backwards, so going back means going to a place
// where a copy was kept: a fork, which shares the full pages of the caches with the sequence and so costs the recurrent state, one
// page and the logits, whatever the context.
#pragma once

#include <deque>

#include "goldfinch/model/engine.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class Rollback {
 public:
  /// A place to go back to.
  struct Kept {
    std::unique_ptr<Engine::Sequence> sequence;
    Matrix<double> logits;  // [1, V], after the sequence's last token
    std::size_t bytes = 0;
  };

  /// Copies may take `bytes` in total; the oldest are dropped first.
  explicit Rollback(std::size_t bytes) : limit_(bytes) {}

  /// Keeps a copy of where the sequence is now; does nothing if one alone is over the limit, or if the latest copy is from here.
  void checkpoint(const Engine::Sequence& sequence, const Matrix<double>& logits) {
    if (!kept_.empty() && kept_.back().sequence->position() == sequence.position()) return;
    const std::size_t page = sequence.position() > 0 ? sequence.cache_bytes() / static_cast<std::size_t>(sequence.position()) * block : 0;
    const std::size_t bytes = sequence.state_bytes() + page + static_cast<std::size_t>(logits.size()) * sizeof(double);
    if (bytes > limit_) return;
    while (this->bytes() + bytes > limit_) kept_.pop_front();
    kept_.push_back({sequence.fork(), logits, bytes});
  }

  /// The latest copy that has seen at most `position` tokens, or null. Fork it to go on from there more than once.
  const Kept* rollback(Index position) const {
    const Kept* latest = nullptr;
    for (const Kept& kept : kept_)
      if (kept.sequence->position() <= position && (!latest || kept.sequence->position() >= latest->sequence->position())) latest = &kept;
    return latest;
  }

  /// Forgets the copies that have seen more than `position` tokens: the sequence went back there and takes another way.
  void forget_after(Index position) {
    std::erase_if(kept_, [&](const Kept& kept) { return kept.sequence->position() > position; });
  }

  /// All copies, the oldest first.
  const std::deque<Kept>& kept() const { return kept_; }

  /// Bytes that the copies hold, pages shared with the sequence not counted.
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Kept& kept : kept_) sum += kept.bytes;
    return sum;
  }

 private:
  std::size_t limit_;
  std::deque<Kept> kept_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
