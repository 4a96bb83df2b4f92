// Pictures as SVG text: named series over linear or logarithmic axes, with ticks, a grid and a legend; and matrices as heat maps. Each is
// self-contained, every browser shows it, and the same plot is always the same bytes. Not a drawing library: no bars, no styles to choose.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct PlotAxis {
  std::string label;
  bool logarithmic = false;  // then every number on it must be above 0
};

struct PlotSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (x, y), joined in this order
};

struct Plot {
  std::string title;
  PlotAxis x, y;
  std::vector<PlotSeries> series;
};

/// A matrix in colours, the first row on top. What is not finite is drawn black, zero white.
struct HeatMap {
  std::string title, x, y;     // x, y: what columns and rows are
  std::size_t columns = 0;
  std::vector<double> values;  // row-major, none below 0
  double row_begin = 0, row_end = 0, column_begin = 0, column_end = 0;  // what the edges stand for
};

namespace plot {

inline std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

/// A coordinate, to a tenth of a pixel.
inline std::string pixels(double x) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, x, std::chars_format::fixed, 1).ptr);
}

/// "2e-6", "0.05", "250", "1k", "4M", "2.5G": short, whatever the size; of `digits` figures at most.
inline std::string tick_label(double x, int digits = 6) {
  const std::array<const char*, 5> suffixes = {"", "k", "M", "G", "T"};
  std::size_t i = 0;
  for (; i + 1 < suffixes.size() && std::abs(x) >= 1000 * (1 - 1e-9); ++i) x /= 1000;
  std::string ending = suffixes[i];
  if (x != 0 && std::abs(x) < 1e-3) {  // 0.0001 would be as wide as the margin
    const double exponent = std::floor(std::log10(std::abs(x)) + 1e-9);
    x /= std::pow(10.0, exponent), ending = "e" + std::to_string(static_cast<int>(exponent));
  }
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, x, std::chars_format::general, digits).ptr) + ending;
}

/// Numbers mapped to pixels from `begin` to `end`, and the ticks between.
class Scale {
 public:
  Scale(const Plot& plot, bool horizontal, double begin, double end)
      : axis_(horizontal ? plot.x : plot.y), begin_(begin), end_(end) {
    bool any = false;
    for (const PlotSeries& series : plot.series)
      for (const auto& [x, y] : series.points) {
        const double value = horizontal ? x : y;
        if (!std::isfinite(value)) fail("plot: a point of the series '", series.name, "' is not finite");
        if (axis_.logarithmic && !(value > 0))
          fail("plot: a point of the series '", series.name, "' is ", value, " on a logarithmic axis, expected a number above 0");
        low_ = any ? std::min(low_, value) : value;
        high_ = any ? std::max(high_, value) : value;
        any = true;
      }
    if (!any) fail("plot: there is no point to draw");
    if (axis_.logarithmic) logarithmic_ticks();
    else linear_ticks(horizontal);
  }

  double operator()(double value) const {
    return begin_ + (end_ - begin_) * (place(value) - place(low_)) / (place(high_) - place(low_));
  }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  double place(double value) const { return axis_.logarithmic ? std::log10(value) : value; }

  /// From a tick to a tick, but a horizontal axis ends with the data.
  void linear_ticks(bool horizontal) {
    if (low_ > 0 && low_ < 0.5 * high_) low_ = 0;
    if (high_ - low_ <= 1e-6 * std::max(std::abs(low_), std::abs(high_))) high_ = low_ + std::max(1.0, std::abs(low_));
    const double rough = (high_ - low_) / 5, unit = std::pow(10.0, std::floor(std::log10(rough)));
    const double step = unit * (rough <= unit ? 1 : rough <= 2 * unit ? 2 : rough <= 5 * unit ? 5 : 10);
    const double first = std::floor(low_ / step), last = horizontal ? std::floor(high_ / step) : std::ceil(high_ / step);
    for (double i = first; i <= last; ++i) ticks_.push_back(i * step);
    low_ = first * step, high_ = horizontal ? high_ : last * step;
  }

