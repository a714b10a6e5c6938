#!/usr/bin/env bash
# Installs, into build/keycloak, the Keycloak that tests/e2e/keycloak_test.cpp polls. Its ctest is skipped where it is
# not there; KEYCLOAK_HOME names one that is elsewhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=26.5.6
if [ "$(cat build/keycloak/wanted 2>/dev/null)" = "$version" ]; then exit 0; fi
if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then
  echo "keycloak.sh: no Java with Maven" >&2
  exit 1
fi
echo "keycloak.sh: installing Keycloak $version"
rm -rf build/keycloak
mkdir -p build/keycloak
timeout 300 mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
  "-Dartifact=org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$PWD/build/keycloak"
python3 -m zipfile -e "build/keycloak/keycloak-quarkus-dist-$version.zip" build/keycloak
rm "build/keycloak/keycloak-quarkus-dist-$version.zip"
mv "build/keycloak/keycloak-$version" build/keycloak/home
chmod +x build/keycloak/home/bin/kc.sh
printf '%s\n' "$version" >build/keycloak/wanted
