#!/usr/bin/env bash
# test.sh SOURCE BUILD: installs the package with the library of a build tree, then its tests and mypy. Exits with 77 where
# the tools are not there.
set -euo pipefail
source=$1 build=$2
python=$source/build/python-tools/bin/python
work=$build/python
if [ ! -x "$python" ] || [ ! -f "$source/build/python-tools/wanted" ]; then
  echo "skipped: the tools are not installed; run: bash cmake/python.sh"
  exit 77
fi
if ! "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'; then
  echo "skipped: Python's headers are not installed (python3-dev)"
  exit 77
fi
rm -rf "$work"
mkdir -p "$work"
cp -r "$source/bindings/python" "$work/package"
cd "$work/package"
rm -rf build src/*.egg-info # of an installation from the checkout
export DEPROV_SOURCE_DIR=$source DEPROV_BUILD_DIR=$build
"$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation \
  --target "$work/site" .
rm -rf build src/*.egg-info
export PYTHONPATH=$work/site PYTHONDONTWRITEBYTECODE=1
"$python" -m pytest -p no:cacheprovider --durations=3 --durations-min=5
"$python" -m mypy --cache-dir "$work/mypy" src/deprov "$source/tests/consumer/embed.py"
