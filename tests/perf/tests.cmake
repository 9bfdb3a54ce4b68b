# SPDX-License-Identifier: MIT OR Apache-2.0
# What perf says of a real recording. Skipped, with the reason, where perf is
# missing or perf events are refused.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
if(TARGET oriel-cli AND TARGET oriel-core AND NOT ORIEL_SANITIZE AND NOT ORIEL_COVERAGE)
  add_test(NAME perf.recorded COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_SOURCE_DIR}/tests/perf/recorded.py $<TARGET_FILE:oriel-cli> $<TARGET_FILE:sampled>
    ${CMAKE_BINARY_DIR}/perf)
  set_tests_properties(perf.recorded PROPERTIES LABELS perf SKIP_RETURN_CODE 77 TIMEOUT 900)
endif()