  void logarithmic_ticks() {
    if (low_ == high_) low_ /= 2, high_ *= 2;
    const double decades = std::log10(high_ / low_);
    const double every = std::max(1.0, std::ceil(decades / 8));
    for (double d = std::floor(std::log10(low_)); d <= std::log10(high_); d += every)
      for (const double m : {1.0, 2.0, 5.0}) {
        const double tick = m * std::pow(10.0, d);
        if ((m == 1 || decades < 2) && tick >= low_ * (1 - 1e-9) && tick <= high_ * (1 + 1e-9)) ticks_.push_back(tick);
      }
  }

  const PlotAxis& axis_;
  double begin_, end_, low_ = 0, high_ = 0;
  std::vector<double> ticks_;
};

constexpr double left = 80, right = 620, top = 50, bottom = 440, legend = right + 20;

/// A picture as it is drawn: lines, text and rectangles in the order of the calls.
class Drawing {
 public:
  Drawing(const std::string& title, const std::string& x, const std::string& y) {
    text(left, 28, "start", title, " font-size=\"17\" font-weight=\"bold\"");
    text((left + right) / 2, bottom + 44, "middle", x);
    text(20, (top + bottom) / 2, "middle", y, " transform=\"rotate(-90 20 " + pixels((top + bottom) / 2) + ")\"");
  }
  void text(double x, double y, const char* anchor, const std::string& what, const std::string& more = "") {
    svg_ += "<text x=\"" + pixels(x) + "\" y=\"" + pixels(y) + "\" text-anchor=\"" + anchor + "\"" + more + ">" + escaped(what) + "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2, const std::string& style) {
    svg_ += "<line x1=\"" + pixels(x1) + "\" y1=\"" + pixels(y1) + "\" x2=\"" + pixels(x2) + "\" y2=\"" + pixels(y2) + "\" " + style + "/>\n";
  }
  void circle(double x, double y, const std::string& colour) {
    svg_ += "<circle cx=\"" + pixels(x) + "\" cy=\"" + pixels(y) + "\" r=\"3\" fill=\"" + colour + "\"/>\n";
  }
  void rectangle(double x, double y, double width, double height, const std::string& colour) {
    svg_ += "<rect x=\"" + pixels(x) + "\" y=\"" + pixels(y) + "\" width=\"" + pixels(width) + "\" height=\"" + pixels(height) +
            "\" fill=\"" + colour + "\"/>\n";
  }
  void polyline(const std::vector<std::pair<double, double>>& points, const std::string& style) {
    svg_ += "<polyline fill=\"none\" " + style + " points=\"";
    for (const auto& [x, y] : points) svg_ += (svg_.back() == '"' ? "" : " ") + pixels(x) + "," + pixels(y);
    svg_ += "\"/>\n";
  }
  std::string finish() const {
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 880 500\" width=\"880\" height=\"500\" font-family=\"sans-serif\" "
           "font-size=\"14\" fill=\"#222\">\n<rect width=\"880\" height=\"500\" fill=\"#fff\"/>\n" + svg_ + "</svg>\n";
  }

 private:
  std::string svg_;
};

/// From white over orange to dark red, x from 0 to 1.
inline std::string heat_colour(double x) {
  constexpr double stops[][3] = {{255, 255, 255}, {254, 217, 118}, {253, 141, 60}, {227, 26, 28}, {103, 0, 31}};
  const double at = std::clamp(x, 0.0, 1.0) * 4;
  const auto i = std::min<std::size_t>(static_cast<std::size_t>(at), 3);
  std::string colour = "rgb(";
  for (int c = 0; c < 3; ++c)
    colour += std::to_string(std::lround(stops[i][c] + (at - static_cast<double>(i)) * (stops[i + 1][c] - stops[i][c]))) + (c < 2 ? "," : ")");
  return colour;
}

}  // namespace plot

