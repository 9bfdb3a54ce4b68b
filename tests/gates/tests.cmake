# SPDX-License-Identifier: MIT OR Apache-2.0
# The gates: small scripts that hold the tree to its own rules. Those that look
# at objects need an ordinary build, so instrumented builds have none of them.
if(ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ)
  return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set(gates ${CMAKE_SOURCE_DIR}/tests/gates)

function(add_gate name)
  add_test(NAME gate.${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(gate.${name} PROPERTIES LABELS gate SKIP_RETURN_CODE 77 TIMEOUT 900)
endfunction()
function(add_script_gate name)
  add_gate(${name} ${Python3_EXECUTABLE} tools/check_${name}.py ${ARGN})
endfunction()

foreach(name layers shape banned text)
  add_script_gate(${name})
endforeach()
foreach(name globals core exports clang)
  add_script_gate(${name} --build ${CMAKE_BINARY_DIR})
endforeach()
add_gate(abi bash ${gates}/abi.sh ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
add_gate(format bash tools/lint)
add_gate(generated bash ${gates}/generated.sh ${CMAKE_SOURCE_DIR})
add_gate(headers bash ${gates}/headers.sh ${CMAKE_SOURCE_DIR})
if(EXISTS ${CMAKE_SOURCE_DIR}/include/oriel/oriel.h)
  set(samples ${gates}/off_sample.c ${gates}/off_handles.c ${gates}/off_sample.cpp)
  add_gate(off_identity bash ${gates}/off_identity.sh ${CMAKE_SOURCE_DIR} ${samples})
  add_gate(inline bash ${gates}/inline.sh ${CMAKE_SOURCE_DIR} ${samples})
endif()

# Each gate can fail: proven on small broken trees.
foreach(class Layers Shape Banned Text Globals Core Exports Clang Scripts Count)
  string(TOLOWER ${class} name)
  add_gate(self.${name} ${Python3_EXECUTABLE} tests/gates/selftest.py ${class})
endforeach()

# The page of all options is what the tables say today.
if(TARGET oriel-cli)
  add_test(NAME gate.config COMMAND sh -c
    "$<TARGET_FILE:oriel-cli> generate config | diff - ${CMAKE_SOURCE_DIR}/docs/CONFIG.md")
  set_tests_properties(gate.config PROPERTIES LABELS gate)
endif()
