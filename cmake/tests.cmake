# SPDX-License-Identifier: MIT OR Apache-2.0
# A unit test stands beside its source as foo_test.c; anything that runs the
# built tools stands in tests/. Both are found, never listed.
file(GLOB test_support CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.c)
get_property(product_targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS) # all before this
add_library(test_support STATIC ${test_support})
target_include_directories(test_support PUBLIC tests/support)
if(ORIEL_COVERAGE)
  target_compile_definitions(test_support PRIVATE TEST_COVERAGE)
endif()

file(GLOB_RECURSE unit_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*_test.c)
foreach(source ${unit_tests})
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/src ${source})
  string(REGEX REPLACE "_test\\.c$" "" name ${name})
  string(REPLACE "/" "." name ${name})
  add_executable(test.${name} ${source})
  set_target_properties(test.${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  target_link_libraries(test.${name} PRIVATE test_support oriel_all)
  target_compile_definitions(test.${name} PRIVATE TEST_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME unit.${name} COMMAND test.${name})
  # Those that start threads run under the thread sanitizer as well.
  file(STRINGS ${source} threaded REGEX "pthread_create|thrd_create" LIMIT_COUNT 1)
  set(labels unit)
  if(threaded)
    list(APPEND labels threaded)
  endif()
  set_tests_properties(unit.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 LABELS "${labels}")
endforeach()
# Loads liboriel by its name, as a program would.
if(TEST unit.rec.start)
  set_tests_properties(unit.rec.start PROPERTIES ENVIRONMENT "LD_LIBRARY_PATH=${CMAKE_BINARY_DIR}")
endif()

# Each folder of tests/ that needs more than that describes itself.
file(GLOB test_lists CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/tests.cmake)
foreach(list ${test_lists})
  include(${list})
endforeach()
