#!/usr/bin/env bash
# Installs, into build/python-tools, what builds and tests bindings/python. Its ctest is skipped where that is not there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
wanted=bindings/python/tests/requirements.txt
tools=build/python-tools
if cmp -s "$wanted" "$tools/wanted"; then exit 0; fi
for python in /usr/bin/python3 python3; do
  if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "python.sh: installing what tests bindings/python"
    rm -rf "$tools"
    mkdir -p build
    "$python" -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --timeout 30 -r "$wanted"
    cp "$wanted" "$tools/wanted"
    exit 0
  fi
done
echo "python.sh: no Python 3.10 or newer with venv" >&2
exit 1
