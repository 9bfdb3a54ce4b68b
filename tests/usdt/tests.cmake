# SPDX-License-Identifier: MIT OR Apache-2.0
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND NOT ORIEL_SANITIZE)
  set(dir ${CMAKE_SOURCE_DIR}/tests/usdt)
  add_executable(usdt_probed ${dir}/probed.c)
  target_link_libraries(usdt_probed PRIVATE oriel-core)
  foreach(tool notes gdb bpftrace perf)
    add_test(NAME usdt.${tool} COMMAND ${dir}/usdt.sh ${tool} $<TARGET_FILE:usdt_probed>)
    set_tests_properties(usdt.${tool} PROPERTIES LABELS usdt SKIP_RETURN_CODE 77 TIMEOUT 120
      RUN_SERIAL ON)
  endforeach()
endif()
