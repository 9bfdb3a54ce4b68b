/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads what tracefs says of a tracepoint: its number, and where its fields lie.
 */
#include "source/kernel_point.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/os.h"

#define FIRST_NAMESPACE 0xEFFFFFFCu /* PROC_PID_INIT_INO of Linux */

static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

/* A file of the tracepoint; false: not readable. */
static bool read_about(const char *point, const char *what, char *out, size_t n)
{
    char path[128];
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        snprintf(path, sizeof path, "%s/events/%s/%s", roots[i], point, what);
        if (os_read_file(path, out, n) > 0)
            return true;
    }
    return false;
}

bool kernel_point_read(const char *name, struct kernel_point *out)
{
    char id[32];
    if (!read_about(name, "id", id, sizeof id) ||
        !read_about(name, "format", out->format, sizeof out->format))
        return false;
    out->id = strtoull(id, NULL, 10);
    return true;
}

/* "field:pid_t pid;  offset:24;  size:4;" */
struct kernel_field kernel_point_field(const struct kernel_point *p, const char *name)
{
    char like[40];
    snprintf(like, sizeof like, " %s;", name);
    const char *at = strstr(p->format, like);
    const char *offset = at ? strstr(at, "offset:") : NULL;
    const char *size = offset ? strstr(offset, "size:") : NULL;
    if (!size)
        return (struct kernel_field){0, 0};
    unsigned long from = strtoul(offset + 7, NULL, 10), bytes = strtoul(size + 5, NULL, 10);
    if (from > INT16_MAX || (bytes != 4 && bytes != 8))
        return (struct kernel_field){0, 0};
    return (struct kernel_field){(uint16_t)from, (uint16_t)bytes};
}

/* What the first namespace of processes has for a number is a part of the kernel's interface. What
 * /proc says of numbers is no help: it says what holds in the namespace that it was mounted in. */
bool kernel_point_numbers_are_ours(void)
{
    struct stat st;
    return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == FIRST_NAMESPACE;
}
