# SPDX-License-Identifier: MIT OR Apache-2.0
# Our clients and servers before peers that are not ours; each lane is skipped,
# with the reason, where its peer is missing. tools/setup installs them.
find_program(NODE node)
add_executable(net_probe ${CMAKE_SOURCE_DIR}/tests/net/probe.c)
set_target_properties(net_probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
target_link_libraries(net_probe PRIVATE oriel_all)
set(net_names)
foreach(lane http nghttpd h2load tls grpc)
  add_test(NAME net.${lane} COMMAND bash ${CMAKE_SOURCE_DIR}/tests/net/peers.sh
    $<TARGET_FILE:net_probe> ${CMAKE_BINARY_DIR}/net ${lane} $<$<BOOL:${NODE}>:${NODE}>)
  list(APPEND net_names net.${lane})
endforeach()
# A destination before grpc-js.
add_executable(net_deliver ${CMAKE_SOURCE_DIR}/tests/net/deliver.c)
set_target_properties(net_deliver PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
target_link_libraries(net_deliver PRIVATE oriel_all)
add_test(NAME net.deliver COMMAND bash ${CMAKE_SOURCE_DIR}/tests/net/peers.sh
  $<TARGET_FILE:net_deliver> ${CMAKE_BINARY_DIR}/net deliver $<$<BOOL:${NODE}>:${NODE}>)
list(APPEND net_names net.deliver)
# The command is linked statically and loads OpenSSL all the same.
if(NOT ORIEL_SANITIZE AND NOT ORIEL_COVERAGE)
  add_executable(net_probe_static ${CMAKE_SOURCE_DIR}/tests/net/probe.c)
  set_target_properties(net_probe_static PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  target_link_libraries(net_probe_static PRIVATE oriel_all)
  target_link_options(net_probe_static PRIVATE -static)
  add_test(NAME net.static COMMAND bash ${CMAKE_SOURCE_DIR}/tests/net/peers.sh
    $<TARGET_FILE:net_probe_static> ${CMAKE_BINARY_DIR}/net-static tls)
  list(APPEND net_names net.static)
endif()
set_tests_properties(${net_names} PROPERTIES LABELS net SKIP_RETURN_CODE 77 TIMEOUT 900)
