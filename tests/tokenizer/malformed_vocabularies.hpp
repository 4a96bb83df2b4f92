// World vocabularies that must be refused: what is wrong, the file's bytes, and a part of the message that says so.
#pragma once

#include <string_view>

struct MalformedVocabulary {
  std::string_view name, bytes, message;
};

// Every byte counts, zero bytes too, hence the literals' suffix.
inline constexpr MalformedVocabulary malformed_vocabularies[] = {
    {"empty file", "", "is empty"},
    {"binary file", {"\x10\0\0\0\0\0\0\0{}\n", 11}, "line 1: expected an index, a literal and a length"},
    {"blank line", "1 'a' 1\n\n2 'b' 1\n", "line 2: expected an index, a literal and a length"},
    {"blank line at the end", "1 'a' 1\n\n", "line 2: expected an index"},
    {"one field", "1\n", "line 1: expected an index"},
    {"no length", "1 'a'\n", "line 1: expected an index"},
    {"index of letters", "one 'a' 1\n", "line 1: the index is not a number from 1"},
    {"index with a tail", "1x 'a' 1\n", "line 1: the index is not a number from 1"},
    {"no index", " 'a' 1\n", "line 1: the index is not a number from 1"},
    {"negative index", "-1 'a' 1\n", "line 1: the index is not a number from 1"},
    {"index 0", "0 'a' 1\n", "line 1: the index is not a number from 1"},
    {"huge index", "1048576 'a' 1\n", "line 1: the index is not a number from 1 to 1048575"},
    {"index beyond 64 bits", "99999999999999999999 'a' 1\n", "line 1: the index is not a number"},
    {"duplicate index", "1 'a' 1\n2 'b' 1\n1 'c' 1\n", "line 3: index 1 was already on line 1"},
    {"duplicate literal", "2 'a' 1\n3 'b' 1\n1 'a' 1\n", "line 3: the same bytes as on line 1"},
    {"duplicate in another spelling", "1 '\\xe9' 2\n2 b'\\xc3\\xa9' 2\n", "line 2: the same bytes as on line 1"},
    {"length too large", "1 'a' 2\n", "line 1: the literal has 1 bytes"},
    {"length in characters", "1 '\xc3\xa9' 1\n", "line 1: the literal has 2 bytes"},
    {"negative length", "1 'a' -1\n", "line 1: the literal has 1 bytes"},
    {"length that is no number", "1 'a' x\n", "line 1: the literal has 1 bytes"},
    {"space at the end", "1 'a' 1 \n", "line 1: the literal goes on after its closing quote"},
    {"empty literal", "1 '' 0\n", "line 1: the literal is empty"},
    {"missing literal", "1  1\n", "line 1: the literal does not start with a quote"},
    {"no quotes", "1 a 1\n", "line 1: the literal does not start with a quote"},
    {"only b", "1 b 1\n", "line 1: the literal does not start with a quote"},
    {"other prefix", "1 r'a' 1\n", "line 1: the literal does not start with a quote"},
    {"call", "1 chr(97) 1\n", "line 1: the literal does not start with a quote"},
    {"no closing quote", "1 'a 1\n", "line 1: the literal has no closing quote"},
    {"only a quote", "1 ' 1\n", "line 1: the literal has no closing quote"},
    {"escaped closing quote", "1 'a\\' 1\n", "line 1: the literal has no closing quote"},
    {"other closing quote", "1 'a\" 1\n", "line 1: the literal has no closing quote"},
    {"concatenation", "1 'a' 'b' 2\n", "line 1: the literal goes on after its closing quote"},
    {"backslash at the end", "1 '\\ 1\n", "line 1: the literal has an escape other than"},
    {"unknown escape", "1 '\\q' 1\n", "line 1: the literal has an escape other than"},
    {"octal escape", "1 '\\101' 1\n", "line 1: the literal has an escape other than"},
    {"named escape", "1 '\\N{BULLET}' 3\n", "line 1: the literal has an escape other than"},
    {"code point in bytes", "1 b'\\u00e9' 2\n", "line 1: the literal has an escape other than"},
    {"short \\x", "1 '\\x4' 1\n", "line 1: an escape has fewer than its 2 hexadecimal digits"},
    {"short \\u", "1 '\\u12g4' 1\n", "line 1: an escape has fewer than its 4 hexadecimal digits"},
    {"short \\U", "1 '\\U0001f60' 4\n", "line 1: an escape has fewer than its 8 hexadecimal digits"},
    {"surrogate", "1 '\\ud83d' 3\n", "line 1: an escape gives a number that is not a character"},
    {"beyond Unicode", "1 '\\U00110000' 4\n", "line 1: an escape gives a number that is not a character"},
    {"bytes that are not UTF-8", "1 'a' 1\n2 '\xff' 1\n", "line 2: the literal is not valid UTF-8"},
    {"half a character", "1 '\xe2\x82' 2\n", "line 1: the literal is not valid UTF-8"},
    {"raw byte in bytes", "1 b'\xc3\xa9' 2\n", "line 1: the bytes literal has a byte that is not ASCII"},
};
