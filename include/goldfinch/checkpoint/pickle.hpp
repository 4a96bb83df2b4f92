// Python pickles, as far as dictionaries of tensors need them. A pickle is a program for a small stack machine that may call
// any function; this reader runs none. It knows the opcodes that build numbers, strings, tuples, lists and dicts, and treats the
// calls that PyTorch writes for a tensor and an OrderedDict as notation. Any other opcode or name is refused, by its name.
//
// Objects are made once and never copied, so memory grows with the pickle and not with what it claims; they refer to each other
// by pointers and may form cycles, so look into them to a fixed depth.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "goldfinch/checkpoint/in_quotes.hpp"
#include "goldfinch/core/dtype.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct PickleValue {
  enum Kind { none, boolean, integer, real, text, tuple, list, dict, global, storage, tensor };
  Kind kind;
  std::int64_t number = 0;                // of an integer
  std::string string;                     // a text; "module.name" of a global
  std::vector<PickleValue*> items;        // of a tuple or list; key, value, key, value, ... of a dict; a storage's persistent id
                                          // (5 parts); the arguments of a tensor's _rebuild_tensor_v2 (6)
};

/// "an integer", "a tuple of 2", for messages.
inline std::string describe(const PickleValue& value) {
  constexpr const char* names[] = {"None",   "a boolean", "an integer", "a float",   "a string", "a tuple",
                                   "a list", "a dict",    "a name",     "a storage", "a tensor"};
  return names[value.kind] + (value.kind == PickleValue::tuple ? " of " + std::to_string(value.items.size()) : "");
}

