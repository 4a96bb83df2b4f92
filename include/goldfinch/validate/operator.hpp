// What an operator, layer or model of the kit is told and tells: tensors by name, their shapes in letters, their layout in words, the
// equation that each comes from. The description is what `goldfinch op NAME --describe` prints, what a user's tensors are checked
// against, and what the manifest of the reference cases repeats.
//
// Shapes are written in the letters of core/matrix.hpp:   [T, D]   [B, H, N, N]   [D, 5 mix_rank]   [D, D + R]   [] (a number)
// A letter means the same size everywhere in a call; the first tensor that has it says which.
#pragma once

#include <cctype>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "goldfinch/checkpoint/checkpoint.hpp"
#include "goldfinch/core/tensor.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

enum class TensorRole { input, weight, state, intermediate, output };

constexpr const char* name_of(TensorRole role) {
  constexpr const char* names[] = {"input", "weight", "state", "intermediate", "output"};
  return names[static_cast<int>(role)];
}

struct TensorSpec {
  std::string name;
  std::string shape;          // "[T, D]"
  TensorRole role;
  std::string what;           // the layout and the meaning, in words
  std::string equation = "";  // its label (docs/equations.md); of what is computed
  bool optional = false;
  bool exact = false;         // sizes, positions, ids, settings: whole or exact numbers, never rounded to a format
  std::string binds = "";     // the letter whose size this number is
  bool wide = false;          // formed in float or wider whatever the format is: the decay

  /// Whether the user gives it. The rest is computed.
  bool given() const {
    return role == TensorRole::input || role == TensorRole::weight || (role == TensorRole::state && name.ends_with("_before"));
  }
  /// Whether a kernel in a narrow format is given it in that format. Never the decay, whose slow ones 16 bits take for 1, and never
  /// what is carried from call to call: two calls joined by a state would not be one.
  bool rounded() const { return !exact && !wide && role != TensorRole::state; }
};

struct OperatorInfo {
  std::string name, kind;  // kind: operator, layer or model
  std::string summary;     // one line
  std::string equations;   // a line each
  std::vector<TensorSpec> tensors;
  bool any_weights = false;  // a model: takes the tensors of any checkpoint, checked where it is loaded

  const TensorSpec* find(const std::string& tensor) const {
    for (const TensorSpec& spec : tensors)
      if (spec.name == tensor) return &spec;
    return nullptr;
  }
};

// Short forms for descriptions.
inline TensorSpec input(std::string name, std::string shape, std::string what) { return {name, shape, TensorRole::input, what}; }
inline TensorSpec weight(std::string name, std::string shape, std::string what) { return {name, shape, TensorRole::weight, what}; }
inline TensorSpec before(std::string name, std::string shape, std::string what) {
  return {name + "_before", shape, TensorRole::state, what + "; zeros if it is left out", "", true};
}
inline TensorSpec after(std::string name, std::string shape, std::string what, std::string equation) {
  return {name + "_after", shape, TensorRole::state, what, equation};
}
inline TensorSpec intermediate(std::string name, std::string shape, std::string what, std::string equation) {
  return {name, shape, TensorRole::intermediate, what, equation};
}
inline TensorSpec output(std::string name, std::string shape, std::string what, std::string equation) {
  return {name, shape, TensorRole::output, what, equation};
}
inline TensorSpec optional(TensorSpec spec) {
  spec.optional = true;
  return spec;
}
inline TensorSpec wide(TensorSpec spec) {
  spec.wide = true;
  return spec;
}
/// A number, or a list of them, that is no tensor of the computation.
inline TensorSpec setting(std::string name, std::string shape, std::string what, std::string binds = "") {
  return {name, shape, TensorRole::input, what, "", true, true, binds};
}
inline TensorSpec required_setting(std::string name, std::string shape, std::string what, std::string binds = "") {
  TensorSpec spec = setting(name, shape, what, binds);
  spec.optional = false;
  return spec;
}
inline TensorSpec lengths_setting() { return setting("lengths", "[B]",
    "rows of each of B sequences, which stand one after another; one sequence if it is left out"); }

/// A copy whose tensors are float64 after change(tensor name, number, index), where `which`(its description, null for a model's
/// weight) is true; sizes, positions, ids and settings always stay as they are.
template <class Change, class Which>
Checkpoint changed(const OperatorInfo& info, const Checkpoint& in, Change&& change, Which&& which) {
  Checkpoint copy = in;
  for (const auto& [name, tensor] : in.tensors) {
    const TensorSpec* const spec = info.find(name);
    if ((spec && spec->exact) || !which(spec)) continue;
    std::vector<double> numbers;
    for (Index i = 0; i < element_count(tensor.shape); ++i) numbers.push_back(change(name, number_at(tensor, i), i));
    copy.put(name, tensor.shape, std::move(numbers));
  }
  return copy;
}

template <class Change>
Checkpoint changed(const OperatorInfo& info, const Checkpoint& in, Change&& change) {
  return changed(info, in, change, [](const TensorSpec*) { return true; });
}

