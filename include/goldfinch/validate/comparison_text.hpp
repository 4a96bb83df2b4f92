// A comparison in words, for a terminal: one line for every tensor that did not pass, a summary, and the first failure explained.
#pragma once

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "goldfinch/core/utf8.hpp"
#include "goldfinch/validate/symptoms.hpp"
#include "goldfinch/validate/trace_comparison.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// A name as it is, or quoted with escapes where a terminal would not show it so.
inline std::string printable(const std::string& name) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return is_utf8(name) && std::none_of(name.begin(), name.end(), control) ? name : in_quotes(name);
}

namespace comparison_text {

using compare_detail::short_number;

inline std::string value_at(const Array& x, Index element) {
  double value = 0;
  x.read(element, 1, &value);
  std::ostringstream text;
  text.precision(9);
  text << value;
  return text.str();
}

/// "largest error 0.25 at [3, 5] (got 1.5, expected 1.25)".
inline std::string largest_error(const TensorResult& t) {
  const Comparison& c = t.comparison;
  const Index at = c.unequal_nonfinite > 0 ? c.first_unequal_nonfinite : c.max_abs_at;
  if (at < 0) return "";
  return (c.unequal_nonfinite > 0 ? "first " : "largest error " + short_number(c.max_abs) + " ") + "at " + place_in(c.expected_shape, at) +
         " (got " + value_at(*t.got, at) + ", expected " + value_at(*t.expected, at) + ")";
}

/// "0: 93 %, 1: 6 %, 2-3: 0.4 %, …": the ULP histogram, shares of the finite elements.
inline std::string ulp_histogram(const Comparison& c) {
  std::string text;
  for (std::size_t k = 0; k < c.ulps.size(); ++k) {
    if (c.ulps[k] == 0) continue;
    const std::string from = k == 0 ? "0" : short_number(std::ldexp(1.0, static_cast<int>(k) - 1));
    const std::string to = k < 2 ? "" : "-" + short_number(std::ldexp(1.0, static_cast<int>(k)) - 1);
    const double share = static_cast<double>(c.ulps[k]) / static_cast<double>(c.finite);
    text += (text.empty() ? "" : ", ") + from + to + ": " + short_number(100 * share) + " %";
  }
  return text;
}

inline std::string agreement(const LogitsAgreement& l) {
  std::string text = "KL " + short_number(l.kl_mean) + " nats on average, at most " + short_number(l.kl_max) + " (row " +
                     std::to_string(l.kl_max_at) + ")";
  for (std::size_t i = 0; i < l.k.size(); ++i) text += ", top-" + std::to_string(l.k[i]) + " " + short_number(100 * l.top[i]) + " % equal";
  return text;
}

/// The mistakes that begin there: in words those that look just so, and those that the case is there to catch (or all, if there are
/// none), but for those that would look otherwise.
inline std::string known_mistakes(const TensorResult& t, const std::vector<Symptom>& all) {
  std::string words, others;
  const auto describe = [&](const Mistake& mistake) {
    words += "    " + std::string(mistake.flag) + ": " + std::string(mistake.words) + (mistake.looks.empty() ? "" : "; ") + std::string(mistake.looks) + "\n";
  };
  const auto mention = [&](const Mistake& mistake) { others += (others.empty() ? "    also: " : ", ") + std::string(mistake.flag); };
  const auto each = [&](Fits wanted, auto&& use) {
    for (std::size_t i = 0; i < t.mistakes.size(); ++i)
      if (fits(t.mistakes[i], all) == wanted) use(*find_mistake(t.mistakes[i]), i < t.caught);
  };
  each(Fits::well, [&](const Mistake& mistake, bool) { describe(mistake); });
  each(Fits::maybe, [&](const Mistake& mistake, bool caught) {
    if (caught) describe(mistake);
  });
  const bool all_in_words = words.empty();
  each(Fits::maybe, [&](const Mistake& mistake, bool caught) {
    if (all_in_words) describe(mistake);
    else if (!caught) mention(mistake);
  });
  const bool shape = std::any_of(all.begin(), all.end(), [](const Symptom& symptom) { return symptom.kind == Symptom::Kind::shape; });
  if (!shape) each(Fits::not_at_all, [&](const Mistake& mistake, bool) { mention(mistake); });  // numbers of another shape show nothing of them
  if (words.empty() && others.empty()) return "";
  return "  known mistakes that begin here:\n" + words + others + (others.empty() ? "" : "\n");
}

/// What the tensor is, how it is wrong, what that looks like, and which known mistakes show there.
inline std::string explain(const TensorResult& t) {
  const Comparison& c = t.comparison;
  std::ostringstream out;
  out << printable(t.name) << " " << to_string(c.expected_shape) << "\n";
  if (!t.words.empty()) out << "  " << t.words << (t.equation.empty() ? "" : " (" + t.equation + ")") << "\n";
  if (!t.their_name.empty() && t.their_name != t.name) out << "  theirs: " << printable(t.their_name) << "\n";
  out << "  " << name_of(c.status) << ": " << c.reason << "\n";
  if (c.count > 0) {
    out << "  relative rms " << short_number(c.relative_rms) << ", cosine " << short_number(c.cosine) << ", NMSE " << short_number(c.nmse);
    if (const std::string where = largest_error(t); !where.empty()) out << "; " << where;
    out << "\n";
  }
  const auto all = t.got && c.status == Status::failed ? seen(*t.expected, *t.got, c) : std::vector<Symptom>();
  for (const Symptom& symptom : all) out << "  seen: " << symptom.text << "\n";
  if (c.status == Status::failed) out << known_mistakes(t, all);
  return out.str();
}

/// "y, relative rms 3.1e-08 of 4.9e-07": of those that passed, the one that was nearest to not doing so; "" if none passed.
inline std::string nearest_to_budget(const TraceComparison& all) {
  const auto used = [](const TensorResult& t) { return t.comparison.relative_rms / t.comparison.budget; };
  const TensorResult* nearest = nullptr;
  for (const TensorResult& t : all.tensors)
    if (t.comparison.status == Status::passed && (!nearest || used(t) > used(*nearest))) nearest = &t;
  if (!nearest) return "";
  return printable(nearest->name) + ", relative rms " + short_number(nearest->comparison.relative_rms) + " of " + short_number(nearest->comparison.budget);
}

/// The step by itself, to be explained.
inline TensorResult alone(TensorResult t) {
  t.comparison = *t.local, t.expected = t.replayed, t.got = t.whole;
  return t;
}

/// The local verdicts: how many, the cause, and what else fails by itself.
inline std::string local_summary(const TraceComparison& all) {
  std::ostringstream out;
  out << "locally: ";
  std::string separator;
  for (const Status status : all_statuses)
    if (const Index n = all.count_local(status); n > 0) out << separator << n << " " << name_of(status), separator = ", ";
  out << (separator.empty() ? "nothing can be told\n" : "\n");
  const TensorResult* const cause = all.first_cause();
  if (!cause && all.first_failure() && !separator.empty())
    out << "\nEvery step is right for what it was given: what fails is missing, or errors of rounding have grown.\n";
  if (!cause) return out.str();
  out << "\nThe cause, the first that is wrong for what it was given: " << explain(alone(*cause));
  std::string others;
  Index n = 0;
  for (const TensorResult& t : all.tensors)
    if (&t != cause && t.failed_locally() && ++n <= 8) others += (others.empty() ? "" : ", ") + printable(t.name);
  if (n > 0) out << "  wrong by themselves too: " << others << (n > 8 ? ", and " + std::to_string(n - 8) + " more" : "") << "\n";
  return out.str();
}

}  // namespace comparison_text

