# SPDX-License-Identifier: MIT OR Apache-2.0
# The core library with musl, and in fully static programs.
if(ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ OR ORIEL_ONLY)
  return()
endif()
foreach(kind musl static static-pie)
  add_test(NAME libc.${kind} COMMAND bash ${CMAKE_SOURCE_DIR}/tests/libc/libc.sh
    ${kind} ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR} ${CMAKE_BINARY_DIR}/libc/${kind})
  set_tests_properties(libc.${kind} PROPERTIES LABELS libc SKIP_RETURN_CODE 77 TIMEOUT 900)
endforeach()
