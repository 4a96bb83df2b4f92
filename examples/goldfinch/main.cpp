// goldfinch: the command-line tool. Exit codes: 0; 1 if something that was compared is unequal; 2 for bad usage or input, with one
// line on standard error; 128 and its number after a signal, 130 after Ctrl-C.
#include "command.hpp"

#include <iostream>

namespace {

std::string version() {
  std::string text = "goldfinch " GOLDFINCH_VERSION "\narithmetic: numerics contract, version 1\nbuild: " GOLDFINCH_BUILD_TYPE ", ";
#ifdef __clang__
  text += "clang " __clang_version__;
#else
  text += "g++ " __VERSION__;
#endif
#define GOLDFINCH_TEXT(x) #x
#define GOLDFINCH_NAME(x) GOLDFINCH_TEXT(x)
  text += ", instruction set " GOLDFINCH_NAME(GOLDFINCH_ISA);
#if GOLDFINCH_SIMD
  text += ", vectors of " + std::to_string(goldfinch::vector_bytes * 8) + " bits";
#else
  text += ", plain loops only";
#endif
#ifdef _OPENMP
  text += ", OpenMP";
#endif
#ifdef GOLDFINCH_HAVE_SENTENCEPIECE
  text += ", SentencePiece";
#endif
#if defined(__x86_64__)
  text += "\nthis CPU: x86_64";
  __builtin_cpu_init();
#define GOLDFINCH_FEATURE(name) \
  if (__builtin_cpu_supports(name)) text += " " name
  GOLDFINCH_FEATURE("avx");
  GOLDFINCH_FEATURE("avx2");
  GOLDFINCH_FEATURE("fma");
  GOLDFINCH_FEATURE("avx512f");
  GOLDFINCH_FEATURE("avx512bw");
  GOLDFINCH_FEATURE("avx512dq");
  GOLDFINCH_FEATURE("avx512vl");
#endif
  return text + ", " + std::to_string(goldfinch::available_cpus()) + " CPUs for this process";
}

/// One line, whatever the text: what would move a terminal's cursor is blanks.
int complain(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  std::cerr << "goldfinch: " << text << std::endl;
  return 2;
}

/// For what is no command.
int print(const std::string& text) {
  try {
    tool::write_output(text);
    return 0;
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin_process();
  goldfinch::keep_freed_memory();
  CLI::App app("GoldFinch language models: exact, fast, with a tiny key cache.", "goldfinch");
  app.set_version_flag("--version", version);
  app.require_subcommand(0, 1);
  app.footer("goldfinch COMMAND --help describes a command. Without --model, generate, logits and perplexity use the demo "
             "model that comes along.");
  tool::Run run;
  tool::add_generate(app, run);
  tool::add_logits(app, run);
  tool::add_perplexity(app, run);
  tool::add_info(app, run);
  tool::add_convert(app, run);
  tool::add_init(app, run);
  tool::add_tokenize(app, run);
  tool::add_cost(app, run);
  tool::add_cache(app, run);
  tool::add_bench(app, run);
  tool::add_compare(app, run);
  tool::add_op(app, run);
  tool::add_reference(app, run);
  try {
    app.parse(tool::read_arguments(app, argc, argv));
    if (!run) return complain("expected a command (goldfinch --help tells what there is)");
    tool::check_files();
    return run();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return complain(std::string(error.what()) + " (goldfinch --help tells what there is)");
    std::ostringstream text;  // --help, --version
    app.exit(error, text, std::cerr);
    return print(text.str());
  } catch (const tool::Interrupted& interrupted) {
    return interrupted.exit_code();
  } catch (const std::bad_alloc&) {
    return complain("not enough memory");
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}
