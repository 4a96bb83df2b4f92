#include <catch2/catch.hpp>

#include "goldfinch/validate/plot.hpp"

namespace gf = goldfinch;

namespace {

/// The x (or y) of the circles that mark a series' points, in order; those of the legend are left out.
std::vector<double> circles(const std::string& svg, const std::string& attribute) {
  std::vector<double> all;
  for (std::size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) {
    const double cx = std::stod(svg.substr(svg.find("cx=\"", at) + 4));
    if (cx <= 620) all.push_back(std::stod(svg.substr(svg.find(attribute + "=\"", at) + attribute.size() + 2)));
  }
  return all;
}

gf::Plot plot_of(std::vector<std::pair<double, double>> points, bool logarithmic) {
  return {"title", {"x", logarithmic}, {"y", logarithmic}, {{"series", std::move(points)}}};
}

}  // namespace

TEST_CASE("Equal steps of a linear axis, and equal ratios of a logarithmic one, are equally far apart, y upwards") {
  for (const bool logarithmic : {false, true}) {
    const auto points = logarithmic ? std::vector<std::pair<double, double>>{{1, 10}, {10, 100}, {100, 1000}}
                                    : std::vector<std::pair<double, double>>{{-3, 5}, {0, 7}, {3, 9}};
    const std::string svg = to_svg(plot_of(points, logarithmic));
    const auto x = circles(svg, "cx"), y = circles(svg, "cy");
    REQUIRE(x.size() == 3);
    CHECK(x[0] < x[1]);
    CHECK(y[0] > y[1]);
    CHECK(x[1] - x[0] == Approx(x[2] - x[1]).margin(0.11));
    CHECK(y[1] - y[0] == Approx(y[2] - y[1]).margin(0.11));
    for (const double at : x) CHECK((at >= 80 && at <= 620));
    for (const double at : y) CHECK((at >= 50 && at <= 440));
  }
}

TEST_CASE("A horizontal axis ends with the data, whatever its last tick; a vertical one ends at a tick") {
  const std::string svg = to_svg(plot_of({{1, 1}, {127, 127}}, false));
  CHECK(circles(svg, "cx").back() == 620);
  CHECK(circles(svg, "cy").back() > 50);
  CHECK(svg.find(">100<") != std::string::npos);
  CHECK(svg.find(">150<") == svg.rfind(">150<"));  // of the vertical axis alone
}

TEST_CASE("A plot is the same bytes each time, and names are escaped") {
  gf::Plot plot = plot_of({{1, 2}, {3, 4}}, true);
  plot.title = "a < b & \"c\"", plot.series[0].name = "<script>";
  const std::string svg = to_svg(plot);
  CHECK(svg == to_svg(plot));
  CHECK(svg.find("a &lt; b &amp; &quot;c&quot;") != std::string::npos);
  CHECK(svg.find("<script>") == std::string::npos);
  CHECK(svg.ends_with("</svg>\n"));
}

TEST_CASE("A single point, equal points and many series can be drawn") {
  for (const bool logarithmic : {false, true})
    for (const double y : {1e-9, 1.0, 3e12}) {
      CHECK(circles(to_svg(plot_of({{1, y}}, logarithmic)), "cy").size() == 1);
      CHECK(circles(to_svg(plot_of({{1, y}, {2, y}}, logarithmic)), "cy").size() == 2);
    }
  CHECK(circles(to_svg(plot_of({{0, 0}}, false)), "cy").size() == 1);
  gf::Plot plot = plot_of({{1, 2}}, true);
  for (int i = 0; i < 15; ++i) plot.series.push_back(plot.series[0]);
  CHECK(circles(to_svg(plot), "cy").size() == 16);
}

TEST_CASE("Ticks read 1k, 1M and 1G, 0.05 and 1e-4") {
  CHECK(gf::plot::tick_label(1000) == "1k");
  CHECK(gf::plot::tick_label(999.9999999999) == "1k");
  CHECK(gf::plot::tick_label(-2.5e6) == "-2.5M");
  CHECK(gf::plot::tick_label(1e9) == "1G");
  CHECK(gf::plot::tick_label(0.05) == "0.05");
  CHECK(gf::plot::tick_label(0.0001) == "1e-4");
  CHECK(gf::plot::tick_label(std::pow(10.0, -6) * 2) == "2e-6");
  CHECK(gf::plot::tick_label(-1.23456e-7, 2) == "-1.2e-7");
  CHECK(gf::plot::tick_label(62.84, 2) == "63");
  CHECK(gf::plot::tick_label(0) == "0");
}

TEST_CASE("What an axis cannot show is refused with the name of its series") {
  CHECK_THROWS_WITH(to_svg(plot_of({{1, 0}}, true)), Catch::Contains("'series'") && Catch::Contains("above 0"));
  CHECK_THROWS_WITH(to_svg(plot_of({{1, 0. / 0.}}, false)), Catch::Contains("not finite"));
  CHECK_THROWS_WITH(to_svg(plot_of({}, false)), Catch::Contains("no point"));
}

TEST_CASE("A heat map has a rectangle for every number that is not zero, rows downwards, darker for more, black for NaN") {
  const gf::HeatMap map{"title", "x", "y", 3, {1e-3, 0, 1, 1e-12, 0. / 0., 1e-1}, 0, 1, 0, 2};
  const std::string svg = to_svg(map);
  CHECK(svg == to_svg(map));
  std::vector<std::pair<double, double>> corners;
  std::vector<std::string> colours;
  for (std::size_t at = svg.find("<rect x"); at != std::string::npos; at = svg.find("<rect x", at + 1)) {
    const auto value = [&](const char* name) { return svg.substr(svg.find(name, at) + std::string(name).size()); };
    const double x = std::stod(value("x=\""));
    if (x >= 620) continue;  // the legend
    corners.emplace_back(x, std::stod(value("y=\"")));
    const std::string colour = value("fill=\"");
    colours.push_back(colour.substr(0, colour.find('"')));
  }
  REQUIRE(corners.size() == 5);
  CHECK(corners[0].first == 80);
  CHECK(corners[1].first == Approx(80 + 2 * 180));  // the second of the first row is zero
  CHECK(corners[2].second == Approx(50 + 195));
  CHECK(colours[1] == "rgb(103,0,31)");
  CHECK(colours[3] == "#000");
  CHECK(colours[0] != colours[4]);
  CHECK_THROWS_WITH(to_svg(gf::HeatMap{"t", "x", "y", 2, {1, 2, 3}}), Catch::Contains("rows of 2"));
  CHECK_NOTHROW(to_svg(gf::HeatMap{"t", "x", "y", 2, {0, 0}}));
}
