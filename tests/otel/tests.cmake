# SPDX-License-Identifier: MIT OR Apache-2.0
# OpenTelemetry's table of compliance: the page is made of the table, and every test
# that a + names is there. Whether they passed: tools/check and tools/interop.
if(ORIEL_ONLY OR ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ)
  return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set(dir ${CMAKE_SOURCE_DIR}/tests/otel)
add_test(NAME gate.otel_matrix COMMAND ${Python3_EXECUTABLE} ${dir}/conformance.py docs
  ${CMAKE_BINARY_DIR})
add_test(NAME gate.self.otel_matrix COMMAND ${Python3_EXECUTABLE} ${dir}/conformance_test.py)
set_tests_properties(gate.otel_matrix gate.self.otel_matrix PROPERTIES LABELS gate TIMEOUT 900)
add_executable(flushing ${dir}/flushing.c)
set_target_properties(flushing PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/otel)
target_link_libraries(flushing PRIVATE oriel-core)
add_test(NAME otel.sending COMMAND ${CMAKE_COMMAND} -E env BUILD=${CMAKE_BINARY_DIR}
  ${Python3_EXECUTABLE} ${dir}/sending.py $<TARGET_FILE:flushing>)
set_tests_properties(otel.sending PROPERTIES TIMEOUT 900)
add_executable(annotating ${dir}/annotating.cpp)
set_target_properties(annotating PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/otel)
target_link_libraries(annotating PRIVATE oriel-core)
add_test(NAME otel.annotating COMMAND ${CMAKE_COMMAND} -E env ORIEL=$<TARGET_FILE:oriel-cli>
  ${Python3_EXECUTABLE} ${dir}/annotating.py $<TARGET_FILE:annotating>)
set_tests_properties(otel.annotating PROPERTIES TIMEOUT 900)
add_executable(exporting ${dir}/exporting.c)
set_target_properties(exporting PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/otel)
target_link_libraries(exporting PRIVATE oriel-core)
add_test(NAME otel.exporting COMMAND ${CMAKE_COMMAND} -E env BUILD=${CMAKE_BINARY_DIR}
  ${Python3_EXECUTABLE} ${dir}/exporting.py $<TARGET_FILE:exporting>)
set_tests_properties(otel.exporting PROPERTIES TIMEOUT 1200)
add_executable(creating ${dir}/creating.c)
set_target_properties(creating PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/otel)
target_link_libraries(creating PRIVATE oriel-core)
add_test(NAME otel.creating COMMAND ${CMAKE_COMMAND} -E env BUILD=${CMAKE_BINARY_DIR}
  ${Python3_EXECUTABLE} ${dir}/creating.py $<TARGET_FILE:creating>)
set_tests_properties(otel.creating PROPERTIES TIMEOUT 1200)
