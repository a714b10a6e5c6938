#!/usr/bin/env bash
# Builds the libFuzzer programs and runs each for a while: run.sh [SECONDS [TARGET...]], by default 60 seconds each.
# What is new stays in build/fuzz/found/<target>; the corpora in the tree are only read. Ends at the first fault, whose
# input is then in build/fuzz/found/<target>/crash-*; add it to the corpus when it is mended.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. cmake/common.sh
seconds=${1-60}
[ "$#" -gt 0 ] && shift
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  for corpus in tests/fuzz/corpus/*/; do targets+=("$(basename "$corpus")"); done
fi
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j "$(build_jobs)"
for target in "${targets[@]}"; do
  say "$target for $seconds s"
  found=build/fuzz/found/$target
  mkdir -p "$found"
  build/fuzz/tests/fuzz_"$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -print_final_stats=1 \
    -dict=tests/fuzz/tokens.dict -artifact_prefix="$found/" "$found" "tests/fuzz/corpus/$target" 2>&1 | tail -n 12
done
