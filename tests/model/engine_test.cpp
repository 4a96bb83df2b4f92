// Engines: whose sequences are whose, and what a trace sink may do through one.
#include "goldfinch/model/engine.hpp"

#include "model/random_model.hpp"
#include "refused.hpp"

namespace gf = goldfinch;
using gf::Index;

namespace {

template <class Scalar>
gf::ModelEngine<Scalar> engine(const gf::Config& config = random_model::config("x060c2", "")) {
  return gf::ModelEngine<Scalar>(random_model::make<Scalar>(config));
}

/// With the default arguments.
const gf::Engine& base(const gf::Engine& e) { return e; }

const auto three = random_model::tokens(3);

/// Puts a number in the place of every row of one tensor.
struct Lead : gf::TraceSink<double> {
  std::string name;
  double number = 0;
  Index seen = 0;
  void rows(const std::string& of, const gf::Matrix<double>&) override { seen += of == name; }
  void replace(const std::string& of, Index, gf::Matrix<double>& value) override {
    if (of == name) value.setConstant(number);
  }
};

}  // namespace

TEST_CASE("Sequences that are null, there twice, or of another engine, of equal shape too, are refused before anything changes") {
  const auto mine = engine<float>(), other = engine<float>();
  const auto wide = engine<double>();
  const auto good = mine.start(), twin = other.start(), of_double = wide.start();
  mine.forward(three, *good);
  for (gf::Engine::Sequence* const bad : {twin.get(), of_double.get()}) {
    REFUSED(base(mine).forward({{three, good.get()}, {three, bad}}), "a sequence of another engine");
    REFUSED(base(mine).prefill({{three, good.get()}, {three, bad}}), "a sequence of another engine");
    REFUSED(mine.restore({}, "", three, "s", bad), "a sequence of another engine");
    CHECK(bad->position() == 0);
  }
  REFUSED(base(mine).forward({{three, good.get()}, {three, nullptr}}), "a step without a sequence (null)");
  REFUSED(base(mine).prefill({{three, nullptr}}), "a step without a sequence (null)");
  REFUSED(base(mine).forward({{three, good.get()}, {three, good.get()}}), "have the same state");
  CHECK(good->position() == 3);
}

TEST_CASE("Forks, and the sequences of a copied or moved engine, are its own") {
  auto first = engine<float>();
  const auto sequence = first.start();
  const auto fork = sequence->fork();
  const auto logits = first.forward(three, *sequence);
  CHECK(bits::same(first.forward(three, *fork), logits));
  const auto copy = first;
  const auto again = first.start(), later = first.start();
  CHECK(bits::same(copy.forward(three, *again), logits));
  const auto moved = std::move(first);
  CHECK(bits::same(moved.forward(three, *later), logits));
}

TEST_CASE("A sequence may outlive its engine, and is then no other engine's, wherever that lies") {
  auto first = std::make_unique<gf::ModelEngine<float>>(engine<float>());
  const auto sequence = first->start();
  first.reset();
  for (int i = 0; i < 4; ++i) {
    const auto next = std::make_unique<gf::ModelEngine<float>>(engine<float>());
    REFUSED(next->forward(three, *sequence), "a sequence of another engine");
  }
}

TEST_CASE("The overloads for one sequence give what a call with one step gives") {
  const auto e = engine<float>();
  const gf::Engine& base = e;
  const auto a = base.start(), b = base.start();
  CHECK(bits::same(base.prefill(three, *a), base.prefill({{three, b.get()}})));
  CHECK(bits::same(base.forward(three, *a), base.forward({{three, b.get()}})));
}

TEST_CASE("A sink of doubles leads an engine of any precision: what it replaces is what the model goes on with") {
  const auto check = [](const auto& e) {
    Lead lead;
    lead.name = "blocks.1.ln2", lead.number = 0.25;
    const auto led = e.start(), free = e.start(), heard = e.start();
    const auto logits = e.forward(three, *led, &lead), own = e.forward(three, *free);
    CHECK(lead.seen == 1);
    CHECK(!bits::same(logits, own));
    Lead silent;
    silent.name = "none of them";
    CHECK(bits::same(e.forward(three, *heard, &silent), own));
  };
  check(engine<float>());
  check(engine<double>());
}

TEST_CASE("What an exception leaves in the middle of a call is no longer used, forked for use, or saved") {
  const auto e = engine<float>();
  const auto sequence = e.start();
  e.forward(three, *sequence);
  const auto before = sequence->fork();
  CHECK_THROWS_AS(e.prefill(three, *sequence, 1, [](Index) { throw 1; }), int);
  CHECK(sequence->position() < 0);
  const auto fork = sequence->fork();
  for (auto* const broken : {sequence.get(), fork.get()}) {
    REFUSED(e.forward(three, *broken), "a state that an exception has left in the middle of a call");
    REFUSED(e.prefill(three, *broken), "a state that an exception has left");
    REFUSED(broken->arrays(), "a state that an exception has left");
  }
  REFUSED(e.restore({}, "", three, "s", sequence.get()), "a state that an exception has left");
  REFUSED(e.restore({}, "", random_model::tokens(4), "s", before.get()), "s: cannot take 4 tokens from a sequence that has seen 3");
  CHECK(before->position() == 3);
  CHECK_NOTHROW(e.forward(three, *before));
}
