#!/bin/sh
# render.sh DIRECTORY: renders the manual into it, and fails where doxygen has a warning. 77: there is no doxygen.
# render.sh --self-test DIRECTORY: whether it fails for a function without a comment, and for a link to nothing.
set -eu
planted=no
if [ "$1" = --self-test ]; then
  planted=yes
  shift
fi
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$1
mkdir -p "$out"
if ! command -v doxygen >/dev/null; then
  echo "skipped: doxygen is not installed; \`bash cmake/deps.sh --ci\` installs it"
  exit 77
fi
render() { # the Doxyfile's settings, and those that are given
  (cd "$root" && { cat capi/doc/Doxyfile; printf '%s\n' "OUTPUT_DIRECTORY = $out" "$@"; } | doxygen -) >"$out/warnings" 2>&1 &&
    ! grep -q ': \(warning\|error\): ' "$out/warnings"
}
if [ $planted = yes ]; then
  for break in 's|^/\*\* Accepts NULL, like every `_free`. \*/$||' 's|::deprov_str|::deprov_no_such_thing|'; do
    sed "$break" "$root/capi/include/deprov.h" >"$out/deprov.h"
    if cmp -s "$out/deprov.h" "$root/capi/include/deprov.h"; then
      echo "deprov.h has nothing of '$break' any more"
      exit 1
    fi
    if render "INPUT = capi/doc $out/deprov.h capi/include/deprov_connector.h" "FILE_PATTERNS = *.md"; then
      echo "'$break' was not found"
      exit 1
    fi
  done
elif ! render; then
  cat "$out/warnings"
  exit 1
fi
