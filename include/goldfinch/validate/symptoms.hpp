// What an error looks like: the few patterns that tell where to look. A tensor that failed is tried against what would make it right
// (another scale or sign, rows shifted by one, its transpose, another shape), and the wrong rows and columns are counted. Sentences, for
// people; and what is seen puts the known mistakes in order.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "goldfinch/validate/compare.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What is seen of an error, and a sentence about it without its stop.
struct Symptom {
  enum class Kind { shape, zero, minus, factor, rows_shifted, transpose, first_rows_right, places, rounded } kind;
  std::string text;
};

namespace symptoms_detail {

using Kind = Symptom::Kind;

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

/// For each wrong row of theirs, the row that it should stand in; nothing unless they are the wrong rows in another order.
inline std::vector<Index> order_of(const Array& expected, const Array& got, const Rows& n, const std::vector<Index>& wrong, double limit) {
  std::vector<Index> order;
  if (wrong.size() < 2 || wrong.size() > 64) return order;
  std::vector<double> e(static_cast<std::size_t>(n.cols)), g(e.size());
  for (const Index t : wrong) {
    got.read(t * n.cols, n.cols, g.data());
    const auto same = std::find_if(wrong.begin(), wrong.end(), [&](Index other) {
      expected.read(other * n.cols, n.cols, e.data());
      double d2 = 0, e2 = 0;
      for (std::size_t j = 0; j < e.size(); ++j) d2 += (g[j] - e[j]) * (g[j] - e[j]), e2 += e[j] * e[j];
      return d2 <= limit * limit * e2 && std::find(order.begin(), order.end(), other) == order.end();
    });
    if (same == wrong.end()) return {};
    order.push_back(*same);
  }
  return order;
}

/// Which rows and which columns are off by more than the budget. Rows of more than one dimension are slices, whose columns say nothing.
inline void add_places(const Array& expected, const Array& got, const Rows& n, const Comparison& c, std::vector<Symptom>& found) {
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
  std::size_t inner = expected.shape.size();  // dimensions of a row
  for (const Index size : expected.shape)
    if (--inner, size != 1) break;
  std::string slice;
  for (std::size_t i = 0; i < inner; ++i) slice += ", :";
  const std::string one = inner > 1 ? "slice" : "row", many = inner > 1 ? "slices [i" + slice + "]" : "rows";
  const auto all = [](const std::vector<Index>& places, Index of) { return static_cast<Index>(places.size()) == of; };
  if (n.rows > 1 && !rows.empty()) {
    const bool from_here = rows.back() == n.rows - 1 && rows.back() - rows.front() + 1 == static_cast<Index>(rows.size());
    const std::string first = std::to_string(rows.front());
    const std::string before = rows.front() == 1 ? one + " 0 is" : one + "s 0 to " + std::to_string(rows.front() - 1) + " are";
    if (all(rows, n.rows)) {
    } else if (from_here && rows.size() > 1) {
      found.push_back({Kind::first_rows_right, before + " right, all from " + one + " " + first + " on are wrong"});
    } else {
      found.push_back({Kind::places, "only some " + many + " are wrong: " + list(rows, n.rows)});
    }
    const auto order = order_of(expected, got, n, rows, std::max(c.budget, 1e-6));
    std::string places;
    for (std::size_t i = 0; i < order.size() && i < 8; ++i) places += (i ? ", " : "") + std::to_string(order[i]);
    if (order.size() == 2) found.push_back({Kind::places, one + "s " + std::to_string(rows[0]) + " and " + std::to_string(rows[1]) + " are each other's"});
    else if (!order.empty()) found.push_back({Kind::places, "the right " + one + "s are there, in another order: " + places + (order.size() > 8 ? ", …" : "")});
  }
  if (inner <= 1 && n.cols > 1 && !columns.empty() && !all(columns, n.cols))
    found.push_back({Kind::places, "only some columns are wrong: " + list(columns, n.cols)});
}

/// "0.354 = 8^-0.5", "1.25", "1 + 2.3e-05".
inline std::string factor(double scale) {
  using compare_detail::short_number;
  if (std::abs(scale - 1) < 0.005) return std::string("1 ") + (scale < 1 ? "- " : "+ ") + short_number(std::abs(scale - 1));
  const double inverse = 1 / (scale * scale), n = std::round(inverse);
  const bool root = scale > 0 && n >= 2 && n <= 256 && std::abs(inverse / n - 1) < 1e-3;
  return short_number(scale) + (root ? " = " + short_number(n) + "^-0.5, as scores of heads of " + short_number(n) + " channels are scaled" : "");
}

/// Whether every number is one of bfloat16, or of half precision.
template <class Stored>
bool all_of_type(const Array& x) {
  double block[1024];
  for (Index at = 0; at < x.count(); at += 1024) {
    const Index size = std::min<Index>(1024, x.count() - at);
    x.read(at, size, block);
    for (Index i = 0; i < size; ++i)
      if (static_cast<double>(widen(narrow<Stored>(block[i]))) != block[i]) return false;
  }
  return true;
}

}  // namespace symptoms_detail

