# SPDX-License-Identifier: MIT OR Apache-2.0
add_executable(logbridge ${CMAKE_SOURCE_DIR}/examples/c/logbridge/logbridge.c)
set_target_properties(logbridge PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
target_link_libraries(logbridge PRIVATE oriel-core)
