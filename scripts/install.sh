# Sourced by the other scripts: install_packages NAME… installs the Debian packages that are missing, with sudo when not root.
# Where nothing is missing, nothing is asked and nothing is done.

install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  echo "installing ${missing[*]}" >&2
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >&2 2>/dev/null ||
    { "${as_root[@]}" apt-get update >&2 &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >&2; }
}

packages_to_build=(g++ cmake ninja-build pkg-config libeigen3-dev nlohmann-json3-dev libcli11-dev libsentencepiece-dev zlib1g-dev)
packages_to_test=(catch2 python3 python3-numpy clang ocl-icd-opencl-dev opencl-headers pocl-opencl-icd)
packages_to_test_all=(g++-aarch64-linux-gnu qemu-user-static python3-torch libbenchmark-dev valgrind)
