# SPDX-License-Identifier: MIT OR Apache-2.0
# A unit test stands beside its source as foo_test.c; anything that runs the
# built tools stands in tests/. Both are found, never listed.
file(GLOB test_support CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.c)
leave_out(test_support)
get_property(product_targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS) # all before this
add_library(test_support STATIC ${test_support})
target_include_directories(test_support PUBLIC tests/support)
if(ORIEL_COVERAGE)
  target_compile_definitions(test_support PRIVATE TEST_COVERAGE)
endif()

file(GLOB_RECURSE unit_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*_test.c)
leave_out(unit_tests)
set(unit_targets)
foreach(source ${unit_tests})
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/src ${source})
  string(REGEX REPLACE "/.*" "" room ${name})
  if(NOT room IN_LIST ORIEL_ROOMS OR (CMAKE_CROSSCOMPILING AND room STREQUAL unwind))
    continue() # those of unwind are run by tests/unwind/aarch64.sh, for stacks as it builds them
  endif()
  string(REGEX REPLACE "_test\\.c$" "" name ${name})
  string(REPLACE "/" "." name ${name})
  add_executable(test.${name} ${source})
  set_target_properties(test.${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  target_link_libraries(test.${name} PRIVATE test_support oriel_all)
  target_compile_definitions(test.${name} PRIVATE TEST_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME unit.${name} COMMAND test.${name})
  list(APPEND unit_targets test.${name})
  # Those that start threads run under the thread sanitizer as well.
  file(STRINGS ${source} threaded REGEX "pthread_create|thrd_create" LIMIT_COUNT 1)
  set(labels unit)
  if(CMAKE_CROSSCOMPILING)
    list(APPEND labels ${CMAKE_SYSTEM_PROCESSOR})
  endif()
  if(threaded)
    list(APPEND labels threaded)
  endif()
  set_tests_properties(unit.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS "${labels}")
  if(CMAKE_CROSSCOMPILING)
    set_tests_properties(unit.${name} PROPERTIES
      ENVIRONMENT "TEST_EMULATOR=${CMAKE_CROSSCOMPILING_EMULATOR};TEST_SLOWDOWN=50")
  endif()
endforeach()
# Loads liboriel by its name, as a program would.
if(TEST unit.rec.start)
  set_tests_properties(unit.rec.start PROPERTIES ENVIRONMENT "LD_LIBRARY_PATH=${CMAKE_BINARY_DIR}")
endif()

# Memory errors and leaks that the sanitizers' builds cannot see, because this
# one is optimised and has no red zones of theirs. Left out, with the reason:
set(memcheck_not
  util.confine # a system call of valgrind's own is one too many
  util.interrupted # handlers return to code of valgrind's, not to where the program said
  rec.crash # writes to NULL and runs off its stack on purpose: each is an error to valgrind
  vault.run # a helper's warden shares our memory, of which valgrind makes a copy: it never hears that time is up
  source.ring.stress) # threads at full rate, which valgrind runs one at a time: minutes
# The registers are exact at each access, because a handler of ours lets one that failed go on.
find_program(VALGRIND valgrind)
set(memcheck_rooms base wire rec secret util vault deliver model source pipe export config)
if(VALGRIND AND NOT (CMAKE_CROSSCOMPILING OR ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ))
  foreach(target ${unit_targets})
    string(REGEX REPLACE "^test\\." "" name ${target})
    string(REGEX REPLACE "\\..*" "" room ${name})
    if(NOT room IN_LIST memcheck_rooms OR name IN_LIST memcheck_not)
      continue()
    endif()
    add_test(NAME memcheck.${name} COMMAND ${VALGRIND} -q --fair-sched=try --error-exitcode=99 --leak-check=full
      --vex-iropt-register-updates=allregs-at-mem-access
      --errors-for-leak-kinds=definite,indirect --show-leak-kinds=definite,indirect
      $<TARGET_FILE:${target}>)
    set_tests_properties(memcheck.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS memcheck
      ENVIRONMENT TEST_SLOWDOWN=500)
  endforeach()
endif()
add_custom_target(unit-tests DEPENDS ${unit_targets})

# Each folder of tests/ that needs more than that describes itself. What runs
# the built tools runs on the machine they were built on, and expects all of them:
# what a build with less does is tests/without's to show, from the whole one.
if(CMAKE_CROSSCOMPILING OR ORIEL_WITHOUT)
  return()
endif()
file(GLOB test_lists CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/tests.cmake)
foreach(list ${test_lists})
  include(${list})
endforeach()
