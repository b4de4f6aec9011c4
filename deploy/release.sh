#!/usr/bin/env bash
# Builds the release for what it does most: once with counters, then a load that fills them, then again as they say. Every path is as
# correct as before; those that the load took are laid out for speed. `make release` calls this.
#
# Leaves in target/profiled: doorward; the bare Pingora of the same build (floor), for `make bench-rivals`; and doorward.profdata.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/setup/paths.sh

target=${CARGO_TARGET_DIR:-$PWD/target}
into=$target/profiled
# Named, so that build scripts and macros, which run here, are built without counters.
host=$(rustc -vV | sed -n 's/^host: //p')

build() { # RUSTFLAGS, where to
  RUSTFLAGS=$1 cargo build --release --locked --target "$host" --target-dir "$2" --bin doorward --example floor
}

# The one that comes with this Rust, or the newest from 19 on: it reads what this Rust's programs write.
profdata() {
  local candidate
  for candidate in "$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata" llvm-profdata-{25..19}; do
    if command -v "$candidate" > /dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "release.sh: no llvm-profdata: rustup component add llvm-tools" >&2
  return 1
}
merge=$(profdata)

mkdir -p "$into"
rm -rf "$into/counts"
build "-Cprofile-generate=$into/counts" "$into/counting"
counting=$into/counting/$host/release
# Short rounds: what counts is which path is taken how much more often than another.
PYTHONDONTWRITEBYTECODE=1 "$DOORWARD_VENV/bin/python" benches/rivals --peers floor,doorward --rounds 1 --seconds 1 \
  --doorward "$counting/doorward" --floor "$counting/examples/floor" --results "$into/training" > /dev/null
"$merge" merge -o "$into/doorward.profdata" "$into"/counts/*.profraw

build "-Cprofile-use=$into/doorward.profdata" "$into/built"
cp "$into/built/$host/release/doorward" "$into/built/$host/release/examples/floor" "$into"
"$into/doorward" --version
echo "built $into/doorward"
