# SPDX-License-Identifier: MIT OR Apache-2.0
# Rooms become object libraries; products are made of rooms. The rooms and who
# may use whom stand in tools/layers.txt, which tools/check_layers.py enforces.
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZSTD REQUIRED libzstd)
include(components)  # what this build leaves out
if(NOT "otlp" IN_LIST ORIEL_WITHOUT)
  pkg_check_modules(NGHTTP2 libnghttp2)
  if(NOT NGHTTP2_FOUND)
    message(FATAL_ERROR "libnghttp2 is missing; install what the build needs with: tools/setup "
      "(Debian: libnghttp2-dev), or leave out what needs it: -DORIEL_WITHOUT=otlp")
  endif()
  set(ORIEL_PC_NGHTTP2 " -lnghttp2")
else()
  set(NGHTTP2_LIBRARIES)
endif()
# What foreign ELF files are packed with, and names are mangled by.
foreach(library z lzma iberty yaml)
  find_library(ORIEL_LIB_${library} NAMES lib${library}.a ${library})
  if(NOT ORIEL_LIB_${library})
    message(FATAL_ERROR "lib${library} is missing; install what the build needs with: tools/setup "
      "(Debian: zlib1g-dev liblzma-dev libiberty-dev libyaml-dev)")
  endif()
  list(APPEND ORIEL_SYMBOL_LIBRARIES ${ORIEL_LIB_${library}})
endforeach()

# For `oriel top`, which prints plainly without it.
find_path(ORIEL_NCURSES_INCLUDE ncursesw/ncurses.h)
find_library(ORIEL_LIB_ncursesw NAMES libncursesw.a ncursesw)
find_library(ORIEL_LIB_tinfo NAMES libtinfo.a tinfo)
if(ORIEL_NCURSES_INCLUDE AND ORIEL_LIB_ncursesw AND ORIEL_LIB_tinfo AND NOT CMAKE_CROSSCOMPILING)
  set(ORIEL_SCREEN_LIBRARIES ${ORIEL_LIB_ncursesw} ${ORIEL_LIB_tinfo})
endif()

