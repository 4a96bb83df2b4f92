// A comparison as one self-contained web page: the verdict, the error along depth and along time, a heat map of the worst tensor, and
// every tensor in the order of the computation. No scripts, nothing loaded from elsewhere.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "goldfinch/validate/comparison_text.hpp"
#include "goldfinch/validate/plot.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace comparison_html {

using comparison_text::short_number;
using plot::escaped;

/// What a logarithmic axis can show of an error; nothing of an exact zero.
inline bool shown(double x) { return std::isfinite(x) && x > 0; }

/// Relative rms of every tensor, and its budget.
inline Plot along_depth(const TraceComparison& all) {
  Plot plot{"Error along depth", {"tensor, in the order of the computation", false}, {"relative rms", true}, {{"error", {}}, {"budget", {}}}};
  for (std::size_t i = 0; i < all.tensors.size(); ++i) {
    const Comparison& c = all.tensors[i].comparison;
    const double x = static_cast<double>(i) + 1;
    if (c.count > 0 && shown(c.relative_rms)) plot.series[0].points.emplace_back(x, c.relative_rms);
    if (shown(c.budget)) plot.series[1].points.emplace_back(x, c.budget);
  }
  return plot;
}

/// Of the first failure, of up to five tensors that end blocks, and of the last: relative rms of every range of rows.
inline Plot along_time(const TraceComparison& all) {
  std::vector<const TensorResult*> chosen, ends;
  const auto has_rows = [](const TensorResult& t) { return t.comparison.along.size() > 1 && t.comparison.expected_shape.size() == 2; };
  for (const TensorResult& t : all.tensors)
    if (has_rows(t) && trace_detail::Place(t.name).rest == "out") ends.push_back(&t);
  if (const auto* first = all.first_failure(); first && has_rows(*first)) chosen.push_back(first);
  for (std::size_t i = 0; i < std::min<std::size_t>(ends.size(), 5); ++i) chosen.push_back(ends[ends.size() <= 5 ? i : i * (ends.size() - 1) / 4]);
  if (!all.tensors.empty() && has_rows(all.tensors.back())) chosen.push_back(&all.tensors.back());
  Plot plot{"Error along time", {"row", false}, {"rms of the error, of the tensor's rms", true}, {}};
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (std::find(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(i), chosen[i]) != chosen.begin() + static_cast<std::ptrdiff_t>(i)) continue;
    const Comparison& c = chosen[i]->comparison;
    PlotSeries series{chosen[i]->name, {}};
    const double rows = static_cast<double>(c.expected_shape[0]) / static_cast<double>(c.along.size());
    for (std::size_t r = 0; r < c.along.size(); ++r)
      if (shown(c.along[r])) series.points.emplace_back(std::floor(static_cast<double>(r) * rows), c.along[r]);
    if (!series.points.empty()) plot.series.push_back(std::move(series));
  }
  return plot;
}

/// The largest |d| / rms(e) of every cell, at most 64 by 96 cells.
inline HeatMap heat_map(const TensorResult& t) {
  const compare_detail::Ranges shape(t.comparison.expected_shape);
  const Index rows = std::min<Index>(shape.rows, 64), columns = std::min<Index>(shape.row_size, 96);
  HeatMap map{t.name + ": largest error, of the tensor's rms", "element of the row", "row", static_cast<std::size_t>(columns),
              std::vector<double>(static_cast<std::size_t>(rows * columns)), 0, static_cast<double>(shape.rows - 1), 0, static_cast<double>(shape.row_size - 1)};
  std::vector<double> e(static_cast<std::size_t>(shape.row_size)), g(e.size());
  for (Index r = 0; r < shape.rows; ++r) {
    t.expected->read(r * shape.row_size, shape.row_size, e.data());
    t.got->read(r * shape.row_size, shape.row_size, g.data());
    for (Index j = 0; j < shape.row_size; ++j) {
      const double a = e[static_cast<std::size_t>(j)], b = g[static_cast<std::size_t>(j)];
      const bool equal = a == b || (std::isnan(a) && std::isnan(b));
      const double off = equal ? 0 : std::isfinite(a) && std::isfinite(b) ? std::abs(b - a) / (t.comparison.rms > 0 ? t.comparison.rms : 1) : std::numeric_limits<double>::infinity();
      double& cell = map.values[static_cast<std::size_t>(r * rows / shape.rows * columns + j * columns / shape.row_size)];
      cell = std::max(cell, off);
    }
  }
  return map;
}

