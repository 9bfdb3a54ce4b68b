# SPDX-License-Identifier: MIT OR Apache-2.0
file(GLOB example_lists CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/*/*/example.cmake)
foreach(list ${example_lists})
  include(${list})
endforeach()
