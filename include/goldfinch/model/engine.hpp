// A model behind one virtual interface that does not name its scalar: tokens in, logits out, sequences that can be forked. Programs
// that choose the precision at run time stand on it, and compile one engine a scalar in a file of its own. It prints nothing, exits
// never and has no globals.
#pragma once

#include <cstring>
#include <functional>
#include <memory>

#include "goldfinch/model/state_arrays.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

class Engine {
 public:
  /// What one sequence carries from call to call.
  class Sequence {
   public:
    virtual ~Sequence() = default;
    /// A copy that goes its own way; full pages of its caches are shared.
    virtual std::unique_ptr<Sequence> fork() const = 0;
    virtual Index position() const = 0;           // tokens seen; below 0: an exception has ended a call in its middle, and no other is possible
    virtual std::size_t state_bytes() const = 0;  // what does not grow with the context
    virtual std::size_t cache_bytes() const = 0;  // what does
    /// Everything carried, for saving; the engine that made the sequence restores it (restore below). Not for long double.
    virtual std::vector<StateArray> arrays() const = 0;
  };

  /// New tokens of one sequence.
  struct Step {
    std::span<const int> tokens;
    Sequence* sequence;
  };

  virtual ~Engine() = default;
  virtual const Config& config() const = 0;
  virtual const Dimensions& dimensions() const = 0;
  /// The packed weights as held in memory.
  virtual std::size_t weights_bytes() const = 0;
  virtual std::size_t memo_bytes() const = 0;  // held by the memos of all sequences
  /// A sequence that has seen no token: its states are zeros, or what start_with was given.
  std::unique_ptr<Sequence> start() const { return first_ ? first_->fork() : start_with_zeros(); }
  /// From now on every sequence starts as a copy of this one. Throws Error if it is null, of another engine, or has seen tokens.
  void start_with(std::unique_ptr<Sequence> first) {
    require_own(first.get());
    if (first->position() != 0) fail("to start with: a sequence that has seen ", first->position(), " tokens, expected none");
    first_ = std::move(first);
  }
  /// A sequence of tokens `ids`, all of the vocabulary, from its arrays, named with `prefix`; those with a row a token are shared with
  /// `longer`, if that is given (model/state_arrays.hpp). Throws Error, beginning with `where`.
  virtual std::unique_ptr<Sequence> restore(const std::map<std::string, Tensor>& tensors, const std::string& prefix, std::span<const int> ids, const std::string& where,
                                            const Sequence* longer = nullptr) const = 0;

  /// The logits after every token, [total tokens, V]; f32 logits are widened exactly, wider ones than double are rounded. Throws Error before
  /// anything changes if a sequence is null, of another engine, or there twice, or a token is out of range. What a sink throws, or want of
  /// memory, leaves the steps' sequences unusable, as a progress callback of prefill does.
  virtual Matrix<double> forward(const std::vector<Step>& steps, TraceSink<double>* sink = nullptr) const = 0;

  /// The logits after each step's last token, [steps, V], in time linear in the prompt; the progress callback hears how many
  /// tokens of the longest step are done, and may throw to stop; the steps' sequences are then not to be used again.
  virtual Matrix<double> prefill(const std::vector<Step>& steps, Index chunk = Model<double>::default_chunk, const Progress& progress = {}) const = 0;

  /// The same of one sequence.
  Matrix<double> forward(std::span<const int> tokens, Sequence& sequence, TraceSink<double>* sink = nullptr) const { return forward({{tokens, &sequence}}, sink); }
  Matrix<double> prefill(std::span<const int> tokens, Sequence& sequence, Index chunk = Model<double>::default_chunk, const Progress& progress = {}) const {
    return prefill({{tokens, &sequence}}, chunk, progress);
  }

 protected:
  virtual std::unique_ptr<Sequence> start_with_zeros() const = 0;
  /// Throws Error if the sequence is null or of another engine.
  virtual void require_own(const Sequence* sequence) const = 0;

 private:
  std::shared_ptr<const Sequence> first_;  // null: zeros
};

template <class Scalar>
class ModelEngine : public Engine {
 public:
  using Engine::forward, Engine::prefill;

  explicit ModelEngine(Model<Scalar> model) : model_(std::move(model)) {
    model_.parameters([&](const std::string&, auto& member, const Shape&, Role) { weights_bytes_ += bytes_of(member); });
  }

  const Config& config() const override { return model_.config(); }
  const Dimensions& dimensions() const override { return model_.dimensions(); }
  std::size_t weights_bytes() const override { return weights_bytes_; }
  std::size_t memo_bytes() const override { return model_.memo_bytes(); }
  std::unique_ptr<Sequence> restore(const std::map<std::string, Tensor>& tensors, const std::string& prefix, std::span<const int> ids, const std::string& where,
                                    const Sequence* longer) const override {
    auto sequence = std::make_unique<ModelSequence>(model_.initial_state(), owner_);
    if constexpr (can_be_saved) restore_state(tensors, prefix, ids, where, sequence->state, longer ? &own(longer).state : nullptr);
    else fail(where, ": saved states are for the precisions f32 and f64");
    return sequence;
  }

