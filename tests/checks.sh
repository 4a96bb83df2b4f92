# Sourced by the tests in shell, once they know the paths of their arguments: a folder of their own to work in, and a way to count.
# What is checked leaves its output in out and err, and its exit code in code.
work=$(mktemp -d) && cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 code=0
: >err

# check NAME CONDITION…: counts, and says what failed.
check() {
  local name=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: $name: exit code $code, output: $(head -c 400 out 2>/dev/null), standard error: $(head -c 300 err)"; fi
}

# Before a program that runs in the background: Ctrl-C is not ignored, as it is for those that a script starts there.
at_terminal="env --default-signal=INT"
