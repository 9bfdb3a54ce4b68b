/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names of system calls, in a table that the build makes of the headers of the
 * machine it is for (cmake/syscalls.cmake). A recording has the names in it, so
 * that it can be read anywhere.
 */
#include <string.h>

#include "source/syscall/syscall.h"

/* What the kernel says to itself when a signal comes in between: it does the call again, or tells
 * the program EINTR. */
enum { RESTART_FIRST = 512 };
static const char *const restarts[] = {
    "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", NULL, "ERESTART_RESTARTBLOCK",
};

const char *syscall_name(uint32_t call)
{
    return call < syscall_names_count ? syscall_names[call] : NULL;
}

const char *syscall_error_name(uint32_t error)
{
    if (error >= RESTART_FIRST && error - RESTART_FIRST < sizeof restarts / sizeof *restarts)
        return restarts[error - RESTART_FIRST];
    return error ? strerrorname_np((int)error) : NULL;
}
