#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Installs the build into an empty tree, moves it, and builds and runs programs
# that know nothing but that tree.
#
#   run.sh install BUILD TREE      install into TREE, as DESTDIR
#   run.sh make SRC TREE           plain make and pkg-config: shared, archive, static, C++
#   run.sh cmake SRC TREE          find_package(oriel)
#   run.sh one-file SRC TREE AMALGAMATE    the core as one C file: C and C++, gcc and clang
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

# Under a recording the program says "on" and exits with 2; what it said is there.
recorded() { # PROGRAM SPANS-AND-EVENTS
  local status=0 counts
  "$tree/usr/local/bin/oriel" record --no-report -o "$1.oriel" -- "$1" >"$1.out" 2>"$1.err" || status=$?
  [ $status = 2 ] || fail "$1 under oriel record exits with $status: $(cat "$1.err")"
  counts=$("$tree/usr/local/bin/oriel" report --json "$1.oriel" | python3 -c '
import json, sys
r = json.load(sys.stdin)
print(sorted((s["name"], s["count"]) for s in r["spans"]), r["counts"]["events"])')
  [ "$counts" = "$2" ] || fail "$1 recorded $counts"
  echo "consumers: $(basename "$1"): recorded $counts"
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
    lib*/cmake/oriel/oriel-config.cmake share/doc/oriel/LICENSE-MIT share/oriel/oriel-core.c \
    share/oriel/oriel.h; do
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
  runs "$work"/app-shared "$work"/app-export "$work"/app-archive "$work"/app-static "$work"/app-cxx
  ;;
cmake)
  cmake -S "$src/cmake" -B "$work" -DSRC="$src" -Doriel_DIR="$(found oriel-config.cmake)" \
    >"$work/log" || { cat "$work/log"; exit 1; }
  cmake --build "$work" >"$work/log" || { cat "$work/log"; exit 1; }
  runs "$work"/app-static "$work"/app-shared "$work"/app-cxx
  ;;
one-file)
  cd "$work"
  cp "$tree"/usr/local/share/oriel/oriel{.h,-core.c} .
  "$4" again
  cmp oriel.h again/oriel.h && cmp oriel-core.c again/oriel-core.c || fail "made twice, two texts"
  # Our macros stand in the program's own lines: no warning may come from them.
  strict="-O2 -Wall -Wextra -Wshadow -Wpointer-arith -Werror"
  sed 's|<oriel/oriel.h>|"oriel.h"|' "$src/app.c" >app.c
  sed 's|<oriel/oriel.h>|"oriel.h"|' "$src/app.cpp" >app.cpp
  for pair in "gcc g++" "clang clang++"; do
    read -r cc cxx <<<"$pair"
    if ! command -v "$cc" >/dev/null || ! command -v "$cxx" >/dev/null; then
      echo "consumers: $cc is not installed: left out"
      continue
    fi
    for level in "" -DORIEL_CHECKED "-O0 -std=gnu17"; do
      # shellcheck disable=SC2086
      "$cc" -std=c11 $strict $level -Wstrict-prototypes -Wmissing-prototypes -c oriel-core.c
    done
    # shellcheck disable=SC2086
    { "$cc" -std=c11 $strict -c oriel-core.c
      "$cc" -std=c11 $strict app.c oriel-core.o -o "app-$cc" -pthread -ldl
      "$cxx" -std=c++17 $strict app.cpp oriel-core.o -o "app-$cxx" -pthread -ldl; }
    others=$(nm --defined-only -g oriel-core.o | awk '$3 !~ /^(oriel_|otel_thread_ctx_v1$)/ { print $3 }')
    [ -z "$others" ] || fail "the one file has names that a program may have too: $others"
    runs "./app-$cc" "./app-$cxx"
    recorded "./app-$cc" "[('step', 10), ('work', 1)] 1"
    recorded "./app-$cxx" "[('work', 4)] 4"
  done
  ;;
*) fail "unknown: $what" ;;
esac
