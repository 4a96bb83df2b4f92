// What GOLD layers rebuild from the key cache, remembered within a budget of bytes. It changes no bit of any result, only the time.
//
// What depends on what, and what remembering it is worth, for G layers (R = D / 16, LoRA ranks of D / 16 or 64):
//
//   of a token's id alone      w_kv_cache_b's product with x0, the first D terms of TC.2: D numbers for all layers together, which
//                              save D^2 products a layer at every position with that id: some three quarters of all rebuilding
//   of a position, a layer     k and v (GOLD.5, GOLD.6): 2 D numbers, which save the rest, LoRA products above all
//
// A byte spent on an id saves some hundred times what it saves when spent on a position, so ids come first: they take their room
// when a token joins a cache, before anything is rebuilt, and positions leave an eighth of the budget to ids that are yet to come.
// Positions are remembered by pages of 64, in all layers or none, first come first served: every step of decoding reads each
// position once, so none deserves memory more than another. Nothing that is remembered ever changes: a token's key depends on that
// token, k and v on it, the one before it and the position. So the memo of a page hangs on the page and is shared with it. (v and
// half of GOLD.4 depend on a pair of ids alone; in a text most pairs are new, so that would hold hardly less than positions do.)
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "goldfinch/core/matrix.hpp"
#include "goldfinch/core/platform.hpp"
#include "goldfinch/math/sum.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// A budget without a limit.
inline constexpr std::size_t unlimited_memory = ~std::size_t{0};

/// The budget that all sequences of a model share, and what it remembers of ids. Shared by threads.
template <class Scalar>
class ExpansionMemo {
 public:
  /// `limit` bytes for V ids and pages of `layers` GOLD layers of width D.
  ExpansionMemo(std::size_t limit, Index V, Index D, std::size_t layers) : limit_(limit), V_(V), D_(D), layers_(layers) {
    if (V < 1 || D < 1 || layers < 1) fail("a memo for ", V, " ids, rows of ", D, " numbers and ", layers, " layers, expected 1 or more of each");
    const auto ids = static_cast<std::size_t>(V);
    if (!take(ids * (sizeof halves_[0] + sizeof expected_[0]), limit)) return;
    halves_ = std::vector<std::atomic<const Scalar*>>(ids);
    expected_.resize(ids);
  }

  /// Bytes that remembering `positions` positions whole takes, if no two of them have the same id, as far as V ids go.
  static double bytes_for(double positions, Index V, Index D, std::size_t layers) {
    const double ids = static_cast<double>(V), row = static_cast<double>(D) * sizeof(Scalar);
    return ids * (sizeof(std::atomic<const Scalar*>) + sizeof(char)) + std::min(positions, ids) * row + positions * static_cast<double>(layers) * 2 * row;
  }

  std::size_t limit() const { return limit_; }
  /// Bytes held, or promised to ids whose half is yet to be computed.
  std::size_t used() const { return used_.load(); }
  Index V() const { return V_; }
  Index D() const { return D_; }
  std::size_t layers() const { return layers_; }

  /// A token with this id has joined a cache: its half gets room, if there is any.
  void expect(Index id) {
    if (halves_.empty()) return;
    const std::size_t i = among_halves(id);
    const std::lock_guard lock(mutex_);
    auto& expected = expected_[i];
    if (!expected) expected = take(half_bytes(), limit_);
  }

  /// The id's half of TC.2, [D], before the terms of c; null if it is not known.
  const Scalar* half(Index id) const { return halves_.empty() ? nullptr : halves_[among_halves(id)].load(std::memory_order_acquire); }

  /// Keeps that half, if the id has room and is not known yet.
  void remember(Index id, const Scalar* half) {
    if (halves_.empty()) return;
    const std::size_t i = among_halves(id);
    const std::lock_guard lock(mutex_);
    if (!expected_[i] || halves_[i].load(std::memory_order_relaxed)) return;
    constexpr std::size_t slab = std::size_t{2} << 20;
    const std::size_t in_slab = std::max<std::size_t>(1, slab / half_bytes());
    if (known_ % in_slab == 0) slabs_.emplace_back(std::min(in_slab, halves_.size() - known_) * half_bytes());
    Scalar* const to = reinterpret_cast<Scalar*>(slabs_.back().data()) + static_cast<Index>(known_++ % in_slab) * D_;
    std::copy_n(half, D_, to);
    halves_[i].store(to, std::memory_order_release);
  }

  /// Bytes of a page's memo: keys and values of 64 positions in every layer.
  std::size_t page_bytes() const { return layers_ * static_cast<std::size_t>(2 * block * D_) * sizeof(Scalar); }
  bool take_page() { return take(page_bytes(), limit_ == unlimited_memory ? limit_ : limit_ - limit_ / 8); }
  void give_back_page() { used_.fetch_sub(page_bytes()); }

 private:
  std::size_t half_bytes() const { return static_cast<std::size_t>(D_) * sizeof(Scalar); }

  std::size_t among_halves(Index id) const {
    require_range(id, 1, static_cast<Index>(halves_.size()), "ids of a memo");
    return static_cast<std::size_t>(id);
  }

  /// Takes `bytes` if the total then stays within `limit`.
  bool take(std::size_t bytes, std::size_t limit) {
    std::size_t used = used_.load();
    do {
      if (used > limit || bytes > limit - used) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes));
    return true;
  }

  std::size_t limit_;
  std::atomic<std::size_t> used_{0};
  Index V_, D_;
  std::size_t layers_;
  std::vector<std::atomic<const Scalar*>> halves_;  // [V], null where not known; empty where the budget is too small
  std::mutex mutex_;                                // over the members below
  std::vector<char> expected_;                      // [V], whether the id's half has its room
  std::vector<HugeBuffer> slabs_;
  std::size_t known_ = 0;
};

/// Keys and values of one page in one layer, as far as they are remembered: the first `rows` positions.
template <class Scalar>
struct RememberedRows {
  Scalar* keys;    // [H][N][64], after rotary
  Scalar* values;  // [H][64][N]
  Index& rows;
};

/// The memo of one page. `mutex` is held while rows are counted or added; rows once remembered stay put.
template <class Scalar>
class PageMemo {
 public:
  explicit PageMemo(std::shared_ptr<ExpansionMemo<Scalar>> budget) : budget_(std::move(budget)) {}
  ~PageMemo() {
    if (buffer_.size() > 0) budget_->give_back_page();
  }
  PageMemo(const PageMemo&) = delete;
  PageMemo& operator=(const PageMemo&) = delete;

  std::mutex mutex;

  /// Whether there is room for this page; takes it when first asked. If the system has no memory, nothing stays taken.
  bool has_room() {
    if (buffer_.size() > 0) return true;
    rows_.resize(budget_->layers());
    if (!budget_->take_page()) return false;
    try {
      buffer_ = HugeBuffer(budget_->page_bytes());
    } catch (...) {
      budget_->give_back_page();
      throw;
    }
    return true;
  }

  /// What is remembered for GOLD layer i; only with room.
  RememberedRows<Scalar> layer(std::size_t i) {
    const Index half = block * budget_->D();
    Scalar* const keys = reinterpret_cast<Scalar*>(buffer_.data()) + static_cast<Index>(i) * 2 * half;
    return {keys, keys + half, rows_[i]};
  }

 private:
  std::shared_ptr<ExpansionMemo<Scalar>> budget_;
  HugeBuffer buffer_;        // layer after layer: keys, values
  std::vector<Index> rows_;  // [layers]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
