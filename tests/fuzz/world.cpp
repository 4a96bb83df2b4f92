// RWKV World vocabularies; a text is encoded and decoded with what was read.
#include "goldfinch/tokenizer/world.hpp"
#include "reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run([&] {
    const auto bytes = fuzz::file(data, size);
    const goldfinch::WorldTokenizer tokenizer(*bytes);
    const std::string_view text = fuzz::text(data, std::min<std::size_t>(size, 200));
    if (tokenizer.decode_all(tokenizer.encode(text)) != text) std::abort();
  });
}
