#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Configures and builds what tests/without looks at, where libnghttp2 is not to be found.
#
#   build.sh SOURCE BUILD CMAKE CC CXX
set -eu
source=$1 build=$2 cmake=$3
mkdir -p "$build"
cat >"$build/pkg-config" <<END
#!/bin/sh
case " \$* " in *nghttp2*) exit 1 ;; esac
exec pkg-config "\$@"
END
chmod +x "$build/pkg-config"
"$cmake" -S "$source" -B "$build" -G Ninja -DCMAKE_C_COMPILER="$4" -DCMAKE_CXX_COMPILER="$5" \
  -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O0 -DORIEL_WITHOUT="otlp;callgrind" \
  -DORIEL_BENCH=OFF -DORIEL_EXAMPLES=OFF -DPKG_CONFIG_EXECUTABLE="$build/pkg-config"
set -- oriel-cli liboriel.so liboriel-cpu.so test.cli.left_out test.session.outlet test.session.session
for name in $(ls "$source"/src/config/*_test.c); do
  set -- "$@" "test.config.$(basename "$name" _test.c)"
done
exec "$cmake" --build "$build" -j "$(nproc)" --target "$@"
