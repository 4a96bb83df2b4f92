// Lines of the prompts of `goldfinch generate --batch`.
#include "batch_line.hpp"
#include "reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = fuzz::text(data, size);
  for (int line = 0; line < 64 && !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    fuzz::run([&] {
      tool::Prompt prompt{};
      prompt.where = "input";
      tool::read_line(text.substr(0, end), prompt);
    });
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return 0;
}