/// How many passed, how near to the budgets they are, and the first failure explained. Ends with a newline.
inline std::string summary(const TraceComparison& all) {
  using namespace comparison_text;
  std::ostringstream out;
  out << all.tensors.size() << " tensors, " << all.format.name << ": ";
  std::string separator;
  for (const Status status : all_statuses)
    if (const Index n = all.count(status); n > 0) out << separator << n << " " << name_of(status), separator = ", ";
  if (const std::string nearest = nearest_to_budget(all); !nearest.empty()) out << "; nearest to its budget: " << nearest;
  out << "\n";
  for (const TensorResult& t : all.tensors)
    if (t.logits) out << printable(t.name) << ": " << agreement(*t.logits) << "\n";

  if (all.with_local) out << local_summary(all);
  const TensorResult* const first = all.first_failure();
  if (!first) return out.str();
  if (first != all.first_cause()) out << "\nThe first in the order of the computation: " << explain(*first);
  // What is missing cannot be explained; what is wrong can.
  const auto is_wrong = [](const TensorResult& t) { return t.comparison.status == Status::failed; };
  const auto wrong = std::find_if(all.tensors.begin(), all.tensors.end(), is_wrong);
  if (!is_wrong(*first) && wrong != all.tensors.end()) out << "\nThe first that is there and wrong: " << explain(*wrong);
  if (all.manifest && !all.manifest->reproduce.empty()) out << "  the reference again: " << all.manifest->reproduce << "\n";
  return out.str();
}

/// All of it: a line for every tensor that did not pass, and the summary. Ends with a newline.
inline std::string to_text(const TraceComparison& all) {
  using namespace comparison_text;
  std::ostringstream out;
  std::size_t width = 0;
  for (const TensorResult& t : all.tensors)
    if (t.comparison.status != Status::passed || t.failed_locally()) width = std::max(width, std::min<std::size_t>(printable(t.name).size(), 60));
  const auto said = [](const TensorResult& t) { return t.comparison.status != Status::passed || t.failed_locally(); };
  if (all.with_local && std::any_of(all.tensors.begin(), all.tensors.end(), said)) out << "end to end locally\n";
  for (const TensorResult& t : all.tensors) {
    if (!said(t)) continue;
    std::string status = name_of(t.comparison.status), local = t.local ? name_of(t.local->status) : "", name = printable(t.name);
    status.resize(10, ' '), local.resize(10, ' '), name.resize(std::max(width, name.size()), ' ');
    const std::string& reason = t.failed_locally() ? t.local->reason : t.comparison.reason;
    out << status << " " << (all.with_local ? local + " " : "") << name << "  " << reason << "\n";
  }
  for (std::size_t i = 0; i < all.extra.size(); ++i)
    out << (i ? ", " : "not compared, because the expected have no such name: ") << printable(all.extra[i]);
  out << (all.extra.empty() ? "" : "\n");
  return out.str() + summary(all);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