/// The picture, 880 by 500 pixels. Throws Error if there is no point, or one that an axis cannot show.
inline std::string to_svg(const Plot& plot) {
  using namespace plot;
  constexpr std::array<const char*, 8> colours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                  "#8c6d00", "#56b4e9", "#e69f00", "#000000"};
  constexpr std::array<const char*, 3> dashes = {"", " stroke-dasharray=\"8 4\"", " stroke-dasharray=\"2 3\""};
  const Scale x(plot, true, left, right), y(plot, false, bottom, top);
  Drawing drawing(plot.title, plot.x.label, plot.y.label);
  for (const double tick : x.ticks()) {
    drawing.line(x(tick), top, x(tick), bottom, "stroke=\"#ddd\"");
    drawing.text(x(tick), bottom + 20, "middle", tick_label(tick));
  }
  for (const double tick : y.ticks()) {
    drawing.line(left, y(tick), right, y(tick), "stroke=\"#ddd\"");
    drawing.text(left - 8, y(tick) + 5, "end", tick_label(tick));
  }
  drawing.line(left, bottom, right, bottom, "stroke=\"#222\"");
  drawing.line(left, top, left, bottom, "stroke=\"#222\"");
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const PlotSeries& series = plot.series[i];
    const std::string colour = colours[i % colours.size()];
    const std::string stroke = "stroke=\"" + colour + "\" stroke-width=\"2\"" + dashes[i / colours.size() % dashes.size()];
    std::vector<std::pair<double, double>> points;
    for (const auto& [px, py] : series.points) points.emplace_back(x(px), y(py));
    drawing.polyline(points, stroke);
    for (const auto& [px, py] : points) drawing.circle(px, py, colour);
    const double row = top + 10 + 22 * static_cast<double>(i);
    drawing.line(legend, row, legend + 24, row, stroke);
    drawing.circle(legend + 12, row, colour);
    drawing.text(legend + 32, row + 5, "start", series.name);
  }
  return drawing.finish();
}

/// The picture, 880 by 500 pixels; colours go by the logarithm, over at most six decades below the largest value.
inline std::string to_svg(const HeatMap& map) {
  using namespace plot;
  if (map.columns == 0 || map.values.empty() || map.values.size() % map.columns != 0)
    fail("plot: a heat map of ", map.values.size(), " values in rows of ", map.columns);
  const std::size_t rows = map.values.size() / map.columns;
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const double v : map.values)
    if (std::isfinite(v) && v > 0) low = std::min(low, v), high = std::max(high, v);
  low = low >= high ? high / 10 : std::max(low, high * 1e-6);
  const auto shade = [&](double v) { return 0.1 + 0.9 * std::log(v / low) / std::log(high / low); };  // the least is not white
  Drawing drawing(map.title, map.x, map.y);
  const double width = (right - left) / static_cast<double>(map.columns), height = (bottom - top) / static_cast<double>(rows);
  for (std::size_t i = 0; i < map.values.size(); ++i) {
    const double v = map.values[i];
    if (v == 0) continue;
    const double x = left + width * static_cast<double>(i % map.columns), y = top + height * static_cast<double>(i / map.columns);
    drawing.rectangle(x, y, width + 0.2, height + 0.2, std::isfinite(v) ? heat_colour(std::max(shade(v), 0.1)) : "#000");
  }
  drawing.line(left, bottom, right, bottom, "stroke=\"#222\"");
  drawing.line(left, top, left, bottom, "stroke=\"#222\"");
  drawing.text(left, bottom + 20, "middle", tick_label(map.column_begin));
  drawing.text(right, bottom + 20, "middle", tick_label(map.column_end));
  drawing.text(left - 8, top + 10, "end", tick_label(map.row_begin));
  drawing.text(left - 8, bottom, "end", tick_label(map.row_end));
  for (int i = 0; i <= 4 && high > 0; ++i) {
    const double v = high * std::pow(low / high, i / 4.0);
    drawing.rectangle(legend, top + 26 * i, 22, 26, heat_colour(shade(v)));
    drawing.text(legend + 32, top + 26 * i + 18, "start", tick_label(v, 2));
  }
  return drawing.finish();
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
