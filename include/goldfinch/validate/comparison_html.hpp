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

/// Relative rms of every tensor, and its budget; where steps were judged by themselves, theirs too.
inline Plot along_depth(const TraceComparison& all) {
  Plot plot{"Error along depth", {"tensor, in the order of the computation", false}, {"relative rms", true}, {{"error", {}}, {"budget", {}}}};
  if (all.with_local) plot.series.push_back({"error of the step alone", {}});
  for (std::size_t i = 0; i < all.tensors.size(); ++i) {
    const Comparison& c = all.tensors[i].comparison;
    const double x = static_cast<double>(i) + 1;
    if (c.count > 0 && shown(c.relative_rms)) plot.series[0].points.emplace_back(x, c.relative_rms);
    if (const auto& local = all.tensors[i].local; local && local->count > 0 && shown(local->relative_rms))
      plot.series[2].points.emplace_back(x, local->relative_rms);
    const auto same = [&](std::size_t other) { return all.tensors[other].comparison.budget == c.budget; };
    const bool corner = i == 0 || i + 1 == all.tensors.size() || !same(i - 1) || !same(i + 1);
    if (corner && shown(c.budget)) plot.series[1].points.emplace_back(x, c.budget);
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
  const std::size_t n = std::min<std::size_t>(ends.size(), 5);
  for (std::size_t i = 0; i < n; ++i) chosen.push_back(ends[n < 2 ? 0 : i * (ends.size() - 1) / (n - 1)]);
  if (!all.tensors.empty() && has_rows(all.tensors.back())) chosen.push_back(&all.tensors.back());
  Plot plot{"Error along time", {"row", false}, {"rms of the error, of the tensor's rms", true}, {}};
  for (auto one = chosen.begin(); one != chosen.end(); ++one) {
    if (std::find(chosen.begin(), one, *one) != one) continue;  // the first failure may end a block
    const Comparison& c = (*one)->comparison;
    PlotSeries series{(*one)->name, {}};
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
  HeatMap map{t.name + ": largest error, of the tensor's rms", "element of the row", "row", static_cast<std::size_t>(columns), {}};
  map.values.resize(static_cast<std::size_t>(rows * columns));
  map.row_end = static_cast<double>(shape.rows - 1), map.column_end = static_cast<double>(shape.row_size - 1);
  const double rms = t.comparison.rms > 0 ? t.comparison.rms : 1;
  std::vector<double> e(static_cast<std::size_t>(shape.row_size)), g(e.size());
  for (Index r = 0; r < shape.rows; ++r) {
    t.expected->read(r * shape.row_size, shape.row_size, e.data());
    t.got->read(r * shape.row_size, shape.row_size, g.data());
    for (Index j = 0; j < shape.row_size; ++j) {
      const double a = e[static_cast<std::size_t>(j)], b = g[static_cast<std::size_t>(j)];
      const bool equal = a == b || (std::isnan(a) && std::isnan(b));
      const double off = equal ? 0 : std::isfinite(a) && std::isfinite(b) ? std::abs(b - a) / rms : std::numeric_limits<double>::infinity();
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
    const double off = std::max(c.relative_rms, c.worst / worst_in_budgets) / c.budget;
    if (c.budget == no_budget) return std::pair(false, 0.0);
    return std::pair(t.failed(), c.unequal_nonfinite > 0 ? std::numeric_limits<double>::infinity() : off);
  };
  const TensorResult* found = nullptr;
  for (const TensorResult& t : all.tensors)
    if (t.comparison.count > 0 && (!found || badness(*found) < badness(t))) found = &t;
  return found;
}

/// "half up to 1, all up to 511": the ULP histogram in short; whole in the tooltip.
inline std::string ulps(const Comparison& c) {
  std::size_t half = 0, last = 0;
  Index below = 0;
  for (std::size_t k = 0; k < c.ulps.size(); ++k) {
    if (2 * below < c.finite) half = k;
    below += c.ulps[k];
    if (c.ulps[k] > 0) last = k;
  }
  const auto most = [](std::size_t k) { return short_number(std::ldexp(1.0, static_cast<int>(k)) - 1); };
  return "half up to " + most(half) + ", all up to " + most(last);
}

/// A line of the table. `style` colours cells of a status, and lines in which something failed.
inline std::string row(const TensorResult& t, std::size_t number, bool with_local) {
  const Comparison& c = t.comparison;
  std::string html = std::string("<tr class=\"") + name_of(t.failed_locally() ? t.local->status : c.status) + "\">";
  const auto cell = [&](const std::string& content, const std::string& tooltip = "", const std::string& kind = "") {
    html += "<td" + (kind.empty() ? "" : " class=\"" + kind + "\"") + (tooltip.empty() ? "" : " title=\"" + tooltip + "\"") + ">" + content + "</td>";
  };
  const auto status = [&](Status s, const std::string& figures = "") { cell(name_of(s) + figures, "", name_of(s)); };
  cell(std::to_string(number));
  status(c.status);
  if (with_local && t.local)
    status(t.local->status, t.local->count > 0 ? "<br><small>" + short_number(t.local->relative_rms) + " of " + short_number(t.local->budget) + "</small>" : "");
  else if (with_local) cell("");
  cell("<b>" + escaped(printable(t.name)) + "</b><br><small>" + escaped(t.words) + "</small>");
  cell(escaped(t.equation));
  cell(to_string(c.expected_shape), "", "figure");
  cell(c.budget == no_budget ? "none" : short_number(c.budget), "", "figure");
  if (c.count > 0) {
    for (const double value : {c.relative_rms, c.max_abs, c.max_rel, c.cosine, c.nmse}) cell(short_number(value), "", "figure");
    cell(ulps(c), comparison_text::ulp_histogram(c));
    cell(std::to_string(c.got_nonfinite.nan + c.got_nonfinite.infinite));
    cell(short_number(100 * c.got_zeros) + " %");
  } else {
    html += "<td colspan=\"8\"></td>";
  }
  cell(escaped(t.failed_locally() ? t.local->reason : c.reason));
  return html + "</tr>\n";
}

inline constexpr const char* style =
    "body{font:15px/1.45 sans-serif;color:#222;margin:2em auto;max-width:1500px;padding:0 1em}table{border-collapse:collapse;font-size:13px}"
    "td,th{padding:3px 8px;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}th{position:sticky;top:0;background:#fff}"
    "pre{background:#f6f6f6;padding:1em;white-space:pre-wrap}td.FAILED,.bad{color:#b00020;font-weight:bold}"
    "td.UNTESTED{color:#7a4b00;font-weight:bold}td.MISTRUSTED{color:#7a6a00}td.PASSED,.good{color:#00693e}td.figure,td.FAILED,td.PASSED,td.MISTRUSTED{white-space:nowrap}"
    "tr.FAILED{background:#fff1f2}tr.UNTESTED{background:#fff7e8}tr.MISTRUSTED{background:#fffde8}svg{max-width:100%;height:auto}";

}  // namespace comparison_html

/// The page. Ends with a newline.
inline std::string to_html(const TraceComparison& all) {
  using namespace comparison_html;
  const bool passed = all.first_failure() == nullptr;
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>goldfinch compare</title><style>" +
                     std::string(style) + "</style></head><body>\n";
  html += passed ? "<h1><span class=\"good\">PASSED</span>: " : "<h1><span class=\"bad\">FAILED</span>: ";
  html += escaped(printable(all.got)) + "</h1>\n<p>against " + escaped(printable(all.expected)) + ", " + all.format.name;
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
  const char *const end_to_end = all.with_local ? "end to end" : "status", *const locally = all.with_local ? "locally" : nullptr;
  for (const char* heading : {"#", end_to_end, locally, "tensor", "equation", "shape", "budget", "relative rms", "max abs", "max rel", "cosine", "NMSE",
                              "ULPs", "NaN, Inf", "zeros", "reason"})
    if (heading) html += std::string("<th>") + heading + "</th>";
  html += "</tr>\n";
  for (std::size_t i = 0; i < all.tensors.size(); ++i) html += row(all.tensors[i], i + 1, all.with_local);
  return html + "</table>\n</body></html>\n";
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
