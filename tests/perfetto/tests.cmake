# SPDX-License-Identifier: MIT OR Apache-2.0
# What Perfetto's trace_processor says of our traces. Skipped, with the reason,
# where Node or the package is missing; tools/setup installs both.
find_program(NODE node)
set(perfetto_tests ${CMAKE_SOURCE_DIR}/tests/perfetto)
if(NOT NODE)
  add_test(NAME perfetto.driver COMMAND sh -c
    "echo 'node is not installed: no trace is shown to trace_processor'; exit 77")
else()
  add_test(NAME perfetto.driver COMMAND bash ${perfetto_tests}/driver.sh ${NODE}
    ${CMAKE_BINARY_DIR})
endif()
set(perfetto_names perfetto.driver)
if(NODE AND NOT (ORIEL_ONLY AND NOT "export" IN_LIST ORIEL_ONLY))
  add_executable(perfetto_long ${perfetto_tests}/long.c)
  set_target_properties(perfetto_long PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  target_link_libraries(perfetto_long PRIVATE oriel_all)
  foreach(outlet chrome perfetto)
    add_test(NAME perfetto.long_${outlet} COMMAND bash ${perfetto_tests}/long.sh ${NODE}
      $<TARGET_FILE:perfetto_long> ${outlet} ${CMAKE_BINARY_DIR}/long.${outlet})
    list(APPEND perfetto_names perfetto.long_${outlet})
  endforeach()
endif()
if(NODE AND TARGET oriel-cli AND TARGET oriel-core)
  add_executable(perfetto_told ${perfetto_tests}/told.c)
  set_target_properties(perfetto_told PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  target_link_libraries(perfetto_told PRIVATE oriel-core)
  add_test(NAME perfetto.told COMMAND bash ${perfetto_tests}/told.sh ${NODE}
    $<TARGET_FILE:oriel-cli> $<TARGET_FILE:perfetto_told> ${CMAKE_BINARY_DIR}/told)
  add_test(NAME perfetto.scoped COMMAND bash ${perfetto_tests}/scoped.sh ${NODE}
    $<TARGET_FILE:oriel-cli> ${CMAKE_BINARY_DIR}/otel/annotating ${CMAKE_BINARY_DIR}/perfetto-scoped)
  list(APPEND perfetto_names perfetto.told perfetto.scoped)
  if(NOT ORIEL_SANITIZE AND NOT ORIEL_COVERAGE)
    add_test(NAME perfetto.sampled COMMAND bash ${perfetto_tests}/sampled.sh ${NODE}
      $<TARGET_FILE:oriel-cli> $<TARGET_FILE:sampled> ${CMAKE_BINARY_DIR}/perfetto-sampled)
    add_test(NAME perfetto.waits COMMAND bash ${perfetto_tests}/waits.sh ${NODE}
      $<TARGET_FILE:oriel-cli> $<TARGET_FILE:waiting> ${CMAKE_BINARY_DIR}/perfetto-waits)
    list(APPEND perfetto_names perfetto.sampled perfetto.waits)
  endif()
endif()
set_tests_properties(${perfetto_names} PROPERTIES LABELS perfetto SKIP_RETURN_CODE 77 TIMEOUT 900)