  Matrix<double> forward(const std::vector<Step>& steps, TraceSink<double>* sink) const override {
    Widen widen{sink};
    return model_.forward(inputs(steps), sink ? Trace<Scalar>(&widen) : Trace<Scalar>()).template cast<double>();
  }

  Matrix<double> prefill(const std::vector<Step>& steps, Index chunk, const Progress& progress) const override {
    return model_.prefill(inputs(steps), chunk, progress).template cast<double>();
  }

 protected:
  std::unique_ptr<Sequence> start_with_zeros() const override { return std::make_unique<ModelSequence>(model_.initial_state(), owner_); }
  void require_own(const Sequence* sequence) const override { (void)own(sequence); }

 private:
  using State = typename Model<Scalar>::State;
  static constexpr bool can_be_saved = std::is_same_v<Scalar, float> || std::is_same_v<Scalar, double>;

  struct ModelSequence : Sequence {
    ModelSequence(State s, std::shared_ptr<const char> of) : state(std::move(s)), owner(std::move(of)) {}
    std::unique_ptr<Sequence> fork() const override { return std::make_unique<ModelSequence>(state, owner); }
    Index position() const override { return state.position; }
    std::size_t state_bytes() const override { return state.state_bytes(); }
    std::size_t cache_bytes() const override { return state.cache_bytes(); }
    std::vector<StateArray> arrays() const override {
      if constexpr (can_be_saved) return state_arrays(state);
      else fail("saved states are for the precisions f32 and f64");
    }
    State state;
    std::shared_ptr<const char> owner;  // the engine that made it
  };

  /// Passes intermediates on as doubles, and takes back what the sink replaces.
  struct Widen : TraceSink<Scalar> {
    TraceSink<double>* sink;
    explicit Widen(TraceSink<double>* to) : sink(to) {}
    void rows(const std::string& name, const Matrix<Scalar>& value) override { sink->rows(name, value.template cast<double>()); }
    void context(const std::string& name, Index first, const Matrix<Scalar>& value) override { sink->context(name, first, value.template cast<double>()); }
    void state(const std::string& name, const Matrix<Scalar>& value, Index heads) override { sink->state(name, value.template cast<double>(), heads); }
    void replace(const std::string& name, Index first, Matrix<Scalar>& value) override {
      const Matrix<double> before = value.template cast<double>();
      Matrix<double> after = before;
      sink->replace(name, first, after);
      require_shape(after, value.rows(), value.cols(), "what a trace sink puts in a tensor's place");
      for (Index i = 0; i < value.size(); ++i)  // what stays as it was keeps the bits that a double has no room for
        if (std::memcmp(before.data() + i, after.data() + i, sizeof(double)) != 0) value.data()[i] = static_cast<Scalar>(after.data()[i]);
    }
  };

  /// One of this engine's sequences. Two engines of equal shape do not know each other's: their weights differ, and a state, with all that its
  /// pages remember, is of one set of weights alone. A copy of an engine has the same weights and knows them.
  template <class S>
  auto& own(S* sequence) const {
    if (!sequence) fail("a step without a sequence (null)");
    auto* const known = dynamic_cast<std::conditional_t<std::is_const_v<S>, const ModelSequence, ModelSequence>*>(sequence);
    if (!known || known->owner != owner_) fail("a sequence of another engine: one that this engine started, or a fork of one, is expected");
    return *known;
  }

  std::vector<typename Model<Scalar>::Input> inputs(const std::vector<Step>& steps) const {
    std::vector<typename Model<Scalar>::Input> out;
    for (const Step& step : steps) out.push_back({step.tokens, &own(step.sequence).state});
    return out;
  }

  static std::size_t bytes_of(const Vector<Scalar>& v) { return static_cast<std::size_t>(v.size()) * sizeof(Scalar); }
  static std::size_t bytes_of(const Weight& w) { return w.bytes(); }
  static std::size_t bytes_of(const Table& t) { return t.bytes(); }
  static std::size_t bytes_of(const ConcatWeight& w) { return w.left.bytes() + w.right.bytes(); }
  static std::size_t bytes_of(const std::vector<Weight>& all) {
    std::size_t sum = 0;
    for (const Weight& w : all) sum += w.bytes();
    return sum;
  }

  Model<Scalar> model_;
  std::size_t weights_bytes_ = 0;
  std::shared_ptr<const char> owner_ = std::make_shared<const char>();  // whose address is the engine's name, also when it has been moved
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
