# SPDX-License-Identifier: MIT OR Apache-2.0
# Scenarios: the built command on real programs, and what a person would see.
if(NOT TARGET oriel-cli OR NOT TARGET oriel-core)
  return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
add_executable(emitter tests/scenario/emitter.c)
target_link_libraries(emitter PRIVATE oriel-core)
set_target_properties(emitter PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

# At a steady pace, or none at all; bench/overhead.py measures it, too.
add_executable(paced bench/paced.c)
target_link_libraries(paced PRIVATE oriel-core)
set_target_properties(paced PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

# Into the background by itself.
add_executable(daemon_ways tests/scenario/daemon.c)
target_compile_definitions(daemon_ways PRIVATE _DEFAULT_SOURCE)
target_link_libraries(daemon_ways PRIVATE oriel-core)
set_target_properties(daemon_ways PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)
# The same with an allocator of its own, and with one of a library.
add_executable(daemon_malloc tests/scenario/daemon.c tests/scenario/locked_malloc.c)
add_library(locked_malloc SHARED tests/scenario/locked_malloc.c)
add_executable(daemon_library tests/scenario/daemon.c)
foreach(program daemon_malloc daemon_library)
  target_compile_definitions(${program} PRIVATE _DEFAULT_SOURCE)
  target_compile_options(${program} PRIVATE -fno-builtin)
  target_link_libraries(${program} PRIVATE oriel-core)
endforeach()
target_compile_definitions(locked_malloc PRIVATE _DEFAULT_SOURCE)
target_compile_options(locked_malloc PRIVATE -fno-builtin)
target_link_libraries(daemon_library PRIVATE locked_malloc)
set_target_properties(daemon_malloc daemon_library locked_malloc PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

# A stranger: no frame pointers, no Oriel.
add_executable(sampled tests/scenario/sampled.c)
target_compile_options(sampled PRIVATE -O2 -g -fomit-frame-pointer)
target_link_libraries(sampled PRIVATE Threads::Threads)
set_target_properties(sampled PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

# Two builds of one program, one function slower in the second.
foreach(build before after)
  add_executable(changed_${build} tests/scenario/changed.c)
  target_compile_options(changed_${build} PRIVATE -O2 -g)
  target_compile_definitions(changed_${build} PRIVATE
    PARSE_MS=$<IF:$<STREQUAL:${build},before>,120,220>)
  set_target_properties(changed_${build} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)
endforeach()
add_executable(waiting tests/scenario/waiting.c)
target_compile_options(waiting PRIVATE -O2 -g -fomit-frame-pointer)
target_compile_definitions(waiting PRIVATE _GNU_SOURCE)
target_link_libraries(waiting PRIVATE Threads::Threads)
set_target_properties(waiting PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

add_executable(calling tests/scenario/calling.c)
target_compile_definitions(calling PRIVATE _GNU_SOURCE)
target_link_libraries(calling PRIVATE Threads::Threads)
set_target_properties(calling PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

# Functions to be watched from outside, with spans of its own; and exceptions.
add_executable(probed tests/scenario/probed.c)
target_compile_options(probed PRIVATE -O1 -g -fno-optimize-sibling-calls -fno-inline
  -Wno-missing-prototypes)
target_link_libraries(probed PRIVATE oriel-core Threads::Threads)
add_executable(thrown tests/scenario/thrown.cc)
target_compile_options(thrown PRIVATE -O1 -g -fno-optimize-sibling-calls)
set_target_properties(probed thrown PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

add_executable(joined tests/scenario/joined.c)
target_compile_options(joined PRIVATE -O1 -g -fpatchable-function-entry=8)
target_link_libraries(joined PRIVATE oriel-core Threads::Threads)
set_target_properties(joined PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

# One that knows how often a function of it was hit.
add_executable(hits tests/scenario/hits.c)
target_compile_options(hits PRIVATE -O1 -g -fpatchable-function-entry=8 -Wno-missing-prototypes)
target_link_libraries(hits PRIVATE Threads::Threads)
set_target_properties(hits PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

# One that says secrets wherever a text can stand.
add_executable(leaky tests/scenario/leaky.c)
target_link_libraries(leaky PRIVATE oriel-core Threads::Threads)
set_target_properties(leaky PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

# One that says what its headers say.
add_executable(published tests/scenario/published.c)
target_link_libraries(published PRIVATE oriel-core)
set_target_properties(published PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)
add_executable(deciding tests/scenario/deciding.c)
target_link_libraries(deciding PRIVATE oriel-core Threads::Threads)
set_target_properties(deciding PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

# One that would notice a sampler inside of it.
add_executable(picky tests/scenario/picky.c)
target_link_libraries(picky PRIVATE Threads::Threads)
set_target_properties(picky PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

# Calls told by what the compiler adds.
add_executable(instrumented tests/scenario/instrumented.cc)
target_compile_options(instrumented PRIVATE -O1 -g -fno-inline -finstrument-functions)
target_link_libraries(instrumented PRIVATE oriel-core Threads::Threads)
set_target_properties(instrumented PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)
if(TARGET oriel-calls)
  add_dependencies(instrumented oriel-calls)
endif()
# The same by room that the compiler leaves, and one that is hard on whoever uses it: with
# enough of it, with too little, and told by the compiler's calls.
add_executable(patchable tests/scenario/instrumented.cc)
target_compile_options(patchable PRIVATE -O1 -g -fno-inline -fpatchable-function-entry=8)
target_link_libraries(patchable PRIVATE oriel-core Threads::Threads)
set(twisted_enough -fpatchable-function-entry=8)
set(twisted_before -fpatchable-function-entry=12,4)
set(twisted_little -fpatchable-function-entry=3)
set(twisted_told -finstrument-functions)
foreach(room enough before little told)
  add_executable(twisted_${room} tests/scenario/twisted.c)
  target_compile_options(twisted_${room} PRIVATE -O2 -g -U_FORTIFY_SOURCE ${twisted_${room}})
  target_compile_definitions(twisted_${room} PRIVATE _GNU_SOURCE)
  target_link_libraries(twisted_${room} PRIVATE Threads::Threads)
endforeach()
foreach(room enough told)
  add_executable(counted_${room} tests/scenario/counted.c)
  target_compile_options(counted_${room} PRIVATE -O2 -g -fno-inline ${twisted_${room}})
  target_link_libraries(counted_${room} PRIVATE Threads::Threads)
endforeach()
set_target_properties(patchable counted_enough counted_told twisted_enough twisted_before twisted_little twisted_told PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)

file(GLOB scenarios CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/scenario/*_test.py)
foreach(script ${scenarios})
  get_filename_component(name ${script} NAME_WE)
  string(REGEX REPLACE "_test$" "" name ${name})
  add_test(NAME scenario.${name} COMMAND ${Python3_EXECUTABLE} ${script})
  set_tests_properties(scenario.${name} PROPERTIES LABELS scenario TIMEOUT 900
    SKIP_RETURN_CODE 77
    ENVIRONMENT "SCENARIO_INSTRUMENTED=${ORIEL_SANITIZE}${ORIEL_COVERAGE};ORIEL=$<TARGET_FILE:oriel-cli>;EMITTER=$<TARGET_FILE:emitter>;SAMPLED=$<TARGET_FILE:sampled>;PICKY=$<TARGET_FILE:picky>;CHANGED_BEFORE=$<TARGET_FILE:changed_before>;CHANGED_AFTER=$<TARGET_FILE:changed_after>;INSTRUMENTED=$<TARGET_FILE:instrumented>;PROBED=$<TARGET_FILE:probed>;THROWN=$<TARGET_FILE:thrown>")
endforeach()
set_property(TEST scenario.deciding APPEND PROPERTY ENVIRONMENT "DECIDING=$<TARGET_FILE:deciding>")
set_property(TEST scenario.published APPEND PROPERTY ENVIRONMENT "PUBLISHED=$<TARGET_FILE:published>")
set_property(TEST scenario.idle APPEND PROPERTY ENVIRONMENT "PACED=$<TARGET_FILE:paced>")
# What keeps up with 64 MB a second needs the CPU that it says it needs.
set_property(TEST scenario.idle PROPERTY RUN_SERIAL ON)
set_property(TEST scenario.joined APPEND PROPERTY ENVIRONMENT "JOINED=$<TARGET_FILE:joined>")
if(TARGET relay)
  set_property(TEST scenario.relay APPEND PROPERTY ENVIRONMENT
    "RELAY=$<TARGET_FILE:relay>;WORKER=$<TARGET_FILE:worker>")
endif()
if(TARGET logbridge)
  set_property(TEST scenario.logbridge APPEND PROPERTY ENVIRONMENT "LOGBRIDGE=$<TARGET_FILE:logbridge>")
endif()
if(TARGET kernels)
  set_property(TEST scenario.kernels APPEND PROPERTY ENVIRONMENT
    "KERNELS=$<TARGET_FILE:kernels-cli>;LIBKERNELS=$<TARGET_FILE:kernels>")
endif()
set_property(TEST scenario.probes scenario.attach_probes APPEND PROPERTY ENVIRONMENT "HITS=$<TARGET_FILE:hits>")
set_property(TEST scenario.leak APPEND PROPERTY ENVIRONMENT "LEAKY=$<TARGET_FILE:leaky>")
set_property(TEST scenario.calls APPEND PROPERTY ENVIRONMENT "PATCHABLE=$<TARGET_FILE:patchable>")
set_property(TEST scenario.sums APPEND PROPERTY ENVIRONMENT "COUNTED=${CMAKE_BINARY_DIR}/scenario/counted")
set_property(TEST scenario.waiting APPEND PROPERTY ENVIRONMENT "WAITING=$<TARGET_FILE:waiting>")
set_property(TEST scenario.daemon APPEND PROPERTY ENVIRONMENT "DAEMON=$<TARGET_FILE:daemon_ways>")
set_property(TEST scenario.syscalls APPEND PROPERTY ENVIRONMENT "CALLING=$<TARGET_FILE:calling>")
if(TARGET oriel-lock)
  add_dependencies(oriel-cli oriel-lock)
endif()

# Clocks are faked from outside, which a static command would not notice.
add_executable(oriel_dynamic src/cli/main.c)
target_link_libraries(oriel_dynamic PRIVATE oriel_all)
add_library(fake_clock MODULE tests/scenario/fake_clock.c)
set_target_properties(oriel_dynamic fake_clock PROPERTIES PREFIX ""
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/scenario)
set_property(TEST scenario.clock APPEND PROPERTY ENVIRONMENT
  "ORIEL_DYNAMIC=$<TARGET_FILE:oriel_dynamic>;FAKE_CLOCK_SHIM=$<TARGET_FILE:fake_clock>")

# The newcomer's page, against the tree that consumer.install makes.
if(NOT ORIEL_SANITIZE AND NOT ORIEL_COVERAGE AND NOT ORIEL_FUZZ AND NOT ORIEL_ONLY)
  foreach(how prefix default)
    add_test(NAME scenario.first_trace_${how} COMMAND ${Python3_EXECUTABLE}
      ${CMAKE_SOURCE_DIR}/tests/scenario/first_trace.py ${how} ${CMAKE_BINARY_DIR}/installed)
    set_tests_properties(scenario.first_trace_${how} PROPERTIES LABELS scenario TIMEOUT 900
      SKIP_RETURN_CODE 77 FIXTURES_REQUIRED installed)
  endforeach()
endif()
