# SPDX-License-Identifier: MIT OR Apache-2.0
# Oriel beside other profilers on real programs. The whole comparison, with its
# results, is in docs/PROFILING.md; here one program, and an interval so wide that
# only a real difference fails.
if(ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ OR NOT TARGET oriel-cli)
  return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
add_test(NAME peers.agree_sqlite3 COMMAND ${Python3_EXECUTABLE}
  ${CMAKE_SOURCE_DIR}/tests/peers/agree.py $<TARGET_FILE:oriel-cli> --workloads sqlite3
  --rounds 2 --z 6)
set_tests_properties(peers.agree_sqlite3 PROPERTIES LABELS peers TIMEOUT 300 SKIP_RETURN_CODE 77)
