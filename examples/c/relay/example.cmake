# SPDX-License-Identifier: MIT OR Apache-2.0
foreach(program relay worker)
  add_executable(${program} ${CMAKE_SOURCE_DIR}/examples/c/relay/${program}.c)
  set_target_properties(${program} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
  target_link_libraries(${program} PRIVATE oriel-core)
endforeach()
