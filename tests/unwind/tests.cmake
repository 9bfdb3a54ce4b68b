# SPDX-License-Identifier: MIT OR Apache-2.0
# Unwinding against the world: libgcc beside us in C++ code, readelf's reading of
# whole libraries of both machines, and sampled programs without frame pointers.
if(ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ OR NOT TARGET room_unwind)
  return()
endif()
set(dir ${CMAKE_SOURCE_DIR}/tests/unwind)
foreach(name rows sampled)
  add_executable(unwind_${name} ${dir}/${name}.c)
  target_link_libraries(unwind_${name} PRIVATE oriel_all)
endforeach()
add_executable(unwind_walks ${dir}/walks.cpp)
target_link_libraries(unwind_walks PRIVATE test_support oriel_all)
target_link_options(unwind_walks PRIVATE -Wl,-z,lazy) # so that calls are bound on the way
add_test(NAME unwind.walks COMMAND unwind_walks)

find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set(rows ${Python3_EXECUTABLE} ${dir}/rows.py $<TARGET_FILE:unwind_rows>)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(lib /usr/lib/x86_64-linux-gnu)
  add_test(NAME unwind.rows.libc COMMAND ${rows} readelf 1 ${lib}/libc.so.6 ${lib}/libm.so.6
    ${lib}/libstdc++.so.6 ${lib}/libcrypto.so.3 /lib64/ld-linux-x86-64.so.2)
  add_test(NAME unwind.rows.llvm COMMAND ${rows} readelf 10 ${lib}/libLLVM-14.so.1)
endif()
set(lib /usr/aarch64-linux-gnu/lib)
add_test(NAME unwind.rows.aarch64 COMMAND ${rows} aarch64-linux-gnu-readelf 1 ${lib}/libc.so.6
  ${lib}/libm.so.6 ${lib}/libstdc++.so.6 ${lib}/libgcc_s.so.1 ${lib}/ld-linux-aarch64.so.1)
foreach(program sqlite3 clang-14)
  add_test(NAME unwind.sampled.${program}
    COMMAND bash ${dir}/sampled.sh $<TARGET_FILE:unwind_sampled> ${program})
endforeach()
# The unit tests of the walk itself, as an aarch64 program under qemu.
add_test(NAME unwind.aarch64 COMMAND bash ${dir}/aarch64.sh ${CMAKE_SOURCE_DIR})
set_tests_properties(unwind.walks unwind.aarch64 unwind.rows.aarch64 unwind.sampled.sqlite3
  unwind.sampled.clang-14 PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS unwind)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set_tests_properties(unwind.rows.libc unwind.rows.llvm PROPERTIES SKIP_RETURN_CODE 77
    TIMEOUT 900 LABELS unwind)
endif()
