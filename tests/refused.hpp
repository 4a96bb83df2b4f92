// What the tests of entrances share.
#pragma once

#include <catch2/catch.hpp>

#include "goldfinch/core/error.hpp"

/// Matches an error that is one line and has this text in it.
inline auto says(const std::string& text) {
  return Catch::Predicate<goldfinch::Error>(
      [text](const goldfinch::Error& error) {
        const std::string what = error.what();
        UNSCOPED_INFO(what);
        return what.find(text) != std::string::npos && what.find('\n') == std::string::npos;
      },
      "says \"" + text + "\"");
}

/// The expression throws goldfinch::Error, in whose line `text` is.
#define REFUSED(expression, text) CHECK_THROWS_MATCHES((void)(expression), goldfinch::Error, says(text))
