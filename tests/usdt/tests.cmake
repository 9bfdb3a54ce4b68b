# SPDX-License-Identifier: MIT OR Apache-2.0
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND NOT ORIEL_SANITIZE)
  set(dir ${CMAKE_SOURCE_DIR}/tests/usdt)
  add_executable(usdt_probed ${dir}/probed.c)
  target_link_libraries(usdt_probed PRIVATE oriel-core)
  add_executable(usdt_probed_cxx ${dir}/probed.cpp)
  target_link_libraries(usdt_probed_cxx PRIVATE oriel-core)
  foreach(tool notes gdb bpftrace perf)
    add_test(NAME usdt.${tool} COMMAND ${dir}/usdt.sh ${tool} $<TARGET_FILE:usdt_probed>)
    add_test(NAME usdt.${tool}_cxx COMMAND ${dir}/usdt.sh ${tool} $<TARGET_FILE:usdt_probed_cxx>)
    set_tests_properties(usdt.${tool} usdt.${tool}_cxx PROPERTIES LABELS usdt SKIP_RETURN_CODE 77
      TIMEOUT 900 RUN_SERIAL ON)
  endforeach()
  add_test(NAME usdt.compile_cxx COMMAND ${dir}/compile.sh ${dir}/probed.cpp
    ${CMAKE_SOURCE_DIR}/include $<TARGET_FILE:oriel-core>)
  set_tests_properties(usdt.compile_cxx PROPERTIES LABELS usdt TIMEOUT 900)
endif()
