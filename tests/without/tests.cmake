# SPDX-License-Identifier: MIT OR Apache-2.0
# A build that leaves components out (tools/components.txt): made beside this one, of what a program
# and a person use, and looked at from outside.
if(NOT TARGET emitter OR ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ OR ORIEL_ONLY)
  return()
endif()
set(without_dir ${CMAKE_BINARY_DIR}/without)
add_test(NAME without.build COMMAND sh ${CMAKE_SOURCE_DIR}/tests/without/build.sh
  ${CMAKE_SOURCE_DIR} ${without_dir} ${CMAKE_COMMAND} ${CMAKE_C_COMPILER} ${CMAKE_CXX_COMPILER})
set_tests_properties(without.build PROPERTIES FIXTURES_SETUP without PROCESSORS 2 COST 100)
add_test(NAME without.units COMMAND ${CMAKE_CTEST_COMMAND} --test-dir ${without_dir}
  -R "^unit\\.(cli\\.left_out|config\\.|session\\.(outlet|session)$)" --no-tests=error
  --output-on-failure)
add_test(NAME without.scenario COMMAND ${Python3_EXECUTABLE}
  ${CMAKE_SOURCE_DIR}/tests/without/without_test.py)
set_tests_properties(without.units without.scenario PROPERTIES FIXTURES_REQUIRED without)
set_tests_properties(without.build without.units without.scenario PROPERTIES LABELS without
  TIMEOUT 900 ENVIRONMENT "ORIEL=${without_dir}/oriel;EMITTER=$<TARGET_FILE:emitter>;CMAKE=${CMAKE_COMMAND};SOURCE=${CMAKE_SOURCE_DIR};PYTHONPATH=${CMAKE_SOURCE_DIR}/tests/scenario")
