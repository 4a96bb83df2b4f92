#include "goldfinch/validate/compare.hpp"

#include <catch2/catch.hpp>

#include <limits>

#include "bits.hpp"
#include "goldfinch/validate/catch_matchers.hpp"
#include "goldfinch/validate/mistakes.hpp"
#include "goldfinch/validate/symptoms.hpp"
#include "threads.hpp"

namespace gf = goldfinch;
using Catch::Contains;
using gf::DType;
using gf::Index;
using gf::Status;
using M = gf::Matrix<double>;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();

M numbers(Index rows = 60, Index cols = 50) { return bits::Random(3).matrix<double>(rows, cols); }

gf::Comparison compare(const M& e, const M& g, double budget = 1e-4, DType format = DType::f32) {
  return gf::compare(gf::Array::view(e), gf::Array::view(g), budget, format);
}

/// e with one element changed.
M with(M x, Index element, double value) {
  x.data()[element] = value;
  return x;
}

std::string seen(const M& e, const M& g, double budget = 1e-4) {
  std::string all;
  for (const auto& s : gf::symptoms(gf::Array::view(e), gf::Array::view(g), compare(e, g, budget))) all += s + "\n";
  return all;
}

}  // namespace

TEST_CASE("Every figure is what its definition says") {
  M e(2, 3), g(2, 3);
  e << 1, -2, 4, 0, 8, 5;
  g << 1, -2.5, 4, 1, 8, 5;
  const auto c = compare(e, g, 1);
  CHECK(c.count == 6);
  CHECK(c.finite == 6);
  CHECK(c.rms == Approx(std::sqrt(110.0 / 6)));
  CHECK(c.relative_rms == Approx(std::sqrt(1.25 / 110)));
  CHECK(c.max_abs == 1);
  CHECK(c.max_abs_at == 3);
  CHECK(c.max_rel == 0.25);
  CHECK(c.max_rel_at == 1);
  CHECK(c.worst == Approx(1 / std::sqrt(110.0 / 6)));
  CHECK(c.worst_at == 3);
  CHECK(c.nmse == Approx(1.25 / (110 - 256.0 / 6)));  // sum e = 16
  CHECK(c.cosine == Approx((1 + 5 + 16 + 64 + 25) / std::sqrt(110 * (1 + 6.25 + 16 + 1 + 64 + 25))));
  CHECK(c.scale == Approx(111.0 / 110));
  CHECK(c.expected_zeros == Approx(1.0 / 6));
  CHECK(c.got_zeros == 0);
  CHECK_FALSE(c.constant);
  CHECK(c.along.size() == 2);
  CHECK(c.along[1] == Approx(std::sqrt(1.0 / 3) / c.rms));
}

TEST_CASE("Equal tensors pass, and so do errors of rounding") {
  const M e = numbers();
  CHECK(compare(e, e).status == Status::passed);
  CHECK(compare(e, e).relative_rms == 0);
  CHECK(compare(e, e).cosine == Approx(1));
  CHECK(compare(e, e).ulps[0] == e.size());
  CHECK(compare(e, M(e.cast<float>().cast<double>())).status == Status::passed);
  const M rounded = e.unaryExpr([](double x) { return static_cast<double>(gf::widen(gf::narrow<gf::BFloat16>(x))); });
  CHECK(compare(e, rounded, gf::default_budget(DType::bf16), DType::bf16).status == Status::passed);
  CHECK(compare(e, rounded, gf::default_budget(DType::f32)).status == Status::failed);
}

TEST_CASE("A 1 % error of scale fails in f32, at the default budget and at 1e-3") {
  const M e = numbers();
  CHECK(compare(e, 1.01 * e, gf::default_budget(DType::f32)).status == Status::failed);
  CHECK(compare(e, 1.01 * e, 1e-3).status == Status::failed);
  CHECK(gf::default_budget(DType::f32) <= 1e-3);
}

// Each figure has a case that it alone notices, the others looking well.

TEST_CASE("Relative rms alone notices a small error everywhere") {
  const M e = numbers();
  M g = e;
  for (Index i = 0; i < g.size(); ++i) g.data()[i] += (i % 2 ? 2e-4 : -2e-4);  // 0.00035 of the rms, each
  const auto c = compare(e, g);
  CHECK(c.status == Status::failed);
  CHECK(c.worst <= gf::worst_in_budgets * c.budget);
  CHECK_THAT(c.reason, Contains("relative rms"));
}

