# SPDX-License-Identifier: MIT OR Apache-2.0
# Abuse: programs that are killed, starved and interrupted, and checkers that add
# up what is left. The full figures of docs/RELIABILITY.md are made by the same
# scripts with larger counts.
set(dir ${CMAKE_SOURCE_DIR}/tests/harness)
set(programs writer flood crash forks signals churn purity)
foreach(name ${programs})
  add_executable(harness_${name} ${dir}/${name}.c)
  target_link_libraries(harness_${name} PRIVATE oriel-core)
endforeach()
foreach(name check tally)
  add_executable(harness_${name} ${dir}/${name}.c)
  target_link_libraries(harness_${name} PRIVATE oriel_all)
endforeach()
foreach(name ${programs} check tally)
  set_target_properties(harness_${name} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/harness)
endforeach()
add_executable(harness_exits_static ${dir}/exits.cpp)
target_link_libraries(harness_exits_static PRIVATE oriel-core)
add_executable(harness_exits_shared ${dir}/exits.cpp)
target_link_libraries(harness_exits_shared PRIVATE oriel-core-shared Threads::Threads)
add_library(harness_exits_plugin MODULE ${dir}/exits.cpp)
target_compile_definitions(harness_exits_plugin PRIVATE EXITS_PLUGIN)
target_link_libraries(harness_exits_plugin PRIVATE oriel-core-shared Threads::Threads)
add_executable(harness_exits_host ${dir}/exits_host.c)
target_link_libraries(harness_exits_host PRIVATE Threads::Threads dl)
foreach(name exits_static exits_shared exits_plugin exits_host)
  set_target_properties(harness_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/harness
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/harness)
endforeach()
add_library(harness_purity_shim MODULE ${dir}/purity_shim.c)
set_target_properties(harness_purity_shim PROPERTIES PREFIX "" OUTPUT_NAME purity_shim
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/harness)
foreach(mode alone both)
  set(flags "")
  if(mode STREQUAL both)
    set(flags --both)
  endif()
  add_test(NAME harness.kill_${mode}
    COMMAND python3 ${dir}/kill.py ${CMAKE_BINARY_DIR} --kills 100 ${flags})
  set_tests_properties(harness.kill_${mode} PROPERTIES LABELS harness TIMEOUT 300 RUN_SERIAL ON)
endforeach()
foreach(name disk_full crash exits stopped memory)
  add_test(NAME harness.${name} COMMAND python3 ${dir}/${name}.py ${CMAKE_BINARY_DIR})
  set_tests_properties(harness.${name} PROPERTIES LABELS harness TIMEOUT 300 RUN_SERIAL ON
    SKIP_RETURN_CODE 77)
endforeach()
foreach(name forks signals churn purity)
  add_test(NAME harness.${name} COMMAND python3 ${dir}/programs.py ${CMAKE_BINARY_DIR} ${name})
  set_tests_properties(harness.${name} PROPERTIES LABELS harness TIMEOUT 300 RUN_SERIAL ON
    SKIP_RETURN_CODE 77)
endforeach()
