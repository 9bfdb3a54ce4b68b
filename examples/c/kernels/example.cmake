# SPDX-License-Identifier: MIT OR Apache-2.0
# A library, for examples/python/kernels.py too, and a program that uses it.
add_library(kernels SHARED
  ${CMAKE_SOURCE_DIR}/examples/c/kernels/channel.c
  ${CMAKE_SOURCE_DIR}/examples/c/kernels/kernels.c)
target_link_libraries(kernels PRIVATE oriel-core Threads::Threads)
target_include_directories(kernels INTERFACE $<TARGET_PROPERTY:oriel-core,INTERFACE_INCLUDE_DIRECTORIES>)
add_executable(kernels-cli ${CMAKE_SOURCE_DIR}/examples/c/kernels/main.c)
set_target_properties(kernels-cli PROPERTIES OUTPUT_NAME kernels)
target_link_libraries(kernels-cli PRIVATE kernels)
set_target_properties(kernels kernels-cli PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
