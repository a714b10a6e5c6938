#!/bin/sh
# Runs each program given; stops at the first that fails.
set -eu
for program in "$@"; do
  "$program"
done
