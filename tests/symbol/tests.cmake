# SPDX-License-Identifier: MIT OR Apache-2.0
# Addresses of programs built in many ways, answered by us and by
# llvm-symbolizer: equal line for line.
if(ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ OR NOT TARGET room_symbol)
  return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set(dir ${CMAKE_SOURCE_DIR}/tests/symbol)
add_executable(symbol_resolve ${dir}/resolve.c)
set_target_properties(symbol_resolve PROPERTIES OUTPUT_NAME resolve
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/symbol)
target_link_libraries(symbol_resolve PRIVATE oriel_all)
add_test(NAME symbol.oracle COMMAND ${Python3_EXECUTABLE} ${dir}/oracle.py
  $<TARGET_FILE:symbol_resolve> ${dir} ${CMAKE_BINARY_DIR}/symbol/programs
  $<TARGET_FILE:symbol_resolve> 1000)
set_tests_properties(symbol.oracle PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS symbol)
if(TARGET oriel-cli)
  add_test(NAME symbol.debuginfod COMMAND ${Python3_EXECUTABLE} ${dir}/debuginfod.py
    $<TARGET_FILE:oriel-cli>)
  set_tests_properties(symbol.debuginfod PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS symbol)
endif()
