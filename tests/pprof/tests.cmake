# SPDX-License-Identifier: MIT OR Apache-2.0
# What go tool pprof says of a real recording. Skipped, with the reason, where
# Go is missing or perf events are refused.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
if(TARGET oriel-cli AND TARGET oriel-core AND NOT ORIEL_SANITIZE AND NOT ORIEL_COVERAGE)
  add_test(NAME pprof.recorded COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_SOURCE_DIR}/tests/pprof/recorded.py $<TARGET_FILE:oriel-cli> $<TARGET_FILE:sampled>
    ${CMAKE_BINARY_DIR}/pprof)
  set_tests_properties(pprof.recorded PROPERTIES LABELS pprof SKIP_RETURN_CODE 77 TIMEOUT 900)
endif()
