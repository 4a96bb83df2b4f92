// Rows that only ever get appended, in pages of 64: what a sequence remembers a token (compressed keys, ids, keys and values).
// Full pages never change, so copies of a sequence share them and copy the last, partly filled page only. Nothing is doubled or
// moved as the sequence grows, and the bytes held are known exactly.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class T>
class PagedRows {
 public:
  /// Rows in a page.
  static constexpr Index page = 64;

  explicit PagedRows(Index width = 0) : width_(width) {}
  PagedRows(const PagedRows& other) : PagedRows(other, other.size_) {}
  /// The first n rows of `other`.
  PagedRows(const PagedRows& other, Index n)
      : width_(other.width_), size_(n), pages_(other.pages_.begin(), other.pages_.begin() + (n + page - 1) / page) {
    if (size_ % page != 0) pages_.back() = std::make_shared<std::vector<T>>(*pages_.back());
  }
  PagedRows(PagedRows&&) = default;
  PagedRows& operator=(PagedRows other) {
    std::swap(width_, other.width_);
    std::swap(size_, other.size_);
    std::swap(pages_, other.pages_);
    return *this;
  }

  Index size() const { return size_; }
  Index width() const { return width_; }
  /// Bytes of the rows held, shared pages included, the unused end of the last page not.
  std::size_t bytes() const { return static_cast<std::size_t>(size_ * width_) * sizeof(T); }

  const T* row(Index i) const { return pages_[static_cast<std::size_t>(i / page)]->data() + i % page * width_; }

  void append(const T* row) {
    if (size_ % page == 0) pages_.push_back(std::make_shared<std::vector<T>>(static_cast<std::size_t>(page * width_)));
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
    Matrix<T> out(n, width_);
    for (Index i = 0; i < n; ++i) std::copy_n(row(first + i), width_, out.data() + i * width_);
    return out;
  }

 private:
  Index width_;
  Index size_ = 0;
  std::vector<std::shared_ptr<std::vector<T>>> pages_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
