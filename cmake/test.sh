#!/usr/bin/env bash
# Installs what is missing, builds everything, runs all tests. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cmake/common.sh

say "dependencies"
bash cmake/deps.sh
say "build"
jobs=$(build_jobs)
# What is tested is what quickstart.sh builds and what is shipped.
cmake --preset release >/dev/null
cmake --build --preset release -j "$jobs"
say "tests"
ctest --test-dir build/release --output-on-failure --no-tests=error -j $((jobs + 1)) "$@" # some of them mostly wait
