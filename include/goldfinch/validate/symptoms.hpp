// What an error looks like: the few patterns that tell where to look. A tensor that failed is tried against what would make it right
// (another scale or sign, rows shifted by one, its transpose), and the wrong rows and columns are counted. Sentences, for people.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "goldfinch/validate/compare.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace symptoms_detail {

/// Tensors as matrices: the first dimension that is not 1 is rows.
struct Rows {
  Index rows, cols;
  explicit Rows(const Array& x) : rows(compare_detail::Ranges(x.shape).rows), cols(compare_detail::Ranges(x.shape).row_size) {}
};

/// Relative rms between row t of the expected and row t + shift of the got, over the rows that both have.
inline double distance(const Array& expected, const Array& got, const Rows& n, Index shift) {
  std::vector<double> e(static_cast<std::size_t>(n.cols)), g(e.size());
  double d2 = 0, e2 = 0;
  for (Index t = std::max<Index>(0, -shift); t < n.rows - std::max<Index>(0, shift); ++t) {
    expected.read(t * n.cols, n.cols, e.data());
    got.read((t + shift) * n.cols, n.cols, g.data());
    for (std::size_t j = 0; j < e.size(); ++j) d2 += (g[j] - e[j]) * (g[j] - e[j]), e2 += e[j] * e[j];
  }
  return e2 > 0 ? std::sqrt(d2 / e2) : std::numeric_limits<double>::infinity();
}

/// "3 to 15", "3", "0, 4 and 8 (3 of 16)", or "5, 7, 9, … (8 of 16)".
inline std::string list(const std::vector<Index>& places, Index of) {
  if (places.size() == 1) return std::to_string(places[0]);
  if (places.back() - places.front() + 1 == static_cast<Index>(places.size()))
    return std::to_string(places.front()) + " to " + std::to_string(places.back());
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(places.size(), 4); ++i) text += (i ? ", " : "") + std::to_string(places[i]);
  return text + (places.size() > 4 ? ", …" : "") + " (" + std::to_string(places.size()) + " of " + std::to_string(of) + ")";
}

/// Which rows and which columns are off by more than the budget.
inline void add_places(const Array& expected, const Array& got, const Rows& n, const Comparison& c, std::vector<std::string>& found) {
  std::vector<double> e(static_cast<std::size_t>(n.cols)), g(e.size()), by_column(e.size());
  const auto wrong = [&](double squares, Index count) { return !(std::sqrt(squares / static_cast<double>(count)) <= c.budget * c.rms); };
  std::vector<Index> rows, columns;
  for (Index t = 0; t < n.rows; ++t) {
    expected.read(t * n.cols, n.cols, e.data());
    got.read(t * n.cols, n.cols, g.data());
    double squares = 0;
    for (std::size_t j = 0; j < e.size(); ++j) {
      const double d = g[j] == e[j] || (std::isnan(g[j]) && std::isnan(e[j])) ? 0 : g[j] - e[j];
      squares += d * d, by_column[j] += d * d;
    }
    if (wrong(squares, n.cols)) rows.push_back(t);
  }
  for (Index j = 0; j < n.cols; ++j)
    if (wrong(by_column[static_cast<std::size_t>(j)], n.rows)) columns.push_back(j);
  const auto all = [](const std::vector<Index>& places, Index of) { return static_cast<Index>(places.size()) == of; };
  if (n.rows > 1 && !rows.empty() && !all(rows, n.rows)) {
    const bool from_here = rows.back() == n.rows - 1 && rows.back() - rows.front() + 1 == static_cast<Index>(rows.size());
    const std::string first = std::to_string(rows.front());
    const std::string before = rows.front() == 1 ? "row 0 is" : "rows 0 to " + std::to_string(rows.front() - 1) + " are";
    if (from_here && rows.size() > 1) found.push_back(before + " right, all from row " + first + " on are wrong");
    else found.push_back("only some rows are wrong: " + list(rows, n.rows));
  }
  if (n.cols > 1 && !columns.empty() && !all(columns, n.cols)) found.push_back("only some columns are wrong: " + list(columns, n.cols));
}

}  // namespace symptoms_detail

/// What is seen of a failure of equal shapes, each a sentence without its stop. Reads both tensors a few times.
inline std::vector<std::string> symptoms(const Array& expected, const Array& got, const Comparison& c) {
  using namespace symptoms_detail;
  using compare_detail::short_number;
  std::vector<std::string> found;
  if (c.expected_shape != c.got_shape) {
    auto sorted = c.expected_shape, other = c.got_shape;
    std::sort(sorted.begin(), sorted.end()), std::sort(other.begin(), other.end());
    if (sorted == other) found.push_back("the shape has the right dimensions in another order: a transpose is missing (--map tells layouts)");
    else if (c.expected_shape.size() == c.got_shape.size() && c.expected_shape.size() > 1 &&
             std::equal(c.expected_shape.begin() + 1, c.expected_shape.end(), c.got_shape.begin() + 1))
      found.push_back("only the number of rows differs: another number of tokens");
    else if (element_count(c.expected_shape) == element_count(c.got_shape))
      found.push_back("the number of elements is right: a mapping file can say how they lie (--map)");
    return found;
  }
  if (c.unequal_nonfinite == 0) {
    const double limit = std::max(c.budget, 1e-6);
    if (c.got_zeros == 1) found.push_back("everything is zero: never written?");
    else if (c.cosine < 0 && std::abs(c.scale + 1) < 0.01 && c.cosine < -0.999) found.push_back("it is minus what is expected");
    else if (c.cosine > 1 - limit * limit && std::abs(c.scale - 1) > limit)
      found.push_back("it is what is expected times " + short_number(c.scale) + ": only a factor is wrong");
    const Rows n(expected);
    const auto right = [&](double off) { return off <= 4 * limit && off < 0.5 * c.relative_rms; };
    if (n.rows > 2 && right(distance(expected, got, n, 1))) found.push_back("row t + 1 is what row t should be: shifted by one");
    if (n.rows > 2 && right(distance(expected, got, n, -1))) found.push_back("row t is what row t + 1 should be: shifted by one");
    if (const auto& shape = expected.shape; shape.size() > 1 && shape.back() == shape[shape.size() - 2] && got.axes.size() == shape.size())
      if (right(distance(expected, got.transposed(), n, 0))) found.push_back("its transpose (of the last two dimensions) is right");
  }
  add_places(expected, got, Rows(expected), c, found);
  return found;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
