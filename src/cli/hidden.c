/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Looks at a program's file as the kernel will when it is executed. Reads its
 * first bytes and its mode; executes nothing.
 */
#include "cli/hidden.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HEADERS_MAX = 64 };

/* Capabilities of the file itself; their content does not matter. */
static bool has_capabilities(const char *path)
{
    char value[64];
    return syscall(SYS_getxattr, path, "security.capability", value, sizeof value) > 0;
}

static bool gains_rights(const char *path)
{
    struct stat st;
    struct statvfs fs;
    if (stat(path, &st) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
        (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID)))
        return false;
    /* Without the group's right to execute it, the bit means something else. */
    bool group = (st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getegid();
    return ((st.st_mode & S_ISUID) && st.st_uid != geteuid()) || group ||
           (geteuid() != 0 && has_capabilities(path));
}

/* An ELF file of this machine's class that names no loader. */
static bool is_static(const char *path)
{
    ElfW(Ehdr) head;
    ElfW(Phdr) p[HEADERS_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool known = pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
                 memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_phentsize == sizeof *p &&
                 head.e_phnum > 0 && head.e_phnum <= HEADERS_MAX;
    size_t bytes = known ? head.e_phnum * sizeof *p : 0;
    known = known && pread(fd, p, bytes, (off_t)head.e_phoff) == (ssize_t)bytes;
    close(fd);
    for (unsigned i = 0; known && i < head.e_phnum; i++)
        if (p[i].p_type == PT_INTERP)
            return false;
    return known;
}

enum hidden hidden_how(const char *path)
{
    if (gains_rights(path))
        return HIDDEN_SECURE;
    return is_static(path) ? HIDDEN_STATIC : HIDDEN_NOT;
}
