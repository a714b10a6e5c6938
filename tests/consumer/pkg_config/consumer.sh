#!/bin/sh
# Builds the consumer with nothing but a compiler and pkg-config.
# usage: consumer.sh PREFIX LIBDIR CXX SOURCE OUT [FLAGS...]
set -eu
prefix=$1 libdir=$2 cxx=$3 source=$4 out=$5
shift 5
PKG_CONFIG_PATH="$prefix/$libdir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export PKG_CONFIG_PATH
pkg-config --exists --print-errors deprov
# The answers of pkg-config are lists of words.
# shellcheck disable=SC2046
"$cxx" -std=c++20 "$@" "$source" $(pkg-config --cflags --libs deprov) -o "$out"
LD_LIBRARY_PATH="$prefix/$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$out"

# The C library asks for no C++ and no library but itself.
if pkg-config --exists deprov_c; then
  # shellcheck disable=SC2046
  "${CC:-cc}" -std=c99 "$@" "$(dirname "$source")/capi.c" $(pkg-config --cflags --libs deprov_c) -o "$out"_c
  LD_LIBRARY_PATH="$prefix/$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$out"_c
  # The static one needs no program of ours at run time.
  # shellcheck disable=SC2046
  "${CC:-cc}" -std=c99 "$@" "$(dirname "$source")/capi.c" $(pkg-config --cflags --libs deprov_c_static) -o "$out"_c_static
  "$out"_c_static
fi
