// A binary built for another CPU should say so instead of dying of SIGILL. This file is compiled for the oldest CPU of the
// architecture (CMake keeps -march away from it) and runs before every other initialiser; the features that the rest of the
// program was compiled for come in as GOLDFINCH_NEEDED_CPU_FEATURES, a list of FEATURE("avx2") ….
#include <unistd.h>

#if defined(__x86_64__) && defined(GOLDFINCH_NEEDED_CPU_FEATURES)

namespace {

void say(const char* text) {
  const char* end = text;
  while (*end) ++end;
  (void)!::write(2, text, static_cast<unsigned long>(end - text));
}

__attribute__((constructor(101))) void check_cpu() {
  __builtin_cpu_init();
#define FEATURE(name)                                                                                       \
  if (!__builtin_cpu_supports(name)) {                                                                      \
    say("goldfinch: this program was built for another CPU: this one has no " name                          \
        "; build it here, or with -DGOLDFINCH_PORTABLE=ON\n");                                              \
    ::_exit(2);                                                                                             \
  }
  GOLDFINCH_NEEDED_CPU_FEATURES
#undef FEATURE
}

}  // namespace

#endif
