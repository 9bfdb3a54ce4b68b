# SPDX-License-Identifier: MIT OR Apache-2.0
# Servers and libraries of others, built or installed from their registries, speak
# with ours on loopback. Label interop: every commit; interop-full: by hand.
if(NOT TARGET oriel-cli OR NOT TARGET oriel-core OR NOT TARGET conformance OR ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ)
  return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set(dir ${CMAKE_SOURCE_DIR}/tests/interop)
function(add_lane name label)
  add_test(NAME interop.${name} COMMAND ${CMAKE_COMMAND} -E env BUILD=${CMAKE_BINARY_DIR}
    PYTHONPATH=${CMAKE_SOURCE_DIR}/tests/conformance ${Python3_EXECUTABLE} ${ARGN})
  set_tests_properties(interop.${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77
    TIMEOUT 1800)
endfunction()
add_test(NAME otlp_items COMMAND ${Python3_EXECUTABLE} ${dir}/otlp_items_test.py)
add_lane(collector interop ${dir}/collector.py)
add_lane(collected interop ${dir}/collected.py)
add_lane(victoriatraces interop ${dir}/stores.py victoriatraces)
add_lane(jaeger interop-full ${dir}/stores.py jaeger)
add_lane(tempo interop-full ${dir}/stores.py tempo)
add_executable(propagate ${dir}/propagate.c)
set_target_properties(propagate PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/interop)
target_link_libraries(propagate PRIVATE oriel-core)
add_lane(propagation interop ${dir}/propagation.py $<TARGET_FILE:propagate>)