TEST_CASE("The worst element alone notices one flipped sign among many") {
  M e = numbers(1000, 1000);
  e(700, 3) = 0.5;
  const auto c = compare(e, with(e, 700003, -0.5), 2e-3);  // rms of the difference: 1 / 1000 / 0.577
  CHECK(c.relative_rms <= c.budget);
  CHECK(c.status == Status::failed);
  CHECK_THAT(c.reason, Contains("[700, 3]"));
}

TEST_CASE("The cosine alone tells a wrong scale from a wrong tensor, and NMSE that only the mean is left") {
  const M e = numbers(), other = bits::Random(9).matrix<double>(60, 50);
  CHECK(compare(e, 2 * e).cosine == Approx(1));
  CHECK(compare(e, 2 * e).scale == Approx(2));
  CHECK(std::abs(compare(e, other).cosine) < 0.1);
  const M shifted = (e.array() + 1000).matrix();
  const auto c = compare(shifted, M::Constant(60, 50, 1000), 1e-2);
  CHECK(c.relative_rms < 1e-3);
  CHECK(c.nmse == Approx(1).epsilon(0.01));
}

TEST_CASE("Max rel alone notices a small number that is wrong, max abs a large one") {
  M e = numbers();
  e(1, 1) = 1e-9;
  const auto small = compare(e, with(e, 51, 2e-9));
  CHECK(small.status == Status::passed);
  CHECK(small.max_rel == Approx(1));
  CHECK(small.max_abs_at == 51);
  e(1, 1) = 1e6;
  const auto large = compare(e, with(e, 51, 1e6 + 1));
  CHECK(large.status == Status::passed);
  CHECK(large.max_abs == 1);
  CHECK(large.max_rel < 1e-5);
}

TEST_CASE("ULPs alone notice that numbers were rounded to another format") {
  const M e = numbers().cast<float>().cast<double>();
  const M g = e.unaryExpr([](double x) { return std::nextafter(static_cast<float>(x), 2.0f) + 0.0; });
  CHECK(compare(e, g).ulps[1] == e.size());
  CHECK(compare(e, g).status == Status::passed);
  CHECK(compare(e, g, 1, DType::bf16).ulps[0] > e.size() * 9 / 10);
}

TEST_CASE("ULPs count across zero, in every format, with -0 as 0") {
  const auto apart = [](double a, double b, DType format) {
    const auto c = compare(M::Constant(1, 1, a), M::Constant(1, 1, b), 1, format);
    for (std::size_t k = 0; k < c.ulps.size(); ++k)
      if (c.ulps[k]) return static_cast<int>(k);
    return -1;
  };
  CHECK(apart(0.0, -0.0, DType::f64) == 0);
  CHECK(apart(1, 1 + 0x1p-52, DType::f64) == 1);
  CHECK(apart(1, 1 + 0x1p-23, DType::f32) == 1);
  CHECK(apart(1, 1 + 0x1p-10, DType::f16) == 1);
  CHECK(apart(1, 1 + 0x1p-7, DType::bf16) == 1);
  CHECK(apart(1, 1 + 0x1p-9, DType::bf16) == 0);
  CHECK(apart(-0x1p-149, 0x1p-149, DType::f32) == 2);       // 2 apart
  CHECK(apart(1, 1 + 7 * 0x1p-23, DType::f32) == 3);        // 4 to 7
  CHECK(apart(-1, 1, DType::bf16) == 15);                   // 2 * 0x3f80 = 32512
  CHECK(apart(-1e308, 1e308, DType::f64) == 64);
}

TEST_CASE("NaN and infinities fail unless they are expected there, and are counted and placed") {
  const M e = numbers();
  for (const double bad : {not_a_number, inf, -inf}) {
    const auto c = compare(e, with(with(e, 77, bad), 2000, bad), 1e9);  // whatever the budget
    CHECK(c.status == Status::failed);
    CHECK(c.got_nonfinite.nan + c.got_nonfinite.infinite == 2);
    CHECK(c.got_nonfinite.first == 77);
    CHECK(c.unequal_nonfinite == 2);
    CHECK_THAT(c.reason, Contains("[1, 27]"));
    CHECK(compare(with(e, 77, bad), e).status == Status::failed);
    const auto equal = compare(with(e, 77, bad), with(e, 77, bad));
    CHECK(equal.status == Status::passed);
    CHECK(equal.finite == e.size() - 1);
  }
  CHECK(compare(with(e, 5, inf), with(e, 5, -inf)).status == Status::failed);
  CHECK(compare(with(e, 5, inf), with(e, 5, not_a_number)).status == Status::failed);
  CHECK(compare(M::Constant(2, 2, not_a_number), M::Constant(2, 2, not_a_number)).status == Status::mistrusted);
}

