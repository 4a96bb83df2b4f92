#include "goldfinch/generate/session.hpp"

#include <catch2/catch.hpp>

#include "bits.hpp"
#include "core/folder.hpp"
#include "goldfinch/checkpoint/load.hpp"
#include "model/golden.hpp"

namespace gf = goldfinch;
using Catch::Contains;
using nlohmann::ordered_json;

namespace {

const gf::SessionIdentity identity{"m", "t", "f32", "native", 1};

/// A folder of its own, with one session file in it.
struct SessionFolder : Folder {
  std::string file() const { return *this / "s.session"; }
  std::string read() const { return Folder::read("s.session"); }
  void write(const std::string& bytes) const { Folder::write("s.session", bytes); }
};

/// A session's bytes in parts: what a forger changes.
struct Parts {
  ordered_json header;
  std::string data;  // behind the header, the checksum included

  explicit Parts(const std::string& bytes) {
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof size);
    header = ordered_json::parse(bytes.substr(8, size));
    data = bytes.substr(8 + size);
  }

  /// The file, with a checksum that is right.
  std::string sealed() const {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const std::uint64_t size = text.size();
    std::string bytes = std::string(reinterpret_cast<const char*>(&size), sizeof size) + text + data;
    bytes.resize(bytes.size() - 64);
    return bytes + gf::sha256(bytes);
  }

  ordered_json about() const { return ordered_json::parse(header["__metadata__"]["goldfinch.session"].get<std::string>()); }
  void about(const ordered_json& json) { header["__metadata__"]["goldfinch.session"] = json.dump(); }
};

std::unique_ptr<gf::Engine> engine_of(const char* name) { return std::make_unique<gf::ModelEngine<float>>(gf::load_model<float>(golden::weights(name))); }

/// A session of 80 tokens with two points, and everything in it that can be.
gf::Session some_session(const gf::Engine& engine) {
  gf::Session session;
  session.sequence = engine.start();
  for (int t = 0; t < 80; ++t) {
    session.tokens.push_back(t * 7 % 61);
    session.logits = engine.forward({{std::span(session.tokens).last(1), session.sequence.get()}});
    if (t == 3 || t == 70) session.points.checkpoint(*session.sequence, session.logits);
  }
  session.settings.temperature = 0.1 + 0.2;
  session.settings.seed = ~std::uint64_t{0};
  session.settings.repeat_penalty = 1.1;
  session.settings.repeat_last_n = -1;
  session.settings.logit_bias = {{60, -1.5}, {3, 1e300}, {60, 0x1p-1074}};
  session.settings.banned = {1, 2};
  session.drawn = 10;
  session.counts = {{4, 0}, {7, 1.25}};
  session.ended = true;
  session.unwritten = std::string("held\0 \xc3", 7);
  return session;
}

}  // namespace

TEST_CASE("session: what is saved comes back, and goes on with the same bits") {
  const SessionFolder folder;
  for (const char* name : {"goldfinch", "finch", "llama_rope"}) {
    const auto engine = engine_of(name);
    const gf::Session saved = some_session(*engine);
    gf::save_session(folder.file(), saved, identity);
    const gf::Session loaded = gf::load_session(folder.file(), *engine, identity);
    CHECK(loaded.tokens == saved.tokens);
    CHECK(bits::same(loaded.logits, saved.logits));
    gf::visit_settings([&](const char* key, auto member) {
      INFO(key);
      CHECK(loaded.settings.*member == saved.settings.*member);
    });
    CHECK(loaded.settings.logit_bias == saved.settings.logit_bias);
    CHECK(loaded.settings.banned == saved.settings.banned);
    CHECK(loaded.drawn == 10);
    CHECK(loaded.counts == saved.counts);
    CHECK(loaded.ended);
    CHECK(loaded.unwritten == saved.unwritten);
    REQUIRE(loaded.points.kept().size() == 2);
    const std::vector<int> more = {5, 6, 7};
    CHECK(bits::same(engine->forward({{more, loaded.sequence.get()}}), engine->forward({{more, saved.sequence.get()}})));
    for (std::size_t i = 0; i < 2; ++i) {
      const auto &a = loaded.points.kept()[i], &b = saved.points.kept()[i];
      CHECK(a.sequence->position() == b.sequence->position());
      CHECK(bits::same(engine->forward({{more, a.sequence->fork().get()}}), engine->forward({{more, b.sequence->fork().get()}})));
    }
    const std::string bytes = folder.read();
    CHECK(Parts(bytes).sealed() == bytes);
  }
}