/// Reads a pickle of protocol 2 to 5 and owns what it holds.
class Pickle {
 public:
  /// `where` ("model.pth: data.pkl") starts every message. Throws Error naming the byte and the opcode or name in question.
  Pickle(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {
    constexpr std::size_t longest = 4 << 20;  // a tensor takes about 110 bytes, an object in memory 90
    if (bytes.size() > longest) fail(where, " is ", bytes.size(), " bytes long, expected at most ", longest);
    const unsigned opcode = byte(), protocol = byte();
    if (opcode != 0x80 || protocol < 2 || protocol > 5) refuse("is not a pickle of protocol 2 to 5");
    while (step()) {}
    root_ = pop();
    if (!stack_.empty() || !marks_.empty()) refuse("stops with something left over on its stack");
    if (at_ != bytes_.size()) refuse("goes on after its end");
  }

  /// Valid while this object lives.
  const PickleValue& root() const { return *root_; }

 private:
  /// One opcode; false for the last.
  bool step() {
    start_ = at_;
    const unsigned opcode = byte();
    switch (opcode) {
      case '.': return false;                                                            // STOP
      case 0x95: if (number<std::uint64_t>() > bytes_.size() - at_) refuse("has a frame longer than itself"); break;  // FRAME
      case '(': marks_.push_back(stack_.size()); break;                                  // MARK

      case 'N': push(PickleValue::none); break;                                          // NONE
      case 0x88: case 0x89: push(PickleValue::boolean); break;                           // NEWTRUE, NEWFALSE
      case 'K': push(PickleValue::integer).number = number<std::uint8_t>(); break;       // BININT1
      case 'M': push(PickleValue::integer).number = number<std::uint16_t>(); break;      // BININT2
      case 'J': push(PickleValue::integer).number = number<std::int32_t>(); break;       // BININT
      case 0x8a: push(PickleValue::integer).number = long_integer(); break;              // LONG1
      case 'G': take(8); push(PickleValue::real); break;                                 // BINFLOAT
      case 0x8c: push_text(number<std::uint8_t>()); break;                               // SHORT_BINUNICODE
      case 'X': push_text(number<std::uint32_t>()); break;                               // BINUNICODE
      case 0x8d: push_text(number<std::uint64_t>()); break;                              // BINUNICODE8

      case ')': push(PickleValue::tuple); break;                                         // EMPTY_TUPLE
      case 't': tuple(pop_to_mark()); break;                                             // TUPLE
      case 0x85: case 0x86: case 0x87: tuple(pop_last(opcode - 0x84)); break;            // TUPLE1, TUPLE2, TUPLE3
      case ']': push(PickleValue::list); break;                                          // EMPTY_LIST
      case 'a': extend(PickleValue::list, pop_last(1)); break;                           // APPEND
      case 'e': extend(PickleValue::list, pop_to_mark()); break;                         // APPENDS
      case '}': push(PickleValue::dict); break;                                          // EMPTY_DICT
      case 's': extend(PickleValue::dict, pop_last(2)); break;                           // SETITEM
      case 'u': extend(PickleValue::dict, pop_to_mark()); break;                         // SETITEMS

      case 'q': memo_[number<std::uint8_t>()] = top(); break;                            // BINPUT
      case 'r': memo_[number<std::uint32_t>()] = top(); break;                           // LONG_BINPUT
      case 0x94: memo_[static_cast<std::uint32_t>(memo_.size())] = top(); break;         // MEMOIZE
      case 'h': recall(number<std::uint8_t>()); break;                                   // BINGET
      case 'j': recall(number<std::uint32_t>()); break;                                  // LONG_BINGET

      case 'c': {                                                                        // GLOBAL
        const std::string module(line());
        push_global(module + '.' + std::string(line()));
        break;
      }
      case 0x93: {                                                                       // STACK_GLOBAL
        const auto names = pop_last(2);
        for (const auto* name : names)
          if (name->kind != PickleValue::text) refuse("makes a name of " + describe(*name));
        push_global(names[0]->string + '.' + names[1]->string);
        break;
      }
      case 'Q': {                                                                        // BINPERSID
        const PickleValue* id = pop();
        if (id->kind != PickleValue::tuple || id->items.size() != 5)
          refuse("has " + describe(*id) + " as a persistent id, expected a tuple of 5");
        push(PickleValue::storage).items = id->items;
        break;
      }
      case 'R': call(); break;                                                           // REDUCE
      case 'b': {                                                                        // BUILD: a state_dict's _metadata
        const PickleValue* state = pop();
        if (top()->kind != PickleValue::dict || state->kind != PickleValue::dict)
          refuse("sets the state of " + describe(*top()) + " to " + describe(*state) + ", which tensors do not need");
        break;
      }
      default: refuse("has the opcode " + opcode_name(opcode) + ", which no dictionary of tensors needs");
    }
    return true;
  }

  /// What is called is on the stack, under a tuple of its arguments.
  void call() {
    const auto operands = pop_last(2);
    const PickleValue &function = *operands[0], &arguments = *operands[1];
    if (function.kind != PickleValue::global || arguments.kind != PickleValue::tuple)
      refuse("calls " + describe(function) + " with " + describe(arguments));
    if (function.string == "collections.OrderedDict" && arguments.items.empty()) {
      push(PickleValue::dict);
    } else if (function.string == "torch._utils._rebuild_tensor_v2" && arguments.items.size() == 6) {
      push(PickleValue::tensor).items = arguments.items;
    } else if (function.string == "torch._utils._rebuild_parameter" && !arguments.items.empty() &&
               arguments.items[0]->kind == PickleValue::tensor) {
      stack_.push_back(arguments.items[0]);  // a parameter is its tensor
    } else {
      refuse("calls " + in_quotes(function.string) + " with " + describe(arguments) + ", expected what PyTorch writes");
    }
  }

  void push_global(const std::string& name) {
    const bool storage = name.starts_with("torch.") && name.ends_with("Storage") && name.find('.', 6) == std::string::npos;
    if (!storage && name != "collections.OrderedDict" && name != "torch._utils._rebuild_tensor_v2" &&
        name != "torch._utils._rebuild_parameter")
      refuse("refers to " + in_quotes(name) + ", which is refused: only what a dictionary of tensors needs is read "
             "(of a whole model, save its state_dict())");
    push(PickleValue::global).string = name;
  }

  PickleValue& push(PickleValue::Kind kind) {
    values_.push_back({kind, 0, {}, {}});
    stack_.push_back(&values_.back());
    return values_.back();
  }
  void push_text(std::uint64_t size) {
    const std::string_view text = take(size);
    if (!is_utf8(text)) refuse("has a string that is not UTF-8, " + in_quotes(text));
    push(PickleValue::text).string = text;
  }
  void tuple(std::vector<PickleValue*> items) { push(PickleValue::tuple).items = std::move(items); }
  void extend(PickleValue::Kind kind, const std::vector<PickleValue*>& items) {
    PickleValue& container = *top();
    if (container.kind != kind) refuse("adds items to " + describe(container));
    if (kind == PickleValue::dict && items.size() % 2 != 0) refuse("has a key without a value");
    container.items.insert(container.items.end(), items.begin(), items.end());
  }
  void recall(std::uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) refuse("recalls object " + std::to_string(index) + ", which it has not memorised");
    stack_.push_back(found->second);
  }

