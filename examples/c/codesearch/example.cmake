# SPDX-License-Identifier: MIT OR Apache-2.0
find_package(SQLite3 REQUIRED)
set(dir ${CMAKE_SOURCE_DIR}/examples/c/codesearch)
# The second version is what `make demo` compares the first one with.
foreach(version codesearch codesearch-2)
  add_executable(${version} ${dir}/main.c ${dir}/index.c ${dir}/walk.c ${dir}/tokenize.c
    ${dir}/db.c ${dir}/query.c ${dir}/queue.c)
  set_target_properties(${version} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
  target_link_libraries(${version} PRIVATE oriel-core SQLite::SQLite3 Threads::Threads)
endforeach()
target_compile_definitions(codesearch-2 PRIVATE CODESEARCH_WORDS_BY_LIST)