TEST_CASE("session: another identity is refused by what differs") {
  const SessionFolder folder;
  const auto engine = engine_of("goldfinch");
  gf::save_session(folder.file(), some_session(*engine), identity);
  const auto refused = [&](auto&& change, const char* what) {
    auto other = identity;
    change(other);
    CHECK_THROWS_WITH(gf::load_session(folder.file(), *engine, other), Contains(folder.file() + ": the session is of another " + what));
  };
  refused([](auto& i) { i.model = "x"; }, "model");
  refused([](auto& i) { i.tokenizer = "x"; }, "tokenizer");
  refused([](auto& i) { i.precision = "f64"; }, "precision ('f32', expected 'f64')");
  refused([](auto& i) { i.cache_format = "int8"; }, "cache format");
  refused([](auto& i) { i.numerics = 2; }, "version of the arithmetic");
  // The same identity, but an engine of other shapes: the arrays do not fit.
  CHECK_THROWS_WITH(gf::load_session(folder.file(), *engine_of("finch"), identity), Contains(folder.file() + ": "));
  CHECK_THROWS_WITH(gf::load_session(folder.file(), *engine_of("goldfinch_r2_c8_h32"), identity), Contains(folder.file() + ": "));
}

TEST_CASE("session: a file that is cut short, or has a byte changed, is refused by name") {
  const SessionFolder folder;
  const auto engine = engine_of("goldfinch");
  gf::save_session(folder.file(), some_session(*engine), identity);
  const std::string bytes = folder.read();
  bits::Random random(5);
  for (int trial = 0; trial < 150; ++trial) {
    const auto at = trial < 20 ? static_cast<std::size_t>(trial) : static_cast<std::size_t>(random.below(static_cast<gf::Index>(bytes.size())));
    folder.write(bytes.substr(0, at));
    CHECK_THROWS_WITH(gf::load_session(folder.file(), *engine, identity), Contains(folder.file()));
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ (1 << trial % 8));
    folder.write(changed);
    CHECK_THROWS_WITH(gf::load_session(folder.file(), *engine, identity), Contains(folder.file()));
  }
}

TEST_CASE("session: arrays that are missing, or of other shapes or types, are refused even where the checksum is right") {
  const SessionFolder folder;
  for (const char* name : {"goldfinch", "finch"}) {
    const auto engine = engine_of(name);
    gf::save_session(folder.file(), some_session(*engine), identity);
    const Parts parts(folder.read());
    const auto refused = [&](const ordered_json& header) {
      Parts forged = parts;
      forged.header = header;
      folder.write(forged.sealed());
      CHECK_THROWS_WITH(gf::load_session(folder.file(), *engine, identity), Contains(folder.file()));
    };
    for (const auto& [key, tensor] : parts.header.items()) {
      if (key == "__metadata__") continue;
      INFO(name << ": " << key);
      ordered_json header = parts.header;
      header.erase(key);
      header["elsewhere"] = tensor;  // the file stays well-formed
      refused(header);
      if (key == "unwritten") continue;  // any bytes will do
      header = parts.header;
      auto& shape = header[key]["shape"];
      shape.insert(shape.begin(), 1);
      refused(header);
      header = parts.header;
      gf::Index elements = 1;
      for (const auto& n : tensor["shape"]) elements *= n.get<gf::Index>();
      if (tensor["shape"].size() > 1) {
        header[key]["shape"] = {elements};
        refused(header);
        header[key]["shape"] = {elements, 1};
        refused(header);
      }
      header = parts.header;
      header[key]["dtype"] = tensor["dtype"] == "U8" ? "I8" : tensor["dtype"] == "F64" ? "I64" : "I32";
      refused(header);
    }
  }
}

