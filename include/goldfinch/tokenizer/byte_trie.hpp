// A trie over byte strings, for the longest one that a text starts with. Nodes are numbered breadth first, so the children of a
// node are neighbours, sorted by their byte, and a node is the number of the first and how many there are.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "goldfinch/core/error.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class ByteTrie {
 public:
  struct Match {
    int value;            // 0 if nothing matched
    std::size_t length;   // bytes
  };

  ByteTrie() = default;

  /// keys: (string, value), sorted by string, no two equal, none empty; values are not 0. Takes memory for at most one node a
  /// byte of them.
  explicit ByteTrie(const std::vector<std::pair<std::string_view, int>>& keys) {
    struct Range {
      std::size_t begin, end, depth;  // the keys that share their first `depth` bytes, which lead to one node
    };
    std::vector<Range> ranges{{0, keys.size(), 0}};
    nodes_.push_back({});
    bytes_.push_back(0);
    for (std::size_t node = 0; node < ranges.size(); ++node) {
      auto [i, end, depth] = ranges[node];
      if (i < end && keys[i].first.size() == depth) nodes_[node].value = keys[i++].second;
      nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
      while (i < end) {
        const char byte = keys[i].first[depth];
        const std::size_t begin = i;
        while (i < end && keys[i].first[depth] == byte) ++i;
        ++nodes_[node].children;
        ranges.push_back({begin, i, depth + 1});
        nodes_.push_back({});
        bytes_.push_back(static_cast<unsigned char>(byte));
      }
    }
    for (std::size_t byte = 0; byte < 256; ++byte) from_root_[byte] = child(0, static_cast<unsigned char>(byte));
  }

  /// The longest key that the text starts with.
  Match longest(std::string_view text) const {
    Match match{0, 0};
    std::uint32_t node = text.empty() ? 0 : from_root_[static_cast<unsigned char>(text[0])];
    for (std::size_t i = 1; node != 0; ++i) {
      if (nodes_[node].value != 0) match = {nodes_[node].value, i};
      if (i == text.size()) break;
      node = child(node, static_cast<unsigned char>(text[i]));
    }
    return match;
  }

 private:
  struct Node {
    std::uint32_t first_child = 0;
    std::uint32_t children = 0;
    int value = 0;  // of the key that ends here, or 0
  };

  /// 0, the root, which is nobody's child, where there is none.
  std::uint32_t child(std::uint32_t node, unsigned char byte) const {
    std::uint32_t low = nodes_[node].first_child, n = nodes_[node].children;
    while (n > 1) {
      const std::uint32_t half = n / 2;
      low += bytes_[low + half] <= byte ? half : 0;
      n -= half;
    }
    return n == 1 && bytes_[low] == byte ? low : 0;
  }

  std::vector<Node> nodes_;
  std::vector<unsigned char> bytes_;          // that leads to each node
  std::array<std::uint32_t, 256> from_root_{};
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
