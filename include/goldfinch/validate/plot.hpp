// Line plots as SVG text: named series over linear or logarithmic axes, with ticks, a grid and a legend. One self-contained
// picture that every browser shows; the same plot is always the same bytes. Not a drawing library: no bars, no styles to choose.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
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

/// "0.05", "250", "1k", "4M", "2.5G": short, whatever the size.
inline std::string tick_label(double x) {
  const std::array<const char*, 5> suffixes = {"", "k", "M", "G", "T"};
  std::size_t i = 0;
  for (; i + 1 < suffixes.size() && std::abs(x) >= 1000 * (1 - 1e-9); ++i) x /= 1000;
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, x, std::chars_format::general, 6).ptr) + suffixes[i];
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
    else linear_ticks();
  }

  double operator()(double value) const {
    return begin_ + (end_ - begin_) * (place(value) - place(low_)) / (place(high_) - place(low_));
  }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  double place(double value) const { return axis_.logarithmic ? std::log10(value) : value; }

  void linear_ticks() {
    if (low_ > 0 && low_ < 0.5 * high_) low_ = 0;
    if (high_ - low_ <= 1e-6 * std::max(std::abs(low_), std::abs(high_))) high_ = low_ + std::max(1.0, std::abs(low_));
    const double rough = (high_ - low_) / 5, unit = std::pow(10.0, std::floor(std::log10(rough)));
    const double step = unit * (rough <= unit ? 1 : rough <= 2 * unit ? 2 : rough <= 5 * unit ? 5 : 10);
    const double first = std::floor(low_ / step), last = std::ceil(high_ / step);
    for (double i = first; i <= last; ++i) ticks_.push_back(i * step);
    low_ = first * step, high_ = last * step;
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

}  // namespace plot

/// The picture, 880 by 500 pixels. Throws Error if there is no point, or one that an axis cannot show.
inline std::string to_svg(const Plot& plot) {
  using plot::escaped, plot::pixels;
  constexpr double left = 80, right = 620, top = 50, bottom = 440, legend = right + 20;
  constexpr std::array<const char*, 8> colours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                  "#8c6d00", "#56b4e9", "#e69f00", "#000000"};
  constexpr std::array<const char*, 3> dashes = {"", " stroke-dasharray=\"8 4\"", " stroke-dasharray=\"2 3\""};
  const plot::Scale x(plot, true, left, right), y(plot, false, bottom, top);

  std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 880 500\" width=\"880\" height=\"500\" font-family=\"sans-serif\" "
      "font-size=\"14\" "
      "fill=\"#222\">\n"
      "<rect width=\"880\" height=\"500\" fill=\"#fff\"/>\n";
  const auto text = [&](double at_x, double at_y, const char* anchor, const std::string& what, const std::string& more = "") {
    svg += "<text x=\"" + pixels(at_x) + "\" y=\"" + pixels(at_y) + "\" text-anchor=\"" + anchor + "\"" + more + ">" +
           escaped(what) + "</text>\n";
  };
  const auto line = [&](double x1, double y1, double x2, double y2, const std::string& style) {
    svg += "<line x1=\"" + pixels(x1) + "\" y1=\"" + pixels(y1) + "\" x2=\"" + pixels(x2) + "\" y2=\"" + pixels(y2) + "\" " +
           style + "/>\n";
  };
  text(left, 28, "start", plot.title, " font-size=\"17\" font-weight=\"bold\"");
  text((left + right) / 2, bottom + 44, "middle", plot.x.label);
  text(20, (top + bottom) / 2, "middle", plot.y.label, " transform=\"rotate(-90 20 " + pixels((top + bottom) / 2) + ")\"");
  for (const double tick : x.ticks()) {
    line(x(tick), top, x(tick), bottom, "stroke=\"#ddd\"");
    text(x(tick), bottom + 20, "middle", plot::tick_label(tick));
  }
  for (const double tick : y.ticks()) {
    line(left, y(tick), right, y(tick), "stroke=\"#ddd\"");
    text(left - 8, y(tick) + 5, "end", plot::tick_label(tick));
  }
  line(left, bottom, right, bottom, "stroke=\"#222\"");
  line(left, top, left, bottom, "stroke=\"#222\"");

  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const PlotSeries& series = plot.series[i];
    const std::string colour = colours[i % colours.size()];
    const std::string stroke = "stroke=\"" + colour + "\" stroke-width=\"2\"" + dashes[i / colours.size() % dashes.size()];
    svg += "<polyline fill=\"none\" " + stroke + " points=\"";
    for (const auto& [px, py] : series.points) svg += (svg.back() == '"' ? "" : " ") + pixels(x(px)) + "," + pixels(y(py));
    svg += "\"/>\n";
    for (const auto& [px, py] : series.points)
      svg += "<circle cx=\"" + pixels(x(px)) + "\" cy=\"" + pixels(y(py)) + "\" r=\"3\" fill=\"" + colour + "\"/>\n";
    const double row = top + 10 + 22 * static_cast<double>(i);
    line(legend, row, legend + 24, row, stroke);
    svg += "<circle cx=\"" + pixels(legend + 12) + "\" cy=\"" + pixels(row) + "\" r=\"3\" fill=\"" + colour + "\"/>\n";
    text(legend + 32, row + 5, "start", series.name);
  }
  return svg + "</svg>\n";
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
