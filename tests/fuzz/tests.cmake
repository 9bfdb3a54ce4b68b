# SPDX-License-Identifier: MIT OR Apache-2.0
# Every src/**/foo_fuzz.c defines LLVMFuzzerTestOneInput. With ORIEL_FUZZ (and
# clang) each becomes a libFuzzer program in fuzz/; otherwise an ordinary test
# that replays tests/fuzz/corpus/<name>/* and some thousand mutations of it.
# <name> is the path below src with dots: wire.record for wire/record_fuzz.c.
file(GLOB_RECURSE fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*_fuzz.c)
set(fuzz_names)
foreach(source ${fuzz_sources})
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/src ${source})
  string(REGEX REPLACE "_fuzz\\.c$" "" name ${name})
  string(REPLACE "/" "." name ${name})
  add_executable(fuzz.${name} ${source})
  target_link_libraries(fuzz.${name} PRIVATE oriel_all)
  # The entry point is libFuzzer's to declare.
  target_compile_options(fuzz.${name} PRIVATE -Wno-missing-prototypes)
  set_target_properties(fuzz.${name} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  list(APPEND fuzz_names fuzz.${name})
  if(ORIEL_FUZZ)
    target_link_options(fuzz.${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz.${name} PRIVATE tests/fuzz/replay.c)
    set(mutations)
    if(name STREQUAL "source.ring.open_spans") # milliseconds each: a region is mapped and looked at
      set(mutations -n 500)
    endif()
    add_test(NAME fuzz.${name} COMMAND fuzz.${name} ${mutations} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 LABELS "unit;fuzz")
  endif()
endforeach()
if(fuzz_names)
  add_custom_target(fuzz-targets DEPENDS ${fuzz_names})
endif()
