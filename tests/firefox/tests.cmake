# SPDX-License-Identifier: MIT OR Apache-2.0
# What the Firefox Profiler says of a real recording, through its command line.
# Skipped, with the reason, where Node or the package is missing; tools/setup
# installs both.
find_program(NODE node)
if(NODE AND TARGET oriel-cli AND TARGET oriel-core AND NOT ORIEL_SANITIZE AND NOT ORIEL_COVERAGE)
  add_test(NAME firefox.recorded COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_SOURCE_DIR}/tests/firefox/recorded.py ${NODE} $<TARGET_FILE:oriel-cli>
    $<TARGET_FILE:sampled> ${CMAKE_BINARY_DIR}/firefox)
  set_tests_properties(firefox.recorded PROPERTIES LABELS firefox SKIP_RETURN_CODE 77 TIMEOUT 300)
endif()
