# SPDX-License-Identifier: MIT OR Apache-2.0
# cmake -DCC=compiler -DTO=file -P syscalls.cmake
# The system calls that the headers know, for the machine that the compiler makes
# code for: const char *const syscall_names[], by number, and how many there are.
get_filename_component(folder ${TO} DIRECTORY)
file(WRITE ${folder}/syscalls_asked.c "#include <sys/syscall.h>\n")
execute_process(COMMAND ${CC} -E -dM ${folder}/syscalls_asked.c OUTPUT_VARIABLE defined
  RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "the names of system calls cannot be read from the headers of ${CC}")
endif()
string(REGEX MATCHALL "#define __NR_[a-z_0-9]+ " lines "${defined}")
list(SORT lines)
set(made "")
foreach(line ${lines})
  string(REGEX REPLACE "#define __NR_(.*) " "\\1" name "${line}")
  if(NOT name MATCHES "^(syscalls|arch_specific_syscall)$")
    string(APPEND made "    [__NR_${name}] = \"${name}\",\n")
  endif()
endforeach()
file(WRITE ${TO} "/* Made from the headers of the machine; not to be edited. */
#include <stddef.h>
#include <sys/syscall.h>
extern const char *const syscall_names[];
extern const size_t syscall_names_count;
const char *const syscall_names[] = {
${made}};
const size_t syscall_names_count = sizeof syscall_names / sizeof *syscall_names;
")
