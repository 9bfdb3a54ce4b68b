# SPDX-License-Identifier: MIT OR Apache-2.0
# Models of protocols, explored through all interleavings. Each program also
# shows that it notices the mistakes it is there for. Always fast: what is
# explored is the model, so instrumenting it would only make it slow.
add_executable(ring_explorer tests/model/ring_explorer.c tests/model/ring_model_writer.c
  tests/model/ring_model_reader.c)
target_compile_options(ring_explorer PRIVATE -O2 -fno-sanitize=all)
if(ORIEL_COVERAGE)
  target_compile_options(ring_explorer PRIVATE -fno-profile-arcs -fno-test-coverage)
endif()
set_target_properties(ring_explorer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/model)
add_test(NAME model.ring COMMAND ring_explorer)
set_tests_properties(model.ring PROPERTIES TIMEOUT 900 LABELS "unit;model")
