#include "goldfinch/checkpoint/in_quotes.hpp"

#include <catch2/catch.hpp>

using namespace goldfinch;

TEST_CASE("UTF-8 is told from what only looks like it") {
  for (const char* good : {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    CHECK(is_utf8(good));
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82",
                          "\xe2\x28\xa1", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\x98",
                          "\xff", "a\xff"})
    CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("A name is shown on one line, whatever bytes it holds") {
  CHECK(in_quotes("emb.weight") == "'emb.weight'");
  CHECK(in_quotes("") == "''");
  CHECK(in_quotes("caf\xc3\xa9") == "'caf\xc3\xa9'");
  CHECK(in_quotes(std::string("a\n\x1b\0\x7f\xff", 6)) == "'a\\x0a\\x1b\\x00\\x7f\\xff'");
  const std::string shown = in_quotes(std::string(1000, 'x'));
  CHECK(shown.size() < 110);
  CHECK_THAT(shown, Catch::EndsWith("...'"));
}
