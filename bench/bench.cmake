# SPDX-License-Identifier: MIT OR Apache-2.0
# Programs that tools/bench runs. Peers are built when Debian's packages are
# there; without one its rows are left out and the run says so.
set(dir ${CMAKE_SOURCE_DIR}/bench)
function(oriel_bench name)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endfunction()

# Where the linker puts a loop of two instructions is no part of what it costs.
add_executable(record_bench ${dir}/record_bench.c)
target_compile_options(record_bench PRIVATE -falign-functions=64 -falign-loops=64)
target_link_libraries(record_bench PRIVATE oriel_all)
oriel_bench(record_bench)

add_executable(drain_bench ${dir}/drain_bench.c)
target_link_libraries(drain_bench PRIVATE oriel_all)
oriel_bench(drain_bench)

add_executable(unwind_bench ${dir}/unwind_bench.c)
target_link_libraries(unwind_bench PRIVATE oriel_all)
oriel_bench(unwind_bench)

add_executable(scrub_bench ${dir}/scrub.c)
target_link_libraries(scrub_bench PRIVATE oriel_all)
oriel_bench(scrub_bench)

add_executable(flood ${dir}/flood.c)
target_link_libraries(flood PRIVATE oriel-core)
oriel_bench(flood)

add_executable(requests ${dir}/requests.c)
target_link_libraries(requests PRIVATE oriel-core)
oriel_bench(requests)

add_executable(attributed ${dir}/attributed.c)
target_link_libraries(attributed PRIVATE oriel-core)
oriel_bench(attributed)

# Calls as they are, as uftrace sees them (its libmcount stands in for the C
# library's mcount; linked without -pg, so that no gmon.out appears), and spans.
foreach(kind plain uftrace oriel)
  add_executable(calls_${kind} ${dir}/peer_calls.c)
  target_link_libraries(calls_${kind} PRIVATE Threads::Threads)
  oriel_bench(calls_${kind})
endforeach()
target_compile_options(calls_uftrace PRIVATE -pg)
target_compile_definitions(calls_oriel PRIVATE CALLS_ORIEL)
target_link_libraries(calls_oriel PRIVATE oriel-core)

add_executable(pairs ${dir}/pairs.c)
target_link_libraries(pairs PRIVATE Threads::Threads)
oriel_bench(pairs)

find_path(LTTNG_INCLUDE lttng/tracepoint.h)
find_path(SPDLOG_INCLUDE spdlog/spdlog.h)
if(LTTNG_INCLUDE)
  add_executable(peer_lttng ${dir}/peer_lttng.c)
  target_include_directories(peer_lttng PRIVATE ${dir})
  target_compile_options(peer_lttng PRIVATE -w)
  target_link_libraries(peer_lttng PRIVATE lttng-ust dl Threads::Threads)
  oriel_bench(peer_lttng)
endif()
if(SPDLOG_INCLUDE)
  add_executable(peer_spdlog ${dir}/peer_spdlog.cpp)
  target_compile_options(peer_spdlog PRIVATE -w)
  target_link_libraries(peer_spdlog PRIVATE spdlog fmt Threads::Threads)
  oriel_bench(peer_spdlog)
endif()

add_executable(symbol_bench ${dir}/symbol_bench.c)
target_link_libraries(symbol_bench PRIVATE oriel_all)
oriel_bench(symbol_bench)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  add_executable(usdt_bench ${dir}/usdt_bench.c)
  target_link_libraries(usdt_bench PRIVATE oriel_all)
  oriel_bench(usdt_bench)
endif()

# To a receiver of the tests, in a process of its own.
add_executable(deliver_bench ${dir}/deliver_bench.c ${CMAKE_SOURCE_DIR}/tests/support/receiver.c)
target_include_directories(deliver_bench PRIVATE ${CMAKE_SOURCE_DIR}/tests/support)
target_link_libraries(deliver_bench PRIVATE oriel_all)
oriel_bench(deliver_bench)
