# SPDX-License-Identifier: MIT OR Apache-2.0
# Profiles of other tools, made here and now, as oriel reads them. Skipped, with
# the reason, where the tool is missing or refused. And damaged files through the
# real command: 200 here, 10,000 with `tools/mutate`.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
if(TARGET oriel-cli AND TARGET oriel-core AND NOT ORIEL_SANITIZE AND NOT ORIEL_COVERAGE)
  foreach(tool perf go)
    add_test(NAME import.${tool} COMMAND ${Python3_EXECUTABLE}
      ${CMAKE_SOURCE_DIR}/tests/import/${tool}.py $<TARGET_FILE:oriel-cli> $<TARGET_FILE:sampled>
      ${CMAKE_BINARY_DIR}/import-${tool})
    set_tests_properties(import.${tool} PROPERTIES LABELS import SKIP_RETURN_CODE 77 TIMEOUT 300)
  endforeach()
endif()
if(TARGET oriel-cli)
  add_test(NAME import.mutated COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/mutate
    --oriel $<TARGET_FILE:oriel-cli> --files 200)
  set_tests_properties(import.mutated PROPERTIES LABELS import TIMEOUT 600)
endif()
