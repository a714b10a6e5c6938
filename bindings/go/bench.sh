#!/bin/sh
# Requests a second in Go, beside the same in C++ and C in the same minute on the same machine.
# usage: bench.sh BUILD     a build tree of the preset release, with bench_capi and the test "go" configured
set -eu
source=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
native=$("$build/bench/bench_capi" --benchmark_min_time="${SECONDS_EACH:-2}" --benchmark_format=csv 2>/dev/null)
per_second() { # column 7: items a second
  printf '%s\n' "$native" | awk -F, -v name="\"$1/real_time\"" '$1 == name { print $7 }'
}
for name in native_one c_one native_many c_many; do
  echo "$name $(per_second "$name") requests/s"
done
DEPROV_BENCH_NATIVE_ONE=$(per_second native_one) DEPROV_BENCH_NATIVE_MANY=$(per_second native_many)
PKG_CONFIG_PATH=$build/bindings/go/pkgconfig
CGO_CFLAGS="-O2 -g -DDEPROV_GO_$(cat "$PKG_CONFIG_PATH"/*.pc | cksum | tr ' ' _)" # Go's cache does not look there
export DEPROV_BENCH_NATIVE_ONE DEPROV_BENCH_NATIVE_MANY PKG_CONFIG_PATH CGO_CFLAGS
cd "$source"
"${GO:-go}" test -run '^$' -bench Get -benchtime "${SECONDS_EACH:-2}s" -count 3 .
