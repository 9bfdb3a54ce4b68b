# SPDX-License-Identifier: MIT OR Apache-2.0
# What callgrind_annotate says of a real recording. Skipped, with the reason,
# where valgrind is missing or perf events are refused.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
if(TARGET oriel-cli AND TARGET oriel-core AND NOT ORIEL_SANITIZE AND NOT ORIEL_COVERAGE)
  add_test(NAME callgrind.recorded COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_SOURCE_DIR}/tests/callgrind/recorded.py $<TARGET_FILE:oriel-cli> $<TARGET_FILE:sampled>
    ${CMAKE_BINARY_DIR}/callgrind)
  set_tests_properties(callgrind.recorded PROPERTIES LABELS callgrind SKIP_RETURN_CODE 77
    TIMEOUT 120)
endif()
