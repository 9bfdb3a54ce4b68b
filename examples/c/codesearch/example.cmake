# SPDX-License-Identifier: MIT OR Apache-2.0
find_package(SQLite3 REQUIRED)
set(dir ${CMAKE_SOURCE_DIR}/examples/c/codesearch)
add_executable(codesearch ${dir}/main.c ${dir}/index.c ${dir}/walk.c ${dir}/tokenize.c ${dir}/db.c
  ${dir}/query.c ${dir}/queue.c)
set_target_properties(codesearch PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
target_link_libraries(codesearch PRIVATE oriel-core SQLite::SQLite3 Threads::Threads)
