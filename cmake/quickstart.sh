#!/usr/bin/env bash
# From a bare machine to a running demonstration: installs what is missing, builds a release, runs `deprov demo`.
# The exit code is that of the demo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cmake/common.sh

say "dependencies"
bash cmake/deps.sh
say "build"
cmake --preset release >/dev/null
cmake --build --preset release --target deprov_cli -j "$(build_jobs)"
say "deprov demo"
exec build/release/bin/deprov demo "$@"
