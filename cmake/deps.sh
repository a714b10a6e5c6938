#!/usr/bin/env bash
# Installs what the build needs and this machine lacks: Debian 12, Ubuntu 24.04, and later ones.
# Silent when nothing is missing.
#   deps.sh        what quickstart.sh and test.sh need
#   deps.sh --ci   also what .ci/run needs: clang, lld, clang-tidy, clang-format, abidiff, doxygen, what the connectors of
#                  capi/connectors are built with and tried on (slapd, PostgreSQL), the SCIM programs of peers.sh, the
#                  Keycloak of keycloak.sh, and what python.sh installs
set -euo pipefail

ci=no
case "${1-}" in
  '') ;;
  --ci) ci=yes ;;
  *)
    echo "usage: deps.sh [--ci]" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  cat >&2 <<'TEXT'
deps.sh knows Debian and Ubuntu only. Elsewhere, install: a C++20 compiler, CMake >= 3.22, Ninja, make, pkg-config,
Python 3, Boost >= 1.81 (JSON, URL, and the headers), Microsoft GSL, libcurl, OpenSSL 3, SQLite, CLI11, Catch2,
Google Benchmark; then use the CMake presets.
TEXT
  exit 1
fi

packages=(cmake ninja-build make g++ pkg-config python3 openssl curl
  libmsgsl-dev libcurl4-openssl-dev libssl-dev libsqlite3-dev libcli11-dev catch2 libbenchmark-dev ccache)
if [ "$ci" = yes ]; then
  packages+=(clang-14 lld clang-tidy-14 clang-format-14 libclang-rt-14-dev python3-venv python3-dev abigail-tools doxygen
    libldap-dev slapd libpq-dev postgresql)
fi
# bindings/go is tested with whatever Go there is.
command -v go >/dev/null || [ -x /usr/local/go/bin/go ] || packages+=(golang-go)

# They come from other registries; where those cannot be reached, their tests say that they are skipped.
staticcheck() {
  [ "$ci" = no ] || PATH=$PATH:/usr/local/go/bin timeout 300 "$(dirname "${BASH_SOURCE[0]}")/../bindings/go/staticcheck.sh" >/dev/null ||
    echo "deps.sh: staticcheck could not be built; the test \"go\" will do without" >&2
}
peers() {
  [ "$ci" = yes ] || return 0
  bash "$(dirname "${BASH_SOURCE[0]}")/peers.sh" ||
    echo "deps.sh: the SCIM programs of peers.sh could not be installed; the test \"peers\" will be skipped" >&2
  bash "$(dirname "${BASH_SOURCE[0]}")/keycloak.sh" ||
    echo "deps.sh: the Keycloak of keycloak.sh could not be installed; the test \"keycloak\" will be skipped" >&2
  bash "$(dirname "${BASH_SOURCE[0]}")/python.sh" ||
    echo "deps.sh: the tools of python.sh could not be installed; the test \"python\" will be skipped" >&2
}

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Boost comes as the distribution's default version, or as a versioned set beside an older default.
boost_set() { printf '%s\n' "libboost$1-dev" "libboost-json$1-dev" "libboost-url$1-dev"; }
boost_versions=(1.81 1.83 1.84 1.85 1.86 1.87 1.88 1.89 1.90)

boost_is_installed() {
  local version package
  for version in "${boost_versions[@]}"; do
    for package in $(boost_set "$version"); do
      installed "$package" || continue 2
    done
    return 0
  done
  return 1
}

candidate() {
  LC_ALL=C apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ && $2 != "(none)" { print $2; exit }'
}

choose_boost() {
  local version package default
  default=$(candidate libboost-dev)
  if [ -n "$default" ] && dpkg --compare-versions "$default" ge 1.81; then
    # The default packages only depend on the versioned ones, by whose names they are found again.
    boost_set "$(printf '%s' "$default" | sed -E 's/^([0-9]+\.[0-9]+).*/\1/')"
    return
  fi
  for version in "${boost_versions[@]}"; do
    for package in $(boost_set "$version"); do
      [ -n "$(candidate "$package")" ] || continue 2
    done
    boost_set "$version"
    return
  done
  echo "deps.sh: this distribution offers no Boost >= 1.81 with JSON and URL; install one by hand" >&2
  return 1
}

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
boost_is_installed || missing+=(boost)
if [ "${#missing[@]}" -eq 0 ]; then
  peers
  staticcheck
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "deps.sh: these packages are missing, and there is no sudo: ${missing[*]}" >&2
    echo "run as root: bash cmake/deps.sh${1:+ $1}" >&2
    exit 1
  fi
  as_root=(sudo)
  if [ "${CI-}" = true ]; then as_root+=(-n); fi
fi

echo "deps.sh: installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
"${apt[@]}" update
wanted=()
for package in "${missing[@]}"; do
  if [ "$package" = boost ]; then
    boost=$(choose_boost)
    # One package a line, none with blanks.
    # shellcheck disable=SC2206
    wanted+=($boost)
  else
    wanted+=("$package")
  fi
done
# The servers among them are for tests, which start their own: installing one starts none.
start_no_servers() {
  local policy=/usr/sbin/policy-rc.d
  [[ " ${wanted[*]} " == *" slapd "* || " ${wanted[*]} " == *" postgresql "* ]] || return 0
  [ ! -e "$policy" ] || return 0
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  # Expanded here: at the end the array may be out of reach.
  # shellcheck disable=SC2064
  trap "${as_root[*]} rm -f $policy" EXIT
}
start_no_servers
"${apt[@]}" install -y --no-install-recommends "${wanted[@]}" </dev/null >/dev/null
peers
staticcheck
