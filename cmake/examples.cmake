# SPDX-License-Identifier: MIT OR Apache-2.0
# They find liboriel in the build tree when telemetry is switched on by the environment.
set(CMAKE_BUILD_RPATH ${CMAKE_BINARY_DIR})
file(GLOB example_lists CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/*/*/example.cmake)
foreach(list ${example_lists})
  include(${list})
endforeach()
unset(CMAKE_BUILD_RPATH)
