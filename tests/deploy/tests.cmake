# SPDX-License-Identifier: MIT OR Apache-2.0
# The files of deploy/, read by a YAML parser and held against what oriel says.
if(NOT TARGET oriel-cli OR ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ)
  return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
foreach(name check selftest)
  add_test(NAME deploy.${name} COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_SOURCE_DIR}/tests/deploy/${name}.py $<TARGET_FILE:oriel-cli>)
  set_tests_properties(deploy.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
endforeach()
