#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Installs the build into an empty tree, moves it, and builds and runs programs
# that know nothing but that tree.
#
#   run.sh install BUILD TREE      install into TREE, as DESTDIR
#   run.sh make SRC TREE           plain make and pkg-config: shared, archive, static, C++
#   run.sh cmake SRC TREE          find_package(oriel)
#   run.sh layout TREE             what a package must contain, and must not
set -euo pipefail
what=$1

fail() {
  echo "consumers: $*"
  exit 1
}

# Where pkg-config files and the CMake package came to lie below the tree.
found() {
  local path
  path=$(find "$tree" -name "$1" -print -quit)
  [ -n "$path" ] || fail "$1 was not installed"
  dirname "$path"
}

runs() { # PROGRAM...
  local program output
  for program; do
    output=$(LD_LIBRARY_PATH=$library_path "$program") || fail "$program exits with $?"
    [[ $output == "oriel $version, off" ]] || fail "$program says: $output"
    echo "consumers: $(basename "$program"): $output"
  done
}

case $what in
install)
  build=$2 tree=$3
  rm -rf "$tree" "$tree.staged"
  DESTDIR=$tree.staged cmake --install "$build" --prefix /usr/local >"$build/install.log"
  mv "$tree.staged" "$tree" # so that nothing can depend on where it was built for
  exit
  ;;
layout)
  tree=$2
  prefix=$tree/usr/local
  for path in bin/oriel include/oriel/oriel.h include/oriel/abi/record.h lib*/liboriel-core.a \
    lib*/liboriel-core.so.0 lib*/liboriel.so.0 lib*/pkgconfig/oriel-core.pc lib*/pkgconfig/oriel.pc \
    lib*/cmake/oriel/oriel-config.cmake share/doc/oriel/LICENSE-MIT; do
    compgen -G "$prefix/$path" >/dev/null || fail "$path is not in the installed tree"
  done
  [ -z "$(find "$tree" -name '*_test*' -o -name 'liboriel_all*' -o -name '*.def')" ] ||
    fail "the installed tree contains what is ours alone"
  # The build folder's name must not be in what is shipped, debug information apart.
  if grep -rlF --include='*.pc' --include='*.cmake' --include='*.h' "$PWD" "$tree"; then
    fail "these files name the folder of the build"
  fi
  readelf -d "$prefix"/lib*/liboriel-core.so.0 | grep -q 'NEEDED.*libc.so.6' || fail "no libc?"
  extra=$(readelf -d "$prefix"/lib*/liboriel-core.so.0 | awk '/NEEDED/ { print $NF }' |
    grep -vE 'libc\.so\.6|ld-linux' || true)
  [ -z "$extra" ] || fail "liboriel-core needs more than libc: $extra"
  exit
  ;;
esac

src=$2 tree=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/oriel-consumer.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset ORIEL_RING ORIEL_ENABLED MAKEFLAGS MFLAGS MAKELEVEL
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(found oriel-core.pc)
library_path=$(dirname "$PKG_CONFIG_PATH")
version=$(pkg-config --modversion oriel-core)

case $what in
make)
  make -s -C "$work" -f "$src/make/Makefile" SRC="$src"
  runs "$work"/app-shared "$work"/app-archive "$work"/app-static "$work"/app-cxx
  ;;
cmake)
  cmake -S "$src/cmake" -B "$work" -DSRC="$src" -Doriel_DIR="$(found oriel-config.cmake)" \
    >"$work/log" || { cat "$work/log"; exit 1; }
  cmake --build "$work" >"$work/log" || { cat "$work/log"; exit 1; }
  runs "$work"/app-static "$work"/app-shared "$work"/app-cxx
  ;;
*) fail "unknown: $what" ;;
esac
