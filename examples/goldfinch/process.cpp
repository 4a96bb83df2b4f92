#include "process.hpp"

#include <poll.h>

#include <csignal>
#include <exception>
#include <iostream>

#include "goldfinch/core/atomic_file.hpp"

namespace tool {
namespace {

volatile std::sig_atomic_t cooperative = 0;   // guards that live
volatile std::sig_atomic_t came = 0;          // the first signal under one of them
volatile std::sig_atomic_t status_shown = 0;  // the terminal's line is half written
bool reader_gone = false;

[[noreturn]] void end_at_once(int signal) {
  goldfinch::remove_unfinished_files();
  if (status_shown) (void)!::write(2, "\r\033[K", 4);
  ::_exit(128 + signal);
}

void standard_descriptors() {
  for (int descriptor = 0; descriptor < 3; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) != -1) continue;
#ifdef O_PATH
    const int opened = ::open("/", O_PATH);  // can be neither read nor written, and is there without /dev, too
#else
    const int opened = ::open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
#endif
    if (opened != descriptor) ::_exit(2);
  }
}

}  // namespace

extern "C" {

void goldfinch_on_signal(int signal) {
  if (!cooperative || came) end_at_once(signal);
  came = signal;
}

/// A mapped file that shrinks under us raises SIGBUS; nothing can be undone from here, so say what happened and stop.
void goldfinch_on_bus_error(int) {
  constexpr char text[] = "goldfinch: a file was truncated while it was being read\n";
  (void)!::write(2, text, sizeof text - 1);
  goldfinch::remove_unfinished_files();
  ::_exit(2);
}
}

void begin_process() {
  standard_descriptors();
  struct sigaction action = {}, before = {};
  action.sa_handler = goldfinch_on_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGXCPU, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1, SIGUSR2, SIGHUP})
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) ::sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  ::signal(SIGBUS, goldfinch_on_bus_error);
}

CooperativeInterrupt::CooperativeInterrupt() { cooperative = cooperative + 1; }

CooperativeInterrupt::~CooperativeInterrupt() {
  cooperative = cooperative - 1;
  if (!cooperative && came && std::uncaught_exceptions() == 0) end_at_once(came);
}

void check_interrupt() {
  if (came) throw Interrupted{came};
}

void write_output(std::string_view bytes, std::size_t* written) {
  while (!bytes.empty() && !reader_gone) {
    const ssize_t n = ::write(1, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) {
      check_interrupt();
    } else if (n < 0 && errno == EAGAIN) {
      struct pollfd wait = {1, POLLOUT, 0};
      ::poll(&wait, 1, -1);
      check_interrupt();
    } else if (n < 0 && errno == EPIPE) {
      reader_gone = true;
    } else if (n <= 0) {
      goldfinch::fail("standard output: cannot write: ", goldfinch::system_reason());
    } else {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      if (written) *written += static_cast<std::size_t>(n);
    }
  }
}

bool output_closed() { return reader_gone; }

StatusLine::StatusLine() : terminal_(::isatty(2)) {}

StatusLine::~StatusLine() {
  if (width_ > 0) show("");
}

void StatusLine::show(const std::string& text) {
  if (!terminal_) return;
  status_shown = 1;
  const std::size_t blanks = width_ > text.size() ? width_ - text.size() : 0;
  std::cerr << '\r' << text << std::string(blanks, ' ') << (text.empty() ? "\r" : "") << std::flush;
  width_ = text.size();
  status_shown = width_ > 0;
}

}  // namespace tool
