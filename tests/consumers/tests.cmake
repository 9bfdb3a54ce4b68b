# SPDX-License-Identifier: MIT OR Apache-2.0
# `make install` into an empty tree, and programs built against that tree only.
if(ORIEL_SANITIZE OR ORIEL_COVERAGE OR ORIEL_FUZZ OR ORIEL_ONLY)
  return()
endif()
set(consumers ${CMAKE_SOURCE_DIR}/tests/consumers)
set(tree ${CMAKE_BINARY_DIR}/installed)

add_test(NAME consumer.install COMMAND bash ${consumers}/run.sh install ${CMAKE_BINARY_DIR} ${tree})
set_tests_properties(consumer.install PROPERTIES FIXTURES_SETUP installed)
add_test(NAME consumer.layout COMMAND bash ${consumers}/run.sh layout ${tree})
add_test(NAME consumer.make COMMAND bash ${consumers}/run.sh make ${consumers} ${tree})
add_test(NAME consumer.cmake COMMAND bash ${consumers}/run.sh cmake ${consumers} ${tree})
add_test(NAME consumer.one_file COMMAND bash ${consumers}/run.sh one-file ${consumers} ${tree}
  ${CMAKE_SOURCE_DIR}/tools/amalgamate)
set_tests_properties(consumer.layout consumer.make consumer.cmake consumer.one_file PROPERTIES
  FIXTURES_REQUIRED installed)
set_tests_properties(consumer.install consumer.layout consumer.make consumer.cmake consumer.one_file PROPERTIES
  LABELS consumer TIMEOUT 900)
