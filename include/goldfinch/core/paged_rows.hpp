// Rows that only ever get appended, in pages of 64: what a sequence remembers a token (compressed keys, ids, keys and values).
// Full pages never change, so copies of a sequence share them and copy the last, partly filled page only. Nothing is doubled or
// moved as the sequence grows, and the bytes held are known exactly.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class T>
class PagedRows {
 public:
  /// Rows in a page.
  static constexpr Index page = 64;

  /// No rows yet, of `width` numbers each.
  explicit PagedRows(Index width = 0) : width_(width) {
    if (width < 0 || width > largest_dimension) fail("rows of ", width, " numbers, expected 0 to ", largest_dimension);
  }
  PagedRows(const PagedRows& other) : PagedRows(other, other.size_) {}
  /// The first n rows of `other`.
  PagedRows(const PagedRows& other, Index n) : width_(other.width_) {
    require_range(0, n, other.size_, "rows");
    pages_.assign(other.pages_.begin(), other.pages_.begin() + (n + page - 1) / page);
    if (n % page != 0) pages_.back() = std::make_shared<std::vector<T>>(*pages_.back());
    size_ = n;
  }
  /// What was moved from has no rows, and takes new ones of the same width.
  PagedRows(PagedRows&& other) noexcept : width_(other.width_), size_(std::exchange(other.size_, 0)), pages_(std::move(other.pages_)) { other.pages_.clear(); }
  PagedRows& operator=(PagedRows other) noexcept {
    std::swap(width_, other.width_);
    std::swap(size_, other.size_);
    std::swap(pages_, other.pages_);
    return *this;
  }

  Index size() const { return size_; }
  Index width() const { return width_; }
  /// Bytes of the rows held, shared pages included, the unused end of the last page not.
  std::size_t bytes() const { return static_cast<std::size_t>(size_ * width_) * sizeof(T); }

  /// Row i, below size().
  const T* row(Index i) const {
    if (i < 0 || i >= size_) fail_row(i);
    return pages_[static_cast<std::size_t>(i / page)]->data() + i % page * width_;
  }

  /// Room for one more row, so that the next append cannot throw. For what keeps two lists of rows that must stay equally long.
  void make_room() {
    if (static_cast<Index>(pages_.size()) * page == size_) pages_.push_back(std::make_shared<std::vector<T>>(static_cast<std::size_t>(page * width_)));
  }

  /// Appends `width` numbers; if there is no memory, nothing has changed.
  void append(const T* row) {
    make_room();
    std::copy_n(row, width_, pages_.back()->data() + size_ % page * width_);
    ++size_;
  }

  /// All rows in order, in contiguous pieces: visit(first row, number of rows).
  template <class Visitor>
  void pieces(Visitor&& visit) const {
    for (Index first = 0; first < size_; first += page) visit(row(first), std::min(page, size_ - first));
  }

  /// Rows first .. first + n - 1 as a matrix.
  Matrix<T> rows(Index first, Index n) const {
    require_range(first, n, size_, "rows");
    Matrix<T> out(n, width_);
    for (Index i = 0; i < n; ++i) std::copy_n(row(first + i), width_, out.data() + i * width_);
    return out;
  }

 private:
  [[noreturn]] void fail_row(Index i) const { fail("row ", i, " of ", size_); }

  Index width_;
  Index size_ = 0;
  std::vector<std::shared_ptr<std::vector<T>>> pages_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
