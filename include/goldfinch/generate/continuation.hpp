// What follows a prompt, from the tokens as they are drawn: text that can be shown at once, and when it is over. It is
// over with the end of text, before a stop string, or after a number of tokens; and it can be taken up again where it
// was left, byte for byte.
#pragma once

#include <algorithm>

#include "goldfinch/core/matrix.hpp"
#include "goldfinch/generate/stop_filter.hpp"
#include "goldfinch/tokenizer/stream_decoder.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// light[i]: token i's text is part of " \t0123456789", so that the frequency penalty leaves it alone
/// (generate/sampler.hpp).
inline std::vector<bool> light_tokens(const Tokenizer& tokenizer) {
  std::vector<bool> light(static_cast<std::size_t>(tokenizer.vocabulary_size()));
  for (std::size_t i = 0; i < light.size(); ++i)
    light[i] = std::string_view(" \t0123456789").find(tokenizer.decode(static_cast<int>(i))) != std::string_view::npos;
  return light;
}

/// The tokens of a text to go on from, at least one.
inline std::vector<int> prompt_tokens(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int> tokens = tokenizer.encode(text);
  if (tokens.empty()) tokens.push_back(tokenizer.begin_of_text().value_or(0));
  return tokens;
}

class Continuation {
 public:
  /// At most `count` tokens, before any of `stops`. With ignore_end the end of text is a token like others, except that
  /// no stop string reaches across it. `at_start`: no text stands before (at_start_of_text). The tokenizer must outlive
  /// this. Throws Error for an empty stop string.
  Continuation(const Tokenizer& tokenizer, std::vector<std::string> stops, bool ignore_end, Index count, bool at_start = false)
      : end_(tokenizer.end_of_text()), ignore_end_(ignore_end), count_(count), decoder_(tokenizer, at_start), filter_(std::move(stops)) {}

  /// Takes up a text that was left: `held` is what held() was then. Returns what of it may be shown now.
  std::string take_up(std::string_view held) { return filter_.push(held); }

  /// Whether another token is wanted.
  bool goes_on() const { return !ended_ && !stopped() && tokens_ < count_; }

  /// Takes the next token; returns what may be shown. The end of text, unless it is ignored, counts as no token.
  std::string push(int token) {
    if (token != end_) {
      ++tokens_;
      return filter_.push(decoder_.push(token));
    }
    std::string text = flush();
    if (stopped()) return text;
    ended_ = !ignore_end_;
    if (ended_) return text;
    ++tokens_;
    return text + filter_.push(decoder_.push(token));
  }

  /// The text is not taken up again: returns the last of it.
  std::string flush() {
    std::string text = filter_.push(decoder_.flush());
    return text + filter_.flush();
  }

  /// The text is left here, to be taken up later: returns what can be shown. What cannot be shown yet is then in
  /// held().
  std::string leave() { return filter_.push(decoder_.flush()); }
  const std::string& held() const { return filter_.held(); }

  Index tokens() const { return tokens_; }            // taken
  bool ended() const { return ended_; }               // by the end of text
  bool stopped() const { return filter_.stopped(); }  // by a stop string
  const char* finish() const { return stopped() ? "stop" : ended_ ? "end" : "count"; }

 private:
  std::optional<int> end_;
  bool ignore_end_;
  Index count_, tokens_ = 0;
  StreamDecoder decoder_;
  StopFilter filter_;
  bool ended_ = false;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
