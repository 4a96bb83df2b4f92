// Many sequences decoded together: a step reads the weights once, whatever the number of sequences, and gives each its
// next token. Sequences are of any lengths; they join before any step and leave after any, and the place of one that
// leaves can be taken at once. Whoever has more prompts than there is room for keeps the batch full:
//
//   while (true) {
//     std::vector<Batch::Request> joining;
//     while (joining.size() < batch.free_rows() && …) joining.push_back(…);
//     batch.join(std::move(joining));
//     if (batch.size() == 0) break;
//     batch.step([&](std::size_t id, int token) { …; return goes_on; }, [&](std::size_t id, const std::string& why) { … });
//   }
//
// A row of logits depends on its own sequence alone, and a draw on those logits and its own sampler: every sequence
// gets the tokens, and its logits the bits, that it would get alone. When texts end, and what tokens mean, is the
// caller's business.
#pragma once

#include "goldfinch/generate/sampler.hpp"
#include "goldfinch/model/engine.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class Batch {
 public:
  /// A sequence that wants to join.
  struct Request {
    std::size_t id;           // the caller's name for it
    std::vector<int> prompt;  // at least one token
    Sampler sampler;
  };

  /// Holds at most `rows` sequences at a time; memory grows with them. The engine must outlive the batch.
  Batch(const Engine& engine, std::size_t rows) : engine_(engine), limit_(rows) {}

  std::size_t size() const { return rows_.size(); }
  std::size_t free_rows() const { return limit_ - rows_.size(); }

  /// Bytes that the sequences carry: what does not grow with their contexts, and what does.
  std::size_t state_bytes() const { return sum([](const Engine::Sequence& s) { return s.state_bytes(); }); }
  std::size_t cache_bytes() const { return sum([](const Engine::Sequence& s) { return s.cache_bytes(); }); }

  /// Pre-fills new sequences, all in one call, shows each sampler its prompt, and draws first tokens. `progress` hears
  /// how many tokens of the longest prompt are done, and may throw. Throws Error for more sequences than there are free
  /// rows, and for a prompt that is empty or has a token out of range. After any exception what was in the batch goes
  /// on as if nothing had happened.
  void join(std::vector<Request> requests, const Progress& progress = {}) {
    check_whole();
    if (requests.empty()) return;
    if (requests.size() > free_rows()) fail(requests.size(), " sequences join a batch with room for ", free_rows());
    std::vector<Row> joining;
    std::vector<Engine::Step> steps;
    for (Request& request : requests) {
      joining.push_back({request.id, engine_.start(), std::move(request.sampler)});
      joining.back().sampler.read(request.prompt);
      steps.push_back({request.prompt, joining.back().sequence.get()});
    }
    rows_.reserve(rows_.size() + joining.size());
    // The chunks of all prompts together have as many rows as those of one alone, so that pre-fill takes no more
    // scratch.
    const Index chunk = std::max<Index>(1, Model<double>::default_chunk / static_cast<Index>(steps.size()));
    draw(joining, engine_.prefill(steps, chunk, progress));
    std::move(joining.begin(), joining.end(), std::back_inserter(rows_));
  }

  /// Hands every sequence's next token to take(id, token), in the order in which they joined. Those for which it
  /// returns false leave; the tokens of the others are evaluated in one call, and the ones after them drawn. A sequence
  /// whose sampler could not draw (its logits are NaN, say) leaves alone: failed(id, why) hears of it instead.
  ///
  /// Where `take` or `failed` throws, the sequence that they were called for leaves, and the next step goes on behind
  /// it. Where the evaluation does (std::bad_alloc), the sequences are lost: every later call throws Error and says so.
  template <class Take, class Failed>
  void step(Take&& take, Failed&& failed) {
    check_whole();
    try {
      for (Row& row : rows_) {
        if (row.is != Row::drawn) continue;  // had its turn before an exception
        row.is = Row::leaving;
        if (!row.error.empty()) failed(row.id, row.error);
        else if (take(row.id, row.token)) row.is = Row::taken;
      }
    } catch (...) {
      remove_leaving();
      throw;
    }
    remove_leaving();
    if (rows_.empty()) return;
    std::vector<Engine::Step> steps;
    for (const Row& row : rows_) steps.push_back({std::span(&row.token, 1), row.sequence.get()});
    lost_ = true;
    draw(rows_, engine_.forward(steps));
    lost_ = false;
  }

  /// The same; a sequence whose sampler cannot draw is an Error, after which the others can go on.
  template <class Take>
  void step(Take&& take) {
    step(std::forward<Take>(take), [](std::size_t id, const std::string& why) { fail("sequence ", id, ": ", why); });
  }

 private:
  struct Row {
    std::size_t id;
    std::unique_ptr<Engine::Sequence> sequence;
    Sampler sampler;
    int token = 0;          // drawn, and not yet evaluated
    std::string error = {};  // why none could be drawn
    enum { drawn, taken, leaving } is = drawn;
  };

  void check_whole() const {
    if (lost_) fail("the sequences of this batch were lost when the evaluation of a step failed; begin another batch");
  }

  void remove_leaving() {
    std::erase_if(rows_, [](const Row& row) { return row.is == Row::leaving; });
  }

  /// The next token of each row, from its row of logits. A draw from a large vocabulary takes a while, so they are
  /// drawn side by side.
  static void draw(std::vector<Row>& rows, const Matrix<double>& logits) {
    parallel_for(static_cast<Index>(rows.size()), 1, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        Row& row = rows[static_cast<std::size_t>(i)];
        row.is = Row::drawn;
        try {
          row.token = row.sampler.draw(logits.row(i).data(), logits.cols());
        } catch (const Error& error) {
          row.error = error.what();
        }
      }
    });
  }

  template <class F>
  std::size_t sum(F&& f) const {
    std::size_t total = 0;
    for (const Row& row : rows_) total += f(*row.sequence);
    return total;
  }

  const Engine& engine_;
  std::size_t limit_;
  std::vector<Row> rows_;
  bool lost_ = false;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
