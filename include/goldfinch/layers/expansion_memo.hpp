// What GOLD layers rebuild from the key cache, remembered within a budget of bytes. Nothing that is rebuilt ever changes: a token's
// decompressed key depends on that token, a layer's k and v on it, the one before it and the position. So a memo hangs on a page
// of the cache, is shared with it, and changes no bit of any result, only the time.
//
// Two things can be remembered of a page of 64 tokens: its decompressed keys K (TC.2), 64 D numbers that serve every GOLD layer;
// and, layer by layer, k and v (GOLD.5, GOLD.6), 128 D numbers each. Decompressing is most of the work of rebuilding and K the
// smaller part of the memory, so layers may take half of the budget at most, and pages are served first come, first served: every
// step of decoding reads all positions once, so no position deserves memory more than another.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "goldfinch/core/platform.hpp"
#include "goldfinch/math/sum.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The bytes that all memos of a model may hold together. Shared by threads.
class MemoBudget {
 public:
  static constexpr std::size_t unlimited = ~std::size_t{0};

  explicit MemoBudget(std::size_t limit) : limit_(limit) {}

  std::size_t limit() const { return limit_; }
  std::size_t used() const { return used_.load(); }

  /// Takes `bytes` if the total then stays within `part` of the limit.
  bool take(std::size_t bytes, std::size_t part) {
    std::size_t used = used_.load();
    do {
      if (used > part || bytes > part - used) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes));
    return true;
  }
  void give_back(std::size_t bytes) { used_.fetch_sub(bytes); }

 private:
  std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

/// Rows of one page that are remembered so far: `rows` of them, from the page's first on.
template <class Scalar>
struct RememberedRows {
  HugeBuffer buffer;
  Index rows = 0;

  Scalar* data() { return reinterpret_cast<Scalar*>(buffer.data()); }
};

/// The memo of one page. `mutex` is held while it is read for a call's pointers or extended; rows once remembered stay put.
template <class Scalar>
class PageMemo {
 public:
  PageMemo(std::shared_ptr<MemoBudget> budget, std::size_t layers) : layers_(layers), budget_(std::move(budget)) {}
  ~PageMemo() { budget_->give_back(taken_); }
  PageMemo(const PageMemo&) = delete;
  PageMemo& operator=(const PageMemo&) = delete;

  std::mutex mutex;

  /// The page's decompressed keys, [64, D]; null where the budget has no room.
  RememberedRows<Scalar>* keys(Index D) { return room(keys_, block * D, budget_->limit()); }

  /// A layer's keys [H][N][64] and after them its values [64, D]; null where the budget has no room.
  RememberedRows<Scalar>* layer(std::size_t i, Index D) {
    return room(layers_[i], 2 * block * D, budget_->limit() == MemoBudget::unlimited ? budget_->limit() : budget_->limit() / 2);
  }

 private:
  RememberedRows<Scalar>* room(RememberedRows<Scalar>& rows, Index numbers, std::size_t part) {
    if (rows.buffer.size() > 0) return &rows;
    const std::size_t bytes = static_cast<std::size_t>(numbers) * sizeof(Scalar);
    if (!budget_->take(bytes, part)) return nullptr;
    taken_ += bytes;
    rows.buffer = HugeBuffer(bytes);
    return &rows;
  }

  RememberedRows<Scalar> keys_;
  std::vector<RememberedRows<Scalar>> layers_;
  std::shared_ptr<MemoBudget> budget_;
  std::size_t taken_ = 0;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