/// The failed tensor that is furthest above its budget; where none failed, the one nearest to it. Null if nothing was compared.
inline const TensorResult* worst(const TraceComparison& all) {
  const auto badness = [](const TensorResult& t) {
    const Comparison& c = t.comparison;
    const double off = c.unequal_nonfinite > 0 ? std::numeric_limits<double>::max() : std::min(std::max(c.relative_rms, c.worst / worst_in_budgets) / c.budget, 1e300);
    return std::pair(t.failed(), off);
  };
  const TensorResult* found = nullptr;
  for (const TensorResult& t : all.tensors)
    if (t.comparison.count > 0 && (!found || badness(*found) < badness(t))) found = &t;
  return found;
}

inline std::string row(const TensorResult& t, std::size_t number) {
  const Comparison& c = t.comparison;
  const bool figures = c.count > 0;
  std::string html = "<tr class=\"" + std::string(name_of(c.status)) + "\"><td>" + std::to_string(number) + "</td><td>" + name_of(c.status) + "</td><td><b>" + escaped(printable(t.name)) +
                     "</b><br><small>" + escaped(t.words) + "</small></td><td>" + escaped(t.equation) + "</td><td>" + escaped(to_string(c.expected_shape)) + "</td>";
  for (const double value : {c.relative_rms, c.budget, c.max_abs, c.max_rel, c.cosine, c.nmse}) html += "<td>" + (figures || value == c.budget ? short_number(value) : "") + "</td>";
  const Index nonfinite = c.got_nonfinite.nan + c.got_nonfinite.infinite;
  html += "<td>" + (figures ? comparison_text::ulp_histogram(c) : "") + "</td><td>" + (nonfinite > 0 ? std::to_string(nonfinite) : "") + "</td><td>" +
          (figures ? short_number(100 * c.got_zeros) + " %" : "") + "</td><td>" + escaped(c.reason) + "</td></tr>\n";
  return html;
}

inline constexpr const char* style =
    "body{font:15px/1.45 sans-serif;color:#222;margin:2em auto;max-width:1500px;padding:0 1em}table{border-collapse:collapse;font-size:13px}"
    "td,th{padding:3px 8px;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}th{position:sticky;top:0;background:#fff}"
    "pre{background:#f6f6f6;padding:1em;white-space:pre-wrap}tr.FAILED td:nth-child(2),.bad{color:#b00020;font-weight:bold}"
    "tr.UNTESTED td:nth-child(2){color:#7a4b00;font-weight:bold}tr.MISTRUSTED td:nth-child(2){color:#7a6a00}tr.PASSED td:nth-child(2),.good{color:#00693e}"
    "tr.FAILED{background:#fff1f2}tr.UNTESTED{background:#fff7e8}tr.MISTRUSTED{background:#fffde8}svg{max-width:100%;height:auto}";

}  // namespace comparison_html

/// The page. Ends with a newline.
inline std::string to_html(const TraceComparison& all) {
  using namespace comparison_html;
  const bool passed = all.first_failure() == nullptr;
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>goldfinch compare</title><style>" + std::string(style) + "</style></head><body>\n<h1>" +
                     (passed ? "<span class=\"good\">PASSED</span>" : "<span class=\"bad\">FAILED</span>") + ": " + escaped(printable(all.got)) + "</h1>\n<p>against " +
                     escaped(printable(all.expected)) + ", " + name_of(all.format);
  if (all.manifest) html += ", case <b>" + escaped(all.manifest->name) + "</b>: " + escaped(all.manifest->purpose);
  html += "</p>\n<pre>" + escaped(summary(all)) + "</pre>\n";
  const auto picture = [&](const Plot& plot) {
    if (std::any_of(plot.series.begin(), plot.series.end(), [](const PlotSeries& s) { return !s.points.empty(); })) html += to_svg(plot);
  };
  picture(along_depth(all));
  picture(along_time(all));
  if (const TensorResult* t = worst(all)) html += to_svg(heat_map(*t));
  if (!all.extra.empty()) {
    html += "<p>Not compared, because the expected have no such name:";
    for (const auto& name : all.extra) html += " " + escaped(printable(name));
    html += "</p>\n";
  }
  html += "<h2>Tensors in the order of the computation</h2>\n<table><tr>";
  for (const char* heading : {"#", "status", "tensor", "equation", "shape", "relative rms", "budget", "max abs", "max rel", "cosine", "NMSE", "ULPs", "NaN, Inf", "zeros", "reason"})
    html += std::string("<th>") + heading + "</th>";
  html += "</tr>\n";
  for (std::size_t i = 0; i < all.tensors.size(); ++i) html += row(all.tensors[i], i + 1);
  return html + "</table>\n</body></html>\n";
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
