# SPDX-License-Identifier: MIT OR Apache-2.0
include(${CMAKE_SOURCE_DIR}/bench/bench.cmake OPTIONAL)
