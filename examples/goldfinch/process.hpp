// What the program owes the process that it is: its three standard descriptors, signals, and a reader who goes away.
#pragma once

#include <string>
#include <string_view>

namespace tool {

/// Call first. A standard descriptor that is closed is opened so that every use of it fails: no file may get its
/// number, or messages would be written into it. Then signals: those that end a program from outside (SIGINT, SIGTERM,
/// SIGHUP, SIGQUIT, SIGXCPU, …) remove unfinished outputs and end it at once, with exit code 128 and the signal's number,
/// unless they are ignored (by nohup, or for a command in a script's background); files that become too large and readers
/// that go away are errors of the call that meets them, and no death.
void begin_process();

/// Thrown where a signal was noticed under a CooperativeInterrupt; what was printed stands.
struct Interrupted {
  int signal;
  int exit_code() const { return 128 + signal; }
};

/// While one lives, the first signal ends nothing: check_interrupt() throws, and the work so far can be kept. The
/// second ends the program at once. A signal that nobody noticed ends it when the last of them goes.
class CooperativeInterrupt {
 public:
  CooperativeInterrupt();
  ~CooperativeInterrupt();
  CooperativeInterrupt(const CooperativeInterrupt&) = delete;
  CooperativeInterrupt& operator=(const CooperativeInterrupt&) = delete;
};

/// Throws Interrupted if a signal came under a CooperativeInterrupt.
void check_interrupt();

/// Writes to standard output at once. Once its reader has gone away the rest is dropped, and nothing else changes: results that are
/// exit codes or files come all the same. Throws Error if it cannot be written otherwise, Interrupted as check_interrupt. `written`, if
/// given, counts the bytes that came out, where it throws too.
void write_output(std::string_view bytes, std::size_t* written = nullptr);

/// Whether the reader of standard output has gone away, so that work for it alone may stop.
bool output_closed();

/// A line on standard error that is replaced by the next, if standard error is a terminal.
class StatusLine {
 public:
  StatusLine();
  ~StatusLine();
  void show(const std::string& text);

 private:
  bool terminal_;
  std::size_t width_ = 0;
};

}  // namespace tool
