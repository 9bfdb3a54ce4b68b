# SPDX-License-Identifier: MIT OR Apache-2.0
# Our propagators beside OpenTelemetry's own for JavaScript.
if(NOT TARGET oriel-core)
  return()
endif()
find_program(NODE node)
add_executable(propagation_peer ${CMAKE_SOURCE_DIR}/tests/otlp/propagation.c)
set_target_properties(propagation_peer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/otlp)
target_link_libraries(propagation_peer PRIVATE oriel-core)
if(NODE)
  add_test(NAME otlp.propagation COMMAND ${NODE} ${CMAKE_SOURCE_DIR}/tests/otlp/propagation.mjs
    $<TARGET_FILE:propagation_peer>)
else()
  add_test(NAME otlp.propagation COMMAND sh -c
    "echo 'node is not installed: nobody to compare our propagators with'; exit 77")
endif()
set_tests_properties(otlp.propagation PROPERTIES LABELS conformance SKIP_RETURN_CODE 77 TIMEOUT 900)
