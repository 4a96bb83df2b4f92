// Session files of a small model. The checksum at the end, which no change would survive, is made right before the file is
// read, and the length of the header where its last byte says so.
#include <cstring>

#include "goldfinch/generate/session.hpp"
#include "reader.hpp"

namespace {

using namespace goldfinch;
using SmallModel = Model<float>;

struct SmallSequence : Engine::Sequence {
  explicit SmallSequence(SmallModel::State s) : state(std::move(s)) {}
  std::unique_ptr<Engine::Sequence> fork() const override { return std::make_unique<SmallSequence>(state); }
  Index position() const override { return state.position; }
  std::size_t state_bytes() const override { return state.state_bytes(); }
  std::size_t cache_bytes() const override { return state.cache_bytes(); }
  std::vector<StateArray> arrays() const override { return state_arrays(state); }
  SmallModel::State state;
};

/// GoldFinch with one layer of each kind, without weights: states come and go, nothing is computed.
class SmallEngine : public Engine {
 public:
  SmallEngine() : model_(small(), small().dimensions()) {}
  const Config& config() const override { return model_.config(); }
  const Dimensions& dimensions() const override { return model_.dimensions(); }
  std::size_t weights_bytes() const override { return 0; }
  std::size_t memo_bytes() const override { return 0; }
  std::unique_ptr<Sequence> restore(const std::map<std::string, Tensor>& tensors, const std::string& prefix, std::span<const int> ids, const std::string& where,
                                    const Sequence* longer) const override {
    auto sequence = std::make_unique<SmallSequence>(model_.initial_state());
    restore_state(tensors, prefix, ids, where, sequence->state, longer ? &static_cast<const SmallSequence*>(longer)->state : nullptr);
    return sequence;
  }
  Matrix<double> forward(const std::vector<Step>&, TraceSink<double>*) const override { fail("has no weights"); }
  Matrix<double> prefill(const std::vector<Step>&, Index, const Progress&) const override { fail("has no weights"); }

 private:
  std::unique_ptr<Sequence> start_with_zeros() const override { return std::make_unique<SmallSequence>(model_.initial_state()); }
  void require_own(const Sequence*) const override {}
  static Config small() {
    Config config;
    config.vocab_size = 11, config.n_layer = 2, config.n_embd = 16, config.head_size = 8, config.dim_ffn = 32;
    config.tmix2 = "gold", config.inv_other_layer_ratio = 2, config.kv_cache_compression_ratio = 8;
    return config;
  }
  SmallModel model_;
};

const SessionIdentity identity{"model", "tokenizer", "f32", "native"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SmallEngine engine;
  if (const char* path = std::getenv("GOLDFINCH_FUZZ_SESSION")) {  // writes one, for the corpus
    Session session;
    session.sequence = engine.start();
    auto& state = static_cast<SmallSequence&>(*session.sequence).state;
    session.logits = Matrix<double>::Constant(1, 11, 0.5);
    session.counts = {{3, 1.0}};
    for (const int token : {1, 10, 3}) {
      session.tokens.push_back(token);
      const float key[] = {0.5f, 0.25f};
      state.keys.append(token, key);
      if (++state.position == 2) session.points.checkpoint(*session.sequence, session.logits);
    }
    save_session(path, session, identity);
  }
  if (size < 64) return 0;
  const auto copy = fuzz::with_header_length(data, size);
  const std::string checksum = sha256(fuzz::text(copy.get(), size - 64));
  std::memcpy(copy.get() + size - 64, checksum.data(), 64);
  return fuzz::run([&] {
    const Checkpoint file = read_safetensors(fuzz::file(copy.get(), size), OtherTypes::bytes_allowed);
    (void)about_session(file);
    const Session session = load_session(file, engine, identity);
    for (const auto& point : session.points.kept()) (void)point.sequence->fork();
    (void)session.sequence->arrays();
  });
}
