# SPDX-License-Identifier: MIT OR Apache-2.0
# cmake -DFROM=file -DTO=file.c -DNAME=symbol -P embed.cmake
# A file as bytes of the program: const char NAME[], const size_t NAME_bytes.
file(READ ${FROM} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${TO} "/* Made from ${NAME}; not to be edited. */
#include <stddef.h>
extern const unsigned char ${NAME}[];
extern const size_t ${NAME}_bytes;
const unsigned char ${NAME}[] = {
${bytes}};
const size_t ${NAME}_bytes = sizeof ${NAME};
")