file(STRINGS ${CMAKE_SOURCE_DIR}/tools/layers.txt layer_lines REGEX "^[a-z]+:")
set(ORIEL_ONLY "" CACHE STRING "Build only these rooms (while one is being rebuilt)")
set(ORIEL_ROOMS)
foreach(line ${layer_lines})
  string(REGEX REPLACE ":.*" "" room ${line})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/*.c)
  # What takes the place of somebody's functions is only linked where that is wanted.
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.c$|/cli/main\\.c$|/hook/.*/interpose\\.c$")
  leave_out(sources)
  if(ORIEL_ONLY AND NOT room IN_LIST ORIEL_ONLY)
    continue()
  endif()
  # Pages and scripts become bytes of the program: src/report/assets/flame.html
  # is report_flame_html.
  file(GLOB assets CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/assets/*)
  foreach(asset ${assets})
    get_filename_component(name ${asset} NAME)
    string(MAKE_C_IDENTIFIER ${room}_${name} name)
    set(made ${CMAKE_BINARY_DIR}/assets/${name}.c)
    add_custom_command(OUTPUT ${made} DEPENDS ${asset} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
      COMMAND ${CMAKE_COMMAND} -DFROM=${asset} -DTO=${made} -DNAME=${name}
              -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
    list(APPEND sources ${made})
  endforeach()
  if(sources)
    add_library(room_${room} OBJECT ${sources})
    list(APPEND ORIEL_ROOMS ${room})
  endif()
endforeach()
# The names of system calls come from the headers of the machine we build for.
if(TARGET room_source)
  set(made ${CMAKE_BINARY_DIR}/made/syscall_names.c)
  add_custom_command(OUTPUT ${made} DEPENDS ${CMAKE_SOURCE_DIR}/cmake/syscalls.cmake
    COMMAND ${CMAKE_COMMAND} -DCC=${CMAKE_C_COMPILER} -DTO=${made}
            -P ${CMAKE_SOURCE_DIR}/cmake/syscalls.cmake VERBATIM)
  target_sources(room_source PRIVATE ${made})
endif()
if(TARGET room_cli AND ORIEL_SCREEN_LIBRARIES)
  target_compile_definitions(room_cli PRIVATE ORIEL_HAVE_NCURSESW)
endif()

# What lives in a stranger's process: base, wire, rec and nothing else.
# A section for each function: what a program does not use is not linked into it.
set(core_objects)
foreach(room base wire rec)
  if(TARGET room_${room})
    target_compile_options(room_${room} PRIVATE -ffunction-sections -fdata-sections)
    list(APPEND core_objects $<TARGET_OBJECTS:room_${room}>)
  endif()
endforeach()

# Of that, what runs once, or for requests of seldom kinds, and shares nothing with signal handlers: small
# rather than fast.
set(core_cold rec/b3 rec/baggage rec/context rec/hooks rec/keys rec/program rec/provider rec/scopes rec/start
  base/os base/os_map base/os_signal wire/meta wire/region)
foreach(name ${core_cold})
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/${name}.c PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-Os>)
endforeach()

# Everything, for tests and the command. Static, never installed.
set(all_objects)
foreach(room ${ORIEL_ROOMS})
  list(APPEND all_objects $<TARGET_OBJECTS:room_${room}>)
endforeach()
add_library(oriel_all STATIC ${all_objects})
target_link_libraries(oriel_all PUBLIC Threads::Threads ${ORIEL_SYMBOL_LIBRARIES} ${ZSTD_LIBRARIES}
  ${NGHTTP2_LIBRARIES} ${ORIEL_LIB_yaml} ${ORIEL_SCREEN_LIBRARIES} m dl)

# One relocatable object with all but the public names made local, so that the
# static archive cannot clash with names of the program it is linked into.
add_custom_command(OUTPUT oriel-core.o
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o oriel-core-all.o ${core_objects}
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden oriel-core-all.o oriel-core.o
  COMMAND_EXPAND_LISTS DEPENDS ${core_objects} VERBATIM)
add_library(oriel-core STATIC oriel-core.o)
set_source_files_properties(oriel-core.o PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
set_target_properties(oriel-core PROPERTIES LINKER_LANGUAGE C)
target_include_directories(oriel-core INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(oriel-core INTERFACE Threads::Threads)

# Nothing undefined in a shared library; a sanitizer's symbols come from the program.
set(complete -Wl,-z,defs)
if(ORIEL_SANITIZE)
  set(complete)
endif()
add_library(oriel-core-shared SHARED oriel-core.o)
set_target_properties(oriel-core-shared PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME oriel-core
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LINK_DEPENDS ${CMAKE_SOURCE_DIR}/src/oriel-core.map)
target_link_options(oriel-core-shared PRIVATE -Wl,-z,nodelete,--gc-sections ${complete}
  -Wl,--version-script=${CMAKE_SOURCE_DIR}/src/oriel-core.map)
target_include_directories(oriel-core-shared INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(oriel-core-shared PRIVATE Threads::Threads)

# In-process export: loaded only when telemetry is switched on.
set(export_objects)
foreach(room base wire secret util vault deliver model unwind source pipe export config session)
  if(TARGET room_${room})
    list(APPEND export_objects $<TARGET_OBJECTS:room_${room}>)
  endif()
endforeach()
add_library(oriel SHARED ${export_objects})
set_target_properties(oriel PROPERTIES LINKER_LANGUAGE C VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}
  LINK_DEPENDS ${CMAKE_SOURCE_DIR}/src/oriel.map)
target_link_options(oriel PRIVATE -Wl,-z,nodelete ${complete}
  -Wl,--version-script=${CMAKE_SOURCE_DIR}/src/oriel.map)
target_link_libraries(oriel PRIVATE Threads::Threads ${ZSTD_LIBRARIES} ${NGHTTP2_LIBRARIES}
  ${ORIEL_LIB_z} ${ORIEL_LIB_yaml} m dl)

# The memory hook: a core of its own behind the functions it takes the place of.
set(alloc_objects)
foreach(room base wire rec unwind hook)
  if(TARGET room_${room})
    list(APPEND alloc_objects $<TARGET_OBJECTS:room_${room}>)
  endif()
endforeach()
if(TARGET room_hook AND NOT ORIEL_SANITIZE)
  add_library(oriel-alloc SHARED src/hook/alloc/interpose.c
    "$<FILTER:${alloc_objects},EXCLUDE,/hook/(cpu|lock|calls)/>")
  set_target_properties(oriel-alloc PROPERTIES LINKER_LANGUAGE C VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${CMAKE_SOURCE_DIR}/src/oriel-alloc.map)
  # Never a call to a function that a compiler makes of ours: calloc of malloc.
  set_source_files_properties(src/hook/alloc/interpose.c PROPERTIES COMPILE_OPTIONS "-fno-builtin")
  target_link_options(oriel-alloc PRIVATE -Wl,-z,nodelete,--gc-sections ${complete}
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/src/oriel-alloc.map)
  target_link_libraries(oriel-alloc PRIVATE Threads::Threads)
endif()

# The hook of locks: the same, without what watches memory.
if(TARGET room_hook AND NOT ORIEL_SANITIZE)
  set(lock_objects)
  foreach(room base wire rec unwind)
    list(APPEND lock_objects $<TARGET_OBJECTS:room_${room}>)
  endforeach()
  add_library(oriel-lock SHARED src/hook/lock/interpose.c src/hook/stacks.c src/hook/modules.c
    ${lock_objects})
  set_target_properties(oriel-lock PROPERTIES LINKER_LANGUAGE C VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${CMAKE_SOURCE_DIR}/src/oriel-lock.map)
  # A wait is told from the function that was called: it must have a frame.
  set_source_files_properties(src/hook/lock/interpose.c PROPERTIES COMPILE_OPTIONS
    "-fno-optimize-sibling-calls")
  target_link_options(oriel-lock PRIVATE -Wl,-z,nodelete,--gc-sections ${complete}
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/src/oriel-lock.map)
  target_link_libraries(oriel-lock PRIVATE Threads::Threads dl)

  # The sampler for where the kernel refuses perf events: likewise.
  add_library(oriel-cpu SHARED src/hook/cpu/interpose.c src/hook/cpu/sampler.c src/hook/stacks.c
    src/hook/modules.c ${lock_objects})
  set_target_properties(oriel-cpu PROPERTIES LINKER_LANGUAGE C VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${CMAKE_SOURCE_DIR}/src/oriel-cpu.map)
  target_link_options(oriel-cpu PRIVATE -Wl,-z,nodelete,--gc-sections ${complete}
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/src/oriel-cpu.map)
  target_link_libraries(oriel-cpu PRIVATE Threads::Threads dl)
endif()

# The calls hook: a core of its own behind what -finstrument-functions calls, or what is called
# in the room that -fpatchable-function-entry leaves. There every register is the program's.
set_source_files_properties(src/hook/calls/calls.c src/hook/calls/sums.c src/hook/calls/thunk.c PROPERTIES
  COMPILE_OPTIONS "-mgeneral-regs-only;-fno-optimize-sibling-calls")
if(TARGET room_hook AND NOT ORIEL_SANITIZE)
  add_library(oriel-calls SHARED src/hook/calls/interpose.c src/hook/calls/calls.c
    src/hook/calls/patch.c src/hook/calls/sums.c src/hook/calls/tell.c
    src/hook/calls/threads.c src/hook/calls/thunk.c src/hook/calls/thunk_code.c src/hook/modules.c
    ${core_objects})
  set_target_properties(oriel-calls PROPERTIES LINKER_LANGUAGE C VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${CMAKE_SOURCE_DIR}/src/oriel-calls.map)
  target_link_options(oriel-calls PRIVATE -Wl,-z,nodelete,--gc-sections ${complete}
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/src/oriel-calls.map)
  target_link_libraries(oriel-calls PRIVATE Threads::Threads dl)
endif()

if(EXISTS ${CMAKE_SOURCE_DIR}/src/cli/main.c)
  add_executable(oriel-cli src/cli/main.c)
  set_target_properties(oriel-cli PROPERTIES OUTPUT_NAME oriel)
  target_link_libraries(oriel-cli PRIVATE oriel_all)
  if(NOT ORIEL_SANITIZE)
    target_link_options(oriel-cli PRIVATE -static)
  endif()
endif()
