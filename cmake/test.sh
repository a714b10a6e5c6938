#!/usr/bin/env bash
# Installs what is missing, builds everything, runs all tests. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cmake/common.sh

say "dependencies"
bash cmake/deps.sh
say "build"
jobs=$(build_jobs)
cmake --preset dev >/dev/null
cmake --build --preset dev -j "$jobs"
say "tests"
ctest --test-dir build/dev --output-on-failure --no-tests=error -j $((jobs + 1)) "$@" # some of them mostly wait