TEST_CASE("Sign flips, permuted rows, zeros, transposes and shapes fail") {
  const M e = numbers(50, 50);
  M permuted = e;
  permuted.row(3).swap(permuted.row(40));
  for (const M& g : {M(-e), M(e.cwiseAbs()), permuted, M(M::Zero(50, 50)), M(e.transpose()), M(e.colwise().reverse())}) {
    CHECK(compare(e, g).status == Status::failed);
    CHECK(compare(e, g, gf::default_budget(DType::bf16)).status == Status::failed);
  }
  const auto c = compare(e, M(e.topRows(49)));
  CHECK(c.status == Status::failed);
  CHECK_THAT(c.reason, Contains("[49, 50]") && Contains("[50, 50]"));
  CHECK(compare(M::Zero(3, 3), M::Constant(3, 3, 1)).status == Status::failed);
  CHECK(compare(M::Zero(3, 3), M::Constant(3, 3, 1)).relative_rms == inf);
}

TEST_CASE("What is no evidence is MISTRUSTED: zeros, a constant, nothing, a budget that says nothing") {
  const M e = numbers();
  M zeros = M::Zero(10, 10);
  zeros.topRows(1).setConstant(1);
  CHECK(compare(zeros, zeros).status == Status::passed);  // 90 %, not over it
  zeros(0, 0) = 0;
  CHECK(compare(zeros, zeros).status == Status::mistrusted);
  CHECK(compare(zeros, 1.01 * zeros).status == Status::failed);
  CHECK(compare(M::Constant(3, 3, 2), M::Constant(3, 3, 2)).status == Status::mistrusted);
  CHECK(compare(M::Constant(1, 1, 2), M::Constant(1, 1, 2)).status == Status::passed);  // a loss is one number
  CHECK(compare(M(0, 5), M(0, 5)).status == Status::mistrusted);
  CHECK(compare(e, 1.2 * e, 0.31).status == Status::mistrusted);
  CHECK(compare(e, M::Zero(60, 50), 0.31).status == Status::mistrusted);
  CHECK(compare(e, 1.2 * e, 0.29).status == Status::passed);
}

TEST_CASE("Numbers whose squares overflow or vanish are compared like others") {
  for (const double size : {1e-300, 1e-200, 1e200, 1e300}) {
    const M e = size * numbers();
    CHECK(compare(e, e * (1 + 1e-9)).relative_rms == Approx(1e-9).epsilon(1e-3));
    CHECK(compare(e, 1.01 * e).status == Status::failed);
    CHECK(compare(e, e).rms == Approx(size * compare(numbers(), numbers()).rms));
  }
}

TEST_CASE("The figures do not depend on the number of threads") {
  const M e = numbers(700, 130), g = e + 1e-6 * bits::Random(4).matrix<double>(700, 130);
  const auto a = compare(e, g);
  threads::on_1_2_and_5([&] {
    const auto b = compare(e, g);
    CHECK(a.relative_rms == b.relative_rms);
    CHECK(a.cosine == b.cosine);
    CHECK(a.max_abs_at == b.max_abs_at);
    CHECK(a.ulps == b.ulps);
    CHECK(a.along == b.along);
  });
}

