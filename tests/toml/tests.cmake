# SPDX-License-Identifier: MIT OR Apache-2.0
# The TOML reader and writer beside others: the suite toml-test, which is a Go
# module (label interop), and Debian's tomlplusplus with documents made here.
if(NOT TARGET room_util)
  return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set(dir ${CMAKE_SOURCE_DIR}/tests/toml)
add_executable(toml_peer ${dir}/peer.c ${dir}/tagged.c)
set_target_properties(toml_peer PROPERTIES OUTPUT_NAME peer
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/toml)
target_link_libraries(toml_peer PRIVATE oriel_all)
if(ORIEL_COVERAGE OR ORIEL_FUZZ)
  return()
endif()
add_test(NAME toml.suite COMMAND ${Python3_EXECUTABLE} ${dir}/suite.py $<TARGET_FILE:toml_peer>
  ${CMAKE_BINARY_DIR}/toml)
set_tests_properties(toml.suite PROPERTIES LABELS interop SKIP_RETURN_CODE 77 TIMEOUT 900)
find_path(ORIEL_TOMLPLUSPLUS toml++/toml.h)
if(ORIEL_TOMLPLUSPLUS)
  add_executable(toml_differ ${dir}/differ.cpp ${dir}/tagged.c)
  set_target_properties(toml_differ PROPERTIES OUTPUT_NAME differ
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/toml)
  target_include_directories(toml_differ SYSTEM PRIVATE ${ORIEL_TOMLPLUSPLUS})
  target_link_libraries(toml_differ PRIVATE oriel_all)
  file(GLOB toml_seeds CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/util.toml/*)
  add_test(NAME toml.differ COMMAND toml_differ 50000 ${toml_seeds})
  set_tests_properties(toml.differ PROPERTIES LABELS toml TIMEOUT 900)
endif()
