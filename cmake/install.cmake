# SPDX-License-Identifier: MIT OR Apache-2.0
# `make install`: headers, libraries, the command, its pages, and what
# pkg-config and find_package(oriel) need. The tree may be moved afterwards.
include(CMakePackageConfigHelpers)

set_target_properties(oriel-core PROPERTIES EXPORT_NAME core)
set_target_properties(oriel-core-shared PROPERTIES EXPORT_NAME core-shared)
install(TARGETS oriel-core oriel-core-shared EXPORT oriel-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS oriel LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET oriel-cpu)
  install(TARGETS oriel-cpu LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_SKIP)
endif()
if(TARGET oriel-lock)
  install(TARGETS oriel-lock LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_SKIP)
endif()
if(TARGET oriel-calls)
  install(TARGETS oriel-calls LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_SKIP)
endif()
if(TARGET oriel-alloc)
  install(TARGETS oriel-alloc LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET oriel-cli)
  install(TARGETS oriel-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY include/oriel DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES LICENSE-MIT LICENSE-APACHE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The command makes its pages and completions from its own option tables.
if(TARGET oriel-cli AND EXISTS ${CMAKE_SOURCE_DIR}/src/cli/cmd_generate.c AND NOT ORIEL_SANITIZE)
  set(completion ${CMAKE_BINARY_DIR}/completion)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/pages.stamp
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man ${completion}
    COMMAND oriel-cli generate man --output ${CMAKE_BINARY_DIR}/man
    COMMAND oriel-cli generate bash --output ${completion}
    COMMAND oriel-cli generate zsh --output ${completion}
    COMMAND oriel-cli generate fish --output ${completion}
    COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/pages.stamp
    DEPENDS oriel-cli VERBATIM)
  add_custom_target(pages ALL DEPENDS ${CMAKE_BINARY_DIR}/pages.stamp)
  set(pages pages)
endif()

# The core as one C file, for programs that would rather carry it with them.
find_program(PYTHON3 python3)
if(PYTHON3)
  file(GLOB one_file_inputs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/include/oriel/*.h
    ${CMAKE_SOURCE_DIR}/include/oriel/abi/*.h ${CMAKE_SOURCE_DIR}/src/base/*.[ch]
    ${CMAKE_SOURCE_DIR}/src/wire/*.[ch] ${CMAKE_SOURCE_DIR}/src/rec/*.[ch])
  set(one_file ${CMAKE_BINARY_DIR}/one-file)
  add_custom_command(OUTPUT ${one_file}/oriel.h ${one_file}/oriel-core.c
    COMMAND ${PYTHON3} ${CMAKE_SOURCE_DIR}/tools/amalgamate ${one_file}
    DEPENDS ${CMAKE_SOURCE_DIR}/tools/amalgamate ${CMAKE_SOURCE_DIR}/VERSION ${one_file_inputs}
    VERBATIM)
  add_custom_target(one_file ALL DEPENDS ${one_file}/oriel-core.c)
  install(FILES ${one_file}/oriel.h ${one_file}/oriel-core.c
    DESTINATION ${CMAKE_INSTALL_DATADIR}/oriel)
  set(one_file_target one_file)
endif()

# What `make` builds: everything but tests and benchmarks.
if(NOT product_targets)
  get_property(product_targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
endif()
add_custom_target(products DEPENDS ${product_targets} ${pages} ${one_file_target})
install(DIRECTORY ${CMAKE_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
  OPTIONAL FILES_MATCHING PATTERN "*.1")
install(FILES ${CMAKE_BINARY_DIR}/completion/oriel.bash OPTIONAL
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME oriel)
install(FILES ${CMAKE_BINARY_DIR}/completion/_oriel OPTIONAL
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${CMAKE_BINARY_DIR}/completion/oriel.fish OPTIONAL
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/oriel)
install(EXPORT oriel-targets NAMESPACE oriel:: DESTINATION ${package_dir})
configure_package_config_file(cmake/oriel-config.cmake.in oriel-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(oriel-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/oriel-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/oriel-config-version.cmake DESTINATION ${package_dir})

# From the folder of the .pc file up to the prefix.
file(RELATIVE_PATH pc_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
foreach(library oriel-core oriel)
  configure_file(cmake/${library}.pc.in ${library}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${library}.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