TEST_CASE("What an error looks like is said") {
  const M e = numbers(32, 32);
  CHECK_THAT(seen(e, 0.25 * e), Contains("times 0.25"));
  CHECK_THAT(seen(e, -e), Contains("minus what is expected"));
  CHECK_THAT(seen(e, M::Zero(32, 32)), Contains("zero"));
  CHECK_THAT(seen(e, M(e.transpose())), Contains("its transpose"));
  M late = e, early = e, from = e, columns = e, one = e;
  late.bottomRows(31) = e.topRows(31), late.row(0).setZero();
  early.topRows(31) = e.bottomRows(31), early.row(31).setZero();
  CHECK_THAT(seen(e, late), Contains("your rows are one late"));
  CHECK_THAT(seen(e, early), Contains("your rows are one early"));
  from.bottomRows(16) *= 1.5;
  CHECK_THAT(seen(e, from), Contains("rows 0 to 15 are right, all from row 16 on are wrong"));
  from = 1.5 * e, from.row(0) = e.row(0);
  CHECK_THAT(seen(e, from), Contains("row 0 is right, all from row 1 on are wrong"));
  columns.middleCols(8, 8) *= 1.5;
  CHECK_THAT(seen(e, columns), Contains("only some columns are wrong: 8 to 15"));
  one(7, 9) = not_a_number;
  CHECK_THAT(seen(e, one), Contains("only some rows are wrong: 7") && Contains("columns are wrong: 9"));
  CHECK_THAT(seen(M(e.topRows(30)), e), Contains("another number of tokens"));
  CHECK_THAT(seen(M(e.topRows(30)), M(e.topRows(30).transpose())), Contains("another order"));
  CHECK_THAT(seen(e, M(Eigen::Map<const M>(e.data(), 16, 64))), Contains("as [32, 32] it is right: only the shape is wrong"));
  CHECK_THAT(seen(e, M(e / std::sqrt(5.0))), Contains("times 0.447 = 5^-0.5"));
  CHECK_THAT(seen(e, 0.3 * e), Contains("times 0.3:"));
  CHECK_THAT(seen(e, (1 - 2e-4) * e, 1e-5), Contains("times 1 - 0.0002"));
  M swapped = e;
  swapped.row(3) = e.row(9), swapped.row(9) = e.row(3);
  CHECK_THAT(seen(e, swapped), Contains("rows 3 and 9 are each other's"));
  M narrow = e;
  for (Index i = 0; i < narrow.size(); ++i) narrow.data()[i] = static_cast<double>(gf::widen(gf::narrow<gf::BFloat16>(e.data()[i])));
  CHECK_THAT(seen(e, narrow), Contains("every number of yours is one of bfloat16"));
  CHECK_THAT(seen(e, M(e.array() + 1e-3)), !Contains("bfloat16"));
}

TEST_CASE("Known mistakes that would look otherwise than what is seen are told from those that look so") {
  using gf::Fits;
  const auto fits = [](const char* flag, gf::Symptom::Kind kind) { return gf::fits(flag, {{gf::Symptom::Kind::places, ""}, {kind, ""}}); };
  CHECK(fits("wkv-scaled", gf::Symptom::Kind::factor) == Fits::well);
  CHECK(fits("read-after-update", gf::Symptom::Kind::factor) == Fits::not_at_all);
  CHECK(fits("state-transposed", gf::Symptom::Kind::transpose) == Fits::well);
  CHECK(fits("future-keys", gf::Symptom::Kind::first_rows_right) == Fits::not_at_all);
  CHECK(fits("decay-before-read", gf::Symptom::Kind::first_rows_right) == Fits::well);
  CHECK(fits("head-layout", gf::Symptom::Kind::first_rows_right) == Fits::maybe);
  for (const char* flag : {"wkv-scaled", "log-base", "variance-unbiased", "rescaled-stream", "eps-value", "eps-added-to-root", "eps-in-root", "state-transposed",
                           "weight-transposed", "ffn-width", "decay-before-read", "read-after-update", "bonus-missing", "bonus-unwanted", "mask-excludes-self", "future-keys"})
    CHECK(gf::find_mistake(flag));
}

TEST_CASE("The Catch matcher passes and fails with the comparison, and says why") {
  const M e = numbers();
  const gf::Matrix<float> right = e.cast<float>();
  CHECK_THAT(right, gf::within_budget<float>(e, DType::f32));
  CHECK_THAT(e, gf::within_budget(e, DType::f64));
  CHECK_THAT(M(1.01 * e), !gf::within_budget(e, DType::f32));
  CHECK_THAT(M(1.01 * e), gf::within_budget(e, DType::f32, 0.02));
  CHECK_THAT(M(M::Zero(60, 50)), !gf::within_budget(M(M::Zero(60, 50)), DType::f32));  // MISTRUSTED is no match
  const auto matcher = gf::within_budget(e, DType::f32);
  CHECK_FALSE(matcher.match(M(0.5 * e)));
  CHECK_THAT(matcher.describe(), Contains("[60, 50]") && Contains("FAILED: relative rms 0.5") && Contains("times 0.5"));
}