TEST_CASE("session: metadata that no session has is refused") {
  const SessionFolder folder;
  const auto engine = engine_of("goldfinch");
  gf::save_session(folder.file(), some_session(*engine), identity);
  const Parts parts(folder.read());
  const ordered_json metadata = parts.about();
  const auto refused = [&](const char* key, const ordered_json& value, const char* text = "goldfinch.session") {
    INFO(key << " = " << value.dump());
    Parts forged = parts;
    auto about = parts.about();
    about[key] = value;
    forged.about(about);
    folder.write(forged.sealed());
    CHECK_THROWS_WITH(gf::load_session(folder.file(), *engine, identity), Contains(folder.file() + ": ") && Contains(text));
  };
  const ordered_json wrong_types[] = {nullptr, "x", {{"a", 1}}};
  for (const auto& [key, value] : metadata.items())
    for (const auto& wrong : wrong_types) {
      if (value.is_string() && wrong.is_string()) continue;
      refused(key.c_str(), wrong);
    }
  refused("drawn", 18446744073709551615u);
  refused("drawn", 1.5);
  refused("drawn", 9223372036854775807, "sampler state");
  refused("model", "x\n\u001b[2J", "another model ('x\\x0a\\x1b[2J', expected 'm')");
  refused("seed", -1);
  refused("repeat_last_n", 18446744073709551615u);
  refused("repeat_last_n", -2, "repeat_last_n is -2");
  refused("repeat_penalty", 0, "repeat_penalty is 0");
  refused("counts", {{4294967300, 1.0}});
  refused("counts", {{4}});
  refused("counts", {{61, 1.0}}, "token 61 is counted by the sampler");
  refused("counts", {{-1, 1.0}}, "sampler state");
  refused("banned", ordered_json::array({4294967296}));
  refused("banned", ordered_json::array({61}), "token 61 is banned");
  refused("logit_bias", {{61, 1.0}}, "token 61 is in logit_bias");
  refused("logit_bias", {{-1, 1.0}}, "a token of logit_bias is -1");
  refused("logit_bias", {{4294967296, 1.0}});
  refused("logit_bias", ordered_json::array({3}));
  refused("points", ordered_json::array({0, 71}), "point 0 is at token 0");
  refused("points", ordered_json::array({71, 71}), "point 1 is at token 71");
  refused("points", ordered_json::array({4, 81}), "point 1 is at token 81");
  refused("points", ordered_json::array({4, 70, 71}), "has no tensor points.2.");
  refused("version", 1, "another version of session files (1, expected 2)");
  refused("version", 4294967298);
  for (const auto& [key, value] : metadata.items()) {
    Parts forged = parts;
    auto about = parts.about();
    about.erase(key);
    forged.about(about);
    folder.write(forged.sealed());
    CHECK_THROWS_WITH(gf::load_session(folder.file(), *engine, identity), Contains(folder.file() + ": "));
  }
  for (const char* text : {"", "[]", "{", "null", "{}"}) {
    Parts forged = parts;
    forged.header["__metadata__"]["goldfinch.session"] = text;
    folder.write(forged.sealed());
    CHECK_THROWS_WITH(gf::load_session(folder.file(), *engine, identity), Contains(folder.file() + ": "));
  }
}

TEST_CASE("session: any byte of the header changed, under a checksum that is right, is refused or harmless") {
  const SessionFolder folder;
  const auto engine = engine_of("goldfinch");
  gf::save_session(folder.file(), some_session(*engine), identity);
  const std::string bytes = folder.read();
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  bits::Random random(6);
  for (int trial = 0; trial < 150; ++trial) {
    std::string changed = bytes.substr(0, bytes.size() - 64);
    const auto at = static_cast<std::size_t>(random.below(static_cast<gf::Index>(8 + size)));
    changed[at] = static_cast<char>(changed[at] ^ (1 << random.below(8)));
    folder.write(changed + gf::sha256(changed));
    try {
      const auto session = gf::load_session(folder.file(), *engine, identity);
      CHECK(session.sequence->position() == static_cast<gf::Index>(session.tokens.size()));
    } catch (const gf::Error& error) {
      CHECK_THAT(error.what(), Contains(folder.file()));
    }
  }
}