  PickleValue* top() const {
    if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) refuse("takes more from its stack than is there");
    return stack_.back();
  }
  PickleValue* pop() {
    PickleValue* value = top();
    stack_.pop_back();
    return value;
  }
  std::vector<PickleValue*> pop_last(std::size_t count) {
    if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < count) refuse("takes more from its stack than is there");
    std::vector<PickleValue*> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<PickleValue*> pop_to_mark() {
    if (marks_.empty()) refuse("goes back to a mark that it has not set");
    const std::size_t count = stack_.size() - marks_.back();
    auto items = pop_last(count);
    marks_.pop_back();
    return items;
  }

  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size() - at_) refuse("is cut short, or holds a lying length");
    const std::string_view taken(reinterpret_cast<const char*>(bytes_.data() + at_), static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
    return taken;
  }
  template <class Number>
  Number number() {
    return load<Number>(reinterpret_cast<const std::byte*>(take(sizeof(Number)).data()), 0);
  }
  unsigned byte() { return number<std::uint8_t>(); }
  std::int64_t long_integer() {
    const std::string_view digits = take(number<std::uint8_t>());
    if (digits.size() > 8) refuse("has an integer of more than 64 bits");
    std::uint64_t value = !digits.empty() && (digits.back() & 0x80) ? ~std::uint64_t{0} : 0;  // two's complement, low byte first
    for (std::size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(digits[i]);
    return static_cast<std::int64_t>(value);
  }
  std::string_view line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data() + at_), bytes_.size() - at_);
    const std::size_t size = rest.find('\n');
    if (size == std::string_view::npos) refuse("is cut short in a name");
    at_ += size + 1;
    return rest.substr(0, size);
  }

  static std::string opcode_name(unsigned opcode) {
    static constexpr struct { unsigned opcode; const char* name; } others[] = {
        {'0', "POP"}, {'1', "POP_MARK"}, {'2', "DUP"}, {'i', "INST"}, {'o', "OBJ"}, {0x81, "NEWOBJ"}, {0x92, "NEWOBJ_EX"},
        {'P', "PERSID"}, {0x82, "EXT1"}, {0x83, "EXT2"}, {0x84, "EXT4"}, {'I', "INT"}, {'L', "LONG"}, {0x8b, "LONG4"},
        {'F', "FLOAT"}, {'S', "STRING"}, {'T', "BINSTRING"}, {'U', "SHORT_BINSTRING"}, {'V', "UNICODE"}, {'B', "BINBYTES"},
        {'C', "SHORT_BINBYTES"}, {0x8e, "BINBYTES8"}, {0x96, "BYTEARRAY8"}, {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"},
        {'l', "LIST"}, {'d', "DICT"}, {0x8f, "EMPTY_SET"}, {0x90, "ADDITEMS"}, {0x91, "FROZENSET"}, {'p', "PUT"}, {'g', "GET"},
        {0x80, "PROTO"}};
    for (const auto& other : others)
      if (other.opcode == opcode) return other.name;
    return std::to_string(opcode);
  }

  [[noreturn]] void refuse(const std::string& what) const { fail(where_, " ", what, " (byte ", start_, ")"); }

  std::span<const std::byte> bytes_;
  std::string where_;
  std::size_t at_ = 0, start_ = 0;       // the next byte, and the opcode being read
  std::deque<PickleValue> values_;       // everything made, at fixed addresses
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;       // stack sizes
  std::map<std::uint32_t, PickleValue*> memo_;  // of keys that the file chooses: a hash could be made to collide
  const PickleValue* root_ = nullptr;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
