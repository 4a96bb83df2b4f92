// A session: what is needed to go on with a text later, in one safetensors file.
//
//   state.*       what the sequence carries (model/state_arrays.hpp)          tokens    [T, 4] bytes, ids little-endian
//   logits        [V], f64, those that follow the last token                  unwritten [n] bytes: text of these tokens that is not written
//   metadata      "goldfinch.session": identity, sampler, JSON                checksum  [64] bytes: SHA-256, in hexadecimal, of every
//                                                                                       byte of the file before it
//   points.i.*    the same of earlier tokens that one can go back to: logits, and state.* but for the arrays with a row a token, whose
//                 first rows are those of the sequence itself
//
// The file appears whole or not at all, and the one before stands until then. It goes on only with the model,
// tokenizer, precision and arithmetic that it began with; going on gives the bytes that not stopping would have given.
#pragma once

#include <nlohmann/json.hpp>

#include "goldfinch/checkpoint/json.hpp"
#include "goldfinch/checkpoint/safetensors.hpp"
#include "goldfinch/core/sha256.hpp"
#include "goldfinch/generate/rollback.hpp"
#include "goldfinch/generate/sampler.hpp"
#include "goldfinch/model/engine.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What must be the same when a session goes on.
struct SessionIdentity {
  std::string model, tokenizer;  // fingerprints (checkpoint/fingerprint.hpp)
  std::string precision;         // "f32" or "f64"
  std::string cache_format;      // of the key cache
  int numerics = 1;              // version of docs/numerics.md
};

struct Session {
  std::vector<int> tokens;                     // all that the sequence has seen
  std::unique_ptr<Engine::Sequence> sequence;
  Matrix<double> logits;                       // [1, V], after the last token
  SamplerSettings settings;
  Index drawn = 0;                             // tokens drawn so far
  std::vector<Sampler::Count> counts;          // penalties
  bool ended = false;                          // the token drawn last ended the text, and has not been fed
  std::string unwritten;                       // text of drawn tokens that is not written yet: held back for a stop string, say
  Rollback points{std::size_t{32} << 20};      // where one can go back to; the caller keeps them: at the ends of prompts, say
};

/// Of session files; other versions are refused.
constexpr int session_version = 2;

inline std::string point_prefix(std::size_t i) { return "points." + std::to_string(i) + "."; }

/// Writes the session. Throws Error if that is not possible; then an earlier file of that name still stands.
inline void save_session(const std::string& path, const Session& session, const SessionIdentity& identity) {
  nlohmann::ordered_json counts = nlohmann::ordered_json::array();
  for (const auto& [token, count] : session.counts) counts.push_back({token, count});
  nlohmann::ordered_json points = nlohmann::ordered_json::array();
  for (const auto& kept : session.points.kept()) points.push_back(kept.sequence->position());
  nlohmann::ordered_json about = {
      {"version", session_version}, {"numerics", identity.numerics}, {"model", identity.model}, {"tokenizer", identity.tokenizer}, {"precision", identity.precision},
      {"cache_format", identity.cache_format}, {"ended", session.ended}, {"drawn", session.drawn}, {"counts", counts}, {"points", points}};
  visit_settings([&](const char* key, auto member) { about[key] = session.settings.*member; });
  about["banned"] = session.settings.banned;
  about["logit_bias"] = nlohmann::ordered_json::array();
  for (const auto& [token, bias] : session.settings.logit_bias) about["logit_bias"].push_back({token, bias});

  std::vector<std::byte> ids;
  for (const int token : session.tokens)
    for (int i = 0; i < 4; ++i) ids.push_back(static_cast<std::byte>(token >> (8 * i)));
  const auto T = static_cast<Index>(session.tokens.size());
  std::vector<StateArray> arrays;
  const auto add = [&](const std::string& prefix, const Engine::Sequence& sequence, const Matrix<double>& logits, bool rows) {
    for (auto& array : sequence.arrays()) {
      if (array.a_row_a_token && !rows) continue;
      array.name = prefix + "state." + array.name;
      arrays.push_back(std::move(array));
    }
    arrays.push_back({prefix + "logits", DType::f64, {logits.cols()}, {std::as_bytes(std::span(logits.data(), static_cast<std::size_t>(logits.size())))}});
  };
  add("", *session.sequence, session.logits, true);
  for (std::size_t i = 0; i < session.points.kept().size(); ++i)
    add(point_prefix(i), *session.points.kept()[i].sequence, session.points.kept()[i].logits, false);
  arrays.push_back({"tokens", DType::u8, {T, 4}, {ids}});
  arrays.push_back({"unwritten", DType::u8, {static_cast<Index>(session.unwritten.size())}, {std::as_bytes(std::span(session.unwritten))}});
  arrays.push_back({"checksum", DType::u8, {64}, {}});

  std::vector<std::pair<std::string, Tensor>> list;
  for (const auto& array : arrays) list.emplace_back(array.name, Tensor{array.dtype, array.shape, nullptr});
  Sha256 sha;
  SafetensorsWriter writer(path, list, {{"goldfinch.session", about.dump()}}, &sha);
  for (const auto& array : arrays)
    for (const auto& piece : array.pieces) writer.write(piece.data(), piece.size());
  const std::string checksum = sha.finish();
  writer.write(checksum.data(), checksum.size());
  writer.commit();
}