/// Whether a kernel in a narrow format is given in it what has this description (null: a model's weight).
inline bool is_rounded(const TensorSpec* spec) { return !spec || spec->rounded(); }

/// What a kernel in a narrow format is given: all of it rounded by round(number), but for what never is.
template <class Round>
Checkpoint in_format(const OperatorInfo& info, const Checkpoint& in, Round&& round) {
  return changed(info, in, [&](const std::string&, double x, Index) { return round(x); }, is_rounded);
}

/// The sizes that letters stand for in one call, found by holding the user's tensors against a description.
class Letters {
 public:
  /// Throws Error naming the file and the tensor that is missing, unknown, empty, misshapen, or holds a NaN or an infinity.
  Letters(const OperatorInfo& info, const Checkpoint& in) : path_(in.path) {
    for (const auto& [name, tensor] : in.tensors) {
      if (info.any_weights) break;
      if (!info.find(name)) fail(path_, ": ", info.name, " has no tensor ", in_quotes(name), " (goldfinch op ", info.name, " --describe lists them)");
      if (element_count(tensor.shape) == 0) fail(path_, ": tensor ", in_quotes(name), " is ", to_string(tensor.shape), ": it holds no numbers");
    }
    const auto nonfinite = nonfinite_tensors(in);
    // Numbers that are sizes first: what does not fit them is at fault, not they.
    for (const bool sizes : {true, false})
      for (const TensorSpec& spec : info.tensors)
        if (spec.given() && spec.binds.empty() != sizes) take(spec, in, nonfinite);
  }

  bool has(const std::string& letter) const { return sizes_.count(letter) > 0; }
  Index at(const std::string& letter) const { return sizes_.at(letter); }
  Index get(const std::string& letter, Index otherwise) const { return has(letter) ? at(letter) : otherwise; }

 private:
  void take(const TensorSpec& spec, const Checkpoint& in, const std::vector<std::string>& nonfinite) {
    const auto found = in.tensors.find(spec.name);
    if (found == in.tensors.end()) {
      if (!spec.optional) fail(path_, ": has no tensor ", spec.name, " ", spec.shape, ": ", spec.what);
      return;
    }
    known_ = sizes_;
    match(spec, found->second.shape);
    if (std::find(nonfinite.begin(), nonfinite.end(), spec.name) != nonfinite.end()) fail(path_, ": NaN or infinity in tensor ", spec.name);
    if (!spec.binds.empty()) {
      const double value = number_at(found->second, 0);
      if (!(value >= 1 && value <= 0x1p31) || value != std::floor(value)) fail(path_, ": ", spec.name, " is ", value,
          ", expected a whole number above 0");
      bind(spec.binds, static_cast<Index>(value), spec, found->second.shape);
    }
    if (!has("D") || !has("N")) return;
    if (at("D") % at("N") != 0) fail(path_, ": the head size N = ", at("N"), " does not divide D = ", at("D"));
    bind("H", at("D") / at("N"), spec, found->second.shape);
  }

  void match(const TensorSpec& spec, const Shape& shape) {
    const auto terms = split(spec.shape.substr(1, spec.shape.size() - 2), ", ");
    if (terms.empty() && shape == Shape{1}) return;
    if (terms.size() != shape.size()) misfit(spec, shape);
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const std::string& term = terms[i];
      const auto space = term.find(' ');
      if (const auto plus = term.find(" + "); plus != std::string::npos) {  // "D + R", D known from tensors before
        bind(term.substr(plus + 3), shape[i] - get(term.substr(0, plus), shape[i]), spec, shape);
      } else if (term.find_first_not_of("0123456789") == std::string::npos) {
        if (shape[i] != std::stol(term)) misfit(spec, shape);
      } else if (space != std::string::npos && std::isdigit(static_cast<unsigned char>(term[0]))) {  // "5 mix_rank"
        const Index factor = std::stol(term);
        if (shape[i] % factor != 0) misfit(spec, shape);
        bind(term.substr(space + 1), shape[i] / factor, spec, shape);
      } else {
        bind(term, shape[i], spec, shape);
      }
    }
  }

  void bind(const std::string& letter, Index size, const TensorSpec& spec, const Shape& shape) {
    if (size < 1 || sizes_.try_emplace(letter, size).first->second != size) misfit(spec, shape);
  }

  [[noreturn]] void misfit(const TensorSpec& spec, const Shape& shape) const {
    std::string known;
    for (const auto& [letter, size] : known_) known += (known.empty() ? ", where " : ", ") + letter + " = " + std::to_string(size);
    fail(path_, ": tensor ", spec.name, " is ", to_string(shape), ", expected ", spec.shape, known);
  }

  static std::vector<std::string> split(const std::string& text, const std::string& separator) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < text.size();) {
      const auto end = std::min(text.find(separator, at), text.size());
      parts.push_back(text.substr(at, end - at));
      at = end + separator.size();
    }
    return parts;
  }

  std::string path_;
  std::map<std::string, Index> sizes_, known_;  // known_: before the tensor that is looked at
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
