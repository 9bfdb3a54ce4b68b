# SPDX-License-Identifier: MIT OR Apache-2.0
# Toolchain: Debian's cross compiler for aarch64. Programs are linked statically,
# so that qemu-user runs them without a root of their own. What Debian's cross
# packages lack (zstd and its like) lies in ORIEL_CROSS_ROOT, put there by `tools/setup cross`.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)

set(ORIEL_CROSS_ROOT "" CACHE PATH "Unpacked Debian packages for the target")
set(CMAKE_FIND_ROOT_PATH ${ORIEL_CROSS_ROOT})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ORIEL_CROSS_ROOT)
set(ENV{PKG_CONFIG_LIBDIR} ${ORIEL_CROSS_ROOT}/usr/lib/aarch64-linux-gnu/pkgconfig)
set(CMAKE_C_FLAGS_INIT "-isystem ${ORIEL_CROSS_ROOT}/usr/include")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -L${ORIEL_CROSS_ROOT}/usr/lib/aarch64-linux-gnu")