/// What a session says of itself: an object, or null where the file has none. Throws Error as parse_json does.
inline nlohmann::json about_session(const Checkpoint& file) {
  const auto found = file.metadata.find("goldfinch.session");
  auto about = found == file.metadata.end() ? nlohmann::json() : parse_json(found->second, file.path + ": metadata goldfinch.session");
  return about.is_object() ? about : nlohmann::json();
}

/// The cache format of the session in this file; "native" where the file names none: load_session judges it.
inline std::string cache_format_of_session(const std::string& path) {
  const nlohmann::json about = about_session(read_safetensors(path, OtherTypes::bytes_allowed));
  for (const auto& name : key_format_names)
    if (about.is_object() && about.value("cache_format", nlohmann::json()) == name) return name;
  return "native";
}

/// The session in a file that is open, for this engine. Throws Error naming the file if it is damaged, or of another
/// model, tokenizer, precision, cache format or arithmetic.
inline Session load_session(const Checkpoint& file, const Engine& engine, const SessionIdentity& identity) {
  const std::string& path = file.path;
  const auto tensor = [&](const std::string& name, DType dtype) -> const Tensor& {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end() || found->second.dtype != dtype) fail(path, ": has no tensor ", name, " of type ", name_of(dtype), ": it is no session");
    return found->second;
  };
  const Tensor& checksum = tensor("checksum", DType::u8);
  const auto size = static_cast<std::size_t>(checksum.data - file.file->data());
  if (checksum.shape != Shape{64} || size + 64 != file.file->size()) fail(path, ": does not end in a checksum: it is no session");
  const std::string_view bytes(reinterpret_cast<const char*>(file.file->data()), file.file->size());
  if (sha256(bytes.substr(0, size)) != bytes.substr(size)) fail(path, ": its checksum is wrong: the session is damaged");

  const nlohmann::json about = about_session(file);
  if (!about.is_object()) fail(path, ": has no metadata goldfinch.session: it is no session");
  const auto damaged = [&] { fail(path, ": its metadata goldfinch.session lacks a key or has one of another type"); };
  const auto integer = [&](const nlohmann::json& value, auto& to) {
    using Integer = std::decay_t<decltype(to)>;
    const bool fits = value.is_number_unsigned() ? std::in_range<Integer>(value.get<std::uint64_t>())
                                                 : value.is_number_integer() && std::in_range<Integer>(value.get<std::int64_t>());
    if (!fits) damaged();
    value.get_to(to);
  };
  const auto list = [&](const char* key) -> const nlohmann::json& {
    if (!about.at(key).is_array()) damaged();
    return about.at(key);
  };
  Session session;
  std::vector<Index> points;
  SamplerSettings& s = session.settings;
  try {
    const auto same = [&](const char* what, const char* key, const auto& expected) {
      std::decay_t<decltype(expected)> value;
      if constexpr (std::is_integral_v<decltype(value)>) integer(about.at(key), value);
      else about.at(key).get_to(value);
      const auto told = [](const auto& x) {  // whatever bytes the file holds, in one line
        if constexpr (std::is_integral_v<std::decay_t<decltype(x)>>) return x;
        else return in_quotes(x);
      };
      if (value != expected) fail(path, ": the session is of another ", what, " (", told(value), ", expected ", told(expected), ")");
    };
    same("version of session files", "version", session_version);
    same("version of the arithmetic", "numerics", identity.numerics);
    same("model", "model", identity.model);
    same("tokenizer", "tokenizer", identity.tokenizer);
    same("precision", "precision", identity.precision);
    same("cache format", "cache_format", identity.cache_format);
    about.at("ended").get_to(session.ended);
    integer(about.at("drawn"), session.drawn);
    for (const auto& count : list("counts")) {
      session.counts.push_back({0, count.at(1).get<double>()});
      integer(count.at(0), session.counts.back().token);
    }
    for (const auto& position : list("points")) integer(position, points.emplace_back());
    visit_settings([&](const char* key, auto member) {
      if constexpr (std::is_same_v<decltype(member), double SamplerSettings::*>) about.at(key).get_to(s.*member);
      else integer(about.at(key), s.*member);
    });
    for (const auto& token : list("banned")) integer(token, s.banned.emplace_back());
    for (const auto& bias : list("logit_bias")) {
      s.logit_bias.push_back({0, bias.at(1).get<double>()});
      integer(bias.at(0), s.logit_bias.back().token);
    }
  } catch (const nlohmann::json::exception&) {
    damaged();
  }
  try {
    Sampler sampler(s);
    sampler.resume(session.drawn, session.counts);
    sampler.check_vocabulary(engine.dimensions().V);
  } catch (const Error& error) {
    fail(path, ": ", error.what());
  }

  const Tensor& tokens = tensor("tokens", DType::u8);
  if (tokens.shape.size() != 2 || tokens.shape[1] != 4) fail(path, ": tensor tokens is ", to_string(tokens.shape), ", expected [T, 4]");
  for (Index t = 0; t < tokens.shape[0]; ++t) {
    std::uint32_t id = 0;
    for (Index i = 0; i < 4; ++i) id |= static_cast<std::uint32_t>(tokens.data[4 * t + i]) << (8 * i);
    if (id >= static_cast<std::uint64_t>(engine.dimensions().V)) fail(path, ": token ", t, " is ", id, ", beyond the vocabulary");
    session.tokens.push_back(static_cast<int>(id));
  }
  const auto logits = [&](const std::string& name) {
    const Tensor& stored = tensor(name, DType::f64);
    if (stored.shape != Shape{engine.dimensions().V}) fail(path, ": tensor ", name, " is ", to_string(stored.shape), ", expected ", to_string(Shape{engine.dimensions().V}));
    Matrix<double> out(1, engine.dimensions().V);
    std::memcpy(out.data(), stored.data, static_cast<std::size_t>(out.size()) * sizeof(double));
    return out;
  };
  const Tensor& unwritten = tensor("unwritten", DType::u8);
  session.unwritten.assign(reinterpret_cast<const char*>(unwritten.data), static_cast<std::size_t>(element_count(unwritten.shape)));
  session.logits = logits("logits");
  session.sequence = engine.restore(file.tensors, "state.", session.tokens, path);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i] < (i > 0 ? points[i - 1] + 1 : 1) || points[i] > tokens.shape[0])
      fail(path, ": point ", i, " is at token ", points[i], ", expected ascending ones from 1 to ", tokens.shape[0]);
    session.points.checkpoint(*engine.restore(file.tensors, point_prefix(i) + "state.", std::span(session.tokens).first(static_cast<std::size_t>(points[i])), path, session.sequence.get()), logits(point_prefix(i) + "logits"));
  }
  return session;
}
inline Session load_session(const std::string& path, const Engine& engine, const SessionIdentity& identity) {
  return load_session(read_safetensors(path, OtherTypes::bytes_allowed), engine, identity);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
