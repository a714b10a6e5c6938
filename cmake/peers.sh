#!/usr/bin/env bash
# Installs, into build/peers, the SCIM programs that nobody here wrote: a server for the connector's tests and two clients
# that test servers. Their ctest is skipped where they are not there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
wanted='scim2-server==0.8.3 scim2-tester==0.5.2 scim2-cli==0.6.0 scim-sanity==0.7.4'
if [ "$(cat build/peers/wanted 2>/dev/null)" = "$wanted" ]; then exit 0; fi
for python in /usr/bin/python3 python3; do
  if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "peers.sh: installing $wanted"
    rm -rf build/peers
    mkdir -p build
    "$python" -m venv build/peers
    # shellcheck disable=SC2086  # one package a word
    build/peers/bin/pip install --quiet --disable-pip-version-check --timeout 30 $wanted
    printf '%s\n' "$wanted" >build/peers/wanted
    exit 0
  fi
done
echo "peers.sh: no Python 3.10 or newer with venv" >&2
exit 1
