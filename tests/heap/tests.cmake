# SPDX-License-Identifier: MIT OR Apache-2.0
# The memory hook in real programs, compared with what they say they allocate.
if(NOT TARGET oriel-cli OR NOT TARGET oriel-alloc OR NOT TARGET oriel-core)
  return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
foreach(name spans truth)
  add_executable(heap_${name} tests/heap/${name}.c)
  set_target_properties(heap_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/heap)
  # What it says it allocates must be what it does.
  target_compile_options(heap_${name} PRIVATE -fno-builtin)
endforeach()
target_link_libraries(heap_spans PRIVATE oriel-core)
target_link_libraries(heap_truth PRIVATE Threads::Threads)
add_test(NAME heap.programs COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/heap/heap_test.py)
set_tests_properties(heap.programs PROPERTIES LABELS scenario TIMEOUT 600 SKIP_RETURN_CODE 77
  ENVIRONMENT "ORIEL=$<TARGET_FILE:oriel-cli>;EMITTER=;HEAP_SPANS=$<TARGET_FILE:heap_spans>;HEAP_TRUTH=$<TARGET_FILE:heap_truth>;HEAP_MODES=sampled,exact")
