#!/usr/bin/env bash
# Fuzzes every target for so many seconds (60), from the corpus kept here; then shows that each property finds the bug planted
# beside it. What is found is kept in tests/fuzz/artifacts.
#
#   run.sh [SECONDS] [TARGET…]
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/setup/paths.sh

seconds=${1:-60}
shift || true
read -ra targets <<< "${*:-authorization canonical_path compact_token configuration form_body jwk_set request_head}"
export PATH="$DOORWARD_TOOLS/bin:$PATH"
# Apart from the other builds: everything in it is compiled with counters.
export CARGO_TARGET_DIR="$DOORWARD_CACHE/fuzz-target"
build=(cargo fuzz build --fuzz-dir tests/fuzz --dev --sanitizer none)

# The same versions as the project's own.
cp Cargo.lock tests/fuzz/Cargo.lock
echo "fuzz: building; the first time takes some minutes" >&2
for target in "${targets[@]}"; do
  "${build[@]}" "$target"
done

found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
mkdir -p tests/fuzz/artifacts

run() { # TARGET SECONDS [libFuzzer options…]
  local target=$1 time=$2
  shift 2
  mkdir -p "$found/$target"
  "$CARGO_TARGET_DIR"/*-linux-*/debug/"$target" "$found/$target" "tests/fuzz/corpus/$target" \
    -max_total_time="$time" -timeout=5 -rss_limit_mb=2048 -max_len=16384 -verbosity=0 -print_final_stats=1 \
    -artifact_prefix="tests/fuzz/artifacts/$target-" "$@" > "$found/log" 2>&1
}

for target in "${targets[@]}"; do
  if ! run "$target" "$seconds"; then
    tail -n 40 "$found/log" >&2
    echo "fuzz: $target: the property does not hold; the input is in tests/fuzz/artifacts" >&2
    exit 1
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log")
  for ((number = 0; ; number++)); do
    outcome=0
    DOORWARD_FUZZ_PLANTED=$number run "$target" 60 -artifact_prefix="$found/planted-" || outcome=$?
    grep -q 'there is no such planted bug' "$found/log" && break
    if [ "$outcome" = 0 ]; then
      echo "fuzz: $target: the planted bug $number was not found in 60 s" >&2
      exit 1
    fi
  done
  echo "fuzz: $target: $runs inputs in $seconds s, the property held; $number planted bugs were found" >&2
done
