#!/bin/sh
# Prints the path of a staticcheck that fits the Go of this machine; builds it, into build/tools, where it is not there.
# usage: staticcheck.sh [--no-install]
#   status 1: there is none, and it could not be built; with --no-install: it was not tried
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
go=${GO:-go}
command -v "$go" >/dev/null || exit 1
# What each release of staticcheck needs, and can read.
minor=$("$go" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
if [ "${minor:-0}" -ge 26 ]; then
  version=v0.8.2
elif [ "$minor" -ge 25 ]; then
  version=v0.7.0
elif [ "$minor" -ge 23 ]; then
  version=v0.6.1
elif [ "$minor" -ge 22 ]; then
  version=v0.5.1
elif [ "$minor" -ge 19 ]; then
  version=v0.4.7
else
  echo "staticcheck.sh: no release of staticcheck is known for go1.$minor" >&2
  exit 1
fi
directory=$root/build/tools/staticcheck-$version-go1.$minor
if [ ! -x "$directory/staticcheck" ]; then
  [ "${1-}" != --no-install ] || exit 1
  echo "staticcheck.sh: building staticcheck $version" >&2
  GOBIN=$directory GOFLAGS=-buildvcs=false GOTOOLCHAIN=local CGO_ENABLED=0 \
    "$go" install -p 2 "honnef.co/go/tools/cmd/staticcheck@$version" >&2 || exit 1
fi
echo "$directory/staticcheck"
