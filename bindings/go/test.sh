#!/bin/sh
# Everything that has to hold of the Go binding, with the library of a build tree.
# usage: test.sh GO CMAKE PKG_CONFIG_PATH WORK [static]
#   exit status 77: there is no Go here that can build it
set -eu
source=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$source/../.." && pwd)
go=$1 cmake=$2 work=$4 static=${5-}

skip() {
  echo "skipped: $*; \`bash cmake/deps.sh\` installs it"
  exit 77
}
"$go" version >/dev/null 2>&1 || skip "there is no Go here"
minor=$("$go" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
[ "${minor:-0}" -ge 19 ] || skip "Go is older than 1.19"

# Nothing is downloaded: the module needs nothing, and the Go that is here will do.
PKG_CONFIG_PATH=$3
GOFLAGS=-buildvcs=false GOTOOLCHAIN=local GOPROXY=off GOWORK=off CGO_ENABLED=1
[ -n "${HOME-}" ] || GOCACHE=$work/cache
# Go's cache looks neither at headers outside of the module nor at what pkg-config says.
CGO_CFLAGS="-O2 -g -DDEPROV_GO_$(cat "$root/capi/include/deprov.h" "$PKG_CONFIG_PATH"/*.pc | cksum | tr ' ' _)"
export PKG_CONFIG_PATH GOFLAGS GOTOOLCHAIN GOPROXY GOWORK CGO_ENABLED CGO_CFLAGS ${GOCACHE:+GOCACHE}
mkdir -p "$work"
cd "$source"

echo "-- gofmt"
unformatted=$("$("$go" env GOROOT)/bin/gofmt" -l . "$root/tests/consumer")
if [ -n "$unformatted" ]; then
  echo "gofmt -w is due: $unformatted"
  exit 1
fi
echo "-- vet"
"$go" vet -p 2 ./...
if staticcheck=$(GO=$go ./staticcheck.sh --no-install); then
  echo "-- staticcheck"
  "$staticcheck" ./...
else
  echo "-- staticcheck: skipped, \`bash bindings/go/staticcheck.sh\` builds it"
fi
echo "-- tests, looked at by the race detector"
"$go" test -p 2 -count=1 -race -bench . -benchtime 20x ./...
echo "-- tests, with garbage collected at each border"
GODEBUG=clobberfree=1 "$go" test -p 2 -count=1 -tags deprov_gc -short ./...
if [ "$static" = static ]; then
  echo "-- with the library inside"
  "$go" test -p 2 -count=1 -tags deprov_static -run '^Example' ./...
fi

echo "-- the program of the README, in a module of its own"
rm -rf "$work/embed"
mkdir -p "$work/embed"
cp "$root/tests/consumer/embed.go" "$work/embed/main.go"
cat >"$work/embed/go.mod" <<TEXT
module example

go 1.19

require deprov v0.0.0

replace deprov => $source
TEXT
(cd "$work/embed" && "$go" build -p 2 -o embed .)
"$cmake" -DPROGRAM="$work/embed/embed" -DDIRECTORY="$work/embed/data" -DSOURCE="$root" -DFILE=embed.go \
  -P "$root/tests/consumer/embed.cmake"
