# SPDX-License-Identifier: MIT OR Apache-2.0
# One table of fixtures through every outlet of the registry, read back by
# readers that are not ours. docs/OUTLETS.md is the table of what was promised.
if(ORIEL_ONLY AND NOT "export" IN_LIST ORIEL_ONLY)
  return()
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set(conformance ${CMAKE_SOURCE_DIR}/tests/conformance)
set(conformance_out ${CMAKE_BINARY_DIR}/conformance)
file(MAKE_DIRECTORY ${conformance_out})

add_executable(conformance ${conformance}/conformance.c ${conformance}/fixtures.c
  ${conformance}/texts.c ${conformance}/samples.c ${conformance}/describe.c)
set_target_properties(conformance PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
target_link_libraries(conformance PRIVATE test_support oriel_all)
target_include_directories(conformance PRIVATE ${conformance})

add_test(NAME conformance.write COMMAND conformance ${conformance_out})
set_tests_properties(conformance.write PROPERTIES FIXTURES_SETUP conformance_files)
foreach(outlet capture chrome perfetto log otlp pprof speedscope firefox callgrind folded perf)
  add_test(NAME conformance.${outlet}
    COMMAND ${Python3_EXECUTABLE} ${conformance}/check.py ${outlet} ${conformance_out})
  list(APPEND conformance_tests conformance.${outlet})
endforeach()
add_test(NAME conformance.docs COMMAND ${Python3_EXECUTABLE} ${conformance}/check.py docs
  ${conformance_out} ${CMAKE_SOURCE_DIR}/docs/OUTLETS.md)
set_tests_properties(${conformance_tests} conformance.docs PROPERTIES
  FIXTURES_REQUIRED conformance_files)

# 10,000 texts through each outlet: none escapes its place.
set(texts_out ${CMAKE_BINARY_DIR}/conformance-texts)
file(MAKE_DIRECTORY ${texts_out})
add_test(NAME conformance.write_texts COMMAND conformance ${texts_out} texts)
set_tests_properties(conformance.write_texts PROPERTIES FIXTURES_SETUP conformance_texts)
set(text_tests)
foreach(outlet capture chrome perfetto log otlp)
  add_test(NAME conformance.texts_${outlet} COMMAND ${Python3_EXECUTABLE} ${conformance}/check.py
    ${outlet} ${texts_out} spans events values marks)
  list(APPEND text_tests conformance.texts_${outlet})
endforeach()
set_tests_properties(${text_tests} PROPERTIES FIXTURES_REQUIRED conformance_texts)
set_tests_properties(conformance.write ${conformance_tests} conformance.docs
  conformance.write_texts ${text_tests} PROPERTIES
  LABELS conformance SKIP_RETURN_CODE 77 TIMEOUT 900)
