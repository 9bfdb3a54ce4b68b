# SPDX-License-Identifier: MIT OR Apache-2.0
# What speedscope's schema says of our files. Skipped, with the reason, where
# Node or the packages are missing; tools/setup installs both.
find_program(NODE node)
if(NODE AND TARGET oriel-cli AND TARGET oriel-core AND NOT ORIEL_SANITIZE AND NOT ORIEL_COVERAGE)
  add_test(NAME speedscope.recorded COMMAND bash ${CMAKE_SOURCE_DIR}/tests/speedscope/recorded.sh
    ${NODE} $<TARGET_FILE:oriel-cli> $<TARGET_FILE:sampled> ${CMAKE_BINARY_DIR}/speedscope)
  set_tests_properties(speedscope.recorded PROPERTIES LABELS speedscope SKIP_RETURN_CODE 77
    TIMEOUT 900)
endif()