/// What is seen of a failure. Reads both tensors a few times.
inline std::vector<Symptom> seen(const Array& expected, const Array& got, const Comparison& c) {
  using namespace symptoms_detail;
  std::vector<Symptom> found;
  if (c.expected_shape != c.got_shape) {
    auto sorted = c.expected_shape, other = c.got_shape;
    std::sort(sorted.begin(), sorted.end()), std::sort(other.begin(), other.end());
    const auto reshaped = got.reshaped(c.expected_shape);
    const auto say = [&](std::string text) { found.push_back({Kind::shape, std::move(text)}); };
    if (reshaped && compare(expected, *reshaped, c.budget).status == Status::passed)
      say("as " + to_string(c.expected_shape) + " it is right: only the shape is wrong");
    else if (sorted == other) say("the shape has the right dimensions in another order: a transpose is missing (--map tells layouts)");
    else if (c.expected_shape.size() == c.got_shape.size() && c.expected_shape.size() > 1 &&
             std::equal(c.expected_shape.begin() + 1, c.expected_shape.end(), c.got_shape.begin() + 1))
      say("only the number of rows differs: another number of tokens");
    else if (element_count(c.expected_shape) == element_count(c.got_shape))
      say("the number of elements is right: a mapping file can say how they lie (--map)");
    return found;
  }
  bool whole = false;  // the pattern is of the whole tensor
  if (c.unequal_nonfinite == 0) {
    const double limit = std::max(c.budget, 1e-6);
    const auto add = [&](Kind kind, std::string text) { found.push_back({kind, std::move(text)}), whole = true; };
    if (c.got_zeros == 1) add(Kind::zero, "everything is zero: never written?");
    else if (c.cosine < 0 && std::abs(c.scale + 1) < 0.01 && c.cosine < -0.999) add(Kind::minus, "it is minus what is expected");
    else if (c.cosine > 1 - limit * limit && std::abs(c.scale - 1) > limit)
      add(Kind::factor, "it is what is expected times " + factor(c.scale) + ": only a factor is wrong");
    const Rows n(expected);
    const auto right = [&](double off) { return off <= 4 * limit && off < 0.5 * c.relative_rms; };
    if (n.rows > 2 && right(distance(expected, got, n, 1))) found.push_back({Kind::rows_shifted, "your rows are one late: row t stands in row t + 1"});
    if (n.rows > 2 && right(distance(expected, got, n, -1))) found.push_back({Kind::rows_shifted, "your rows are one early: row t + 1 stands in row t"});
    if (const auto& shape = expected.shape; shape.size() > 1 && shape.back() == shape[shape.size() - 2] && got.axes.size() == shape.size())
      if (right(distance(expected, got.transposed(), n, 0))) add(Kind::transpose, "its transpose (of the last two dimensions) is right");
    if (!whole && c.relative_rms < 0.02 && c.got_zeros < 0.5) {
      const char* const type = all_of_type<BFloat16>(got) ? "bfloat16" : all_of_type<Float16>(got) ? "half precision" : nullptr;
      if (type) found.push_back({Kind::rounded, std::string("every number of yours is one of ") + type + ": rounded to it on the way out, or --format is another"});
    }
  }
  if (!whole) add_places(expected, got, Rows(expected), c, found);
  return found;
}

/// The sentences alone.
inline std::vector<std::string> symptoms(const Array& expected, const Array& got, const Comparison& c) {
  std::vector<std::string> sentences;
  for (auto& symptom : seen(expected, got, c)) sentences.push_back(std::move(symptom.text));
  return sentences;
}

/// How a known mistake (mistakes.hpp) goes with what is seen: it looks just so, it may be, or it would look otherwise.
enum class Fits { well, maybe, not_at_all };

inline Fits fits(std::string_view flag, const std::vector<Symptom>& all) {
  using Kind = Symptom::Kind;
  const auto one_of = [&](std::initializer_list<std::string_view> flags) { return std::find(flags.begin(), flags.end(), flag) != flags.end(); };
  Fits result = Fits::maybe;
  for (const Symptom& symptom : all) {
    std::optional<Fits> here;
    switch (symptom.kind) {
      case Kind::shape: here = one_of({"ffn-width"}) ? Fits::well : Fits::not_at_all; break;
      case Kind::factor:
        here = one_of({"wkv-scaled", "log-base", "variance-unbiased", "rescaled-stream"}) ? Fits::well
               : one_of({"eps-value", "eps-added-to-root", "eps-in-root"})                ? Fits::maybe
                                                                                           : Fits::not_at_all;
        break;
      case Kind::transpose: here = one_of({"state-transposed", "weight-transposed"}) ? Fits::well : Fits::not_at_all; break;
      case Kind::first_rows_right:
        if (one_of({"decay-before-read"})) here = Fits::well;
        if (one_of({"read-after-update", "bonus-missing", "bonus-unwanted", "mask-excludes-self", "future-keys"})) here = Fits::not_at_all;
        break;
      case Kind::zero:
      case Kind::minus:
      case Kind::rows_shifted:
      case Kind::places:
      case Kind::rounded: break;
    }
    if (here == Fits::not_at_all) return Fits::not_at_all;
    if (here == Fits::well) result = Fits::well;
  }
  return result;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
