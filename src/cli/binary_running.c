/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The files that a running program has mapped, by names that open the very same
 * files here: as they are called, else through the program's own root, else
 * through its mappings, when they were removed or replaced meanwhile.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/binary.h"

struct mapping {
    uint64_t begin, end, inode;
    bool executable;
    char path[BINARY_PATH_BYTES];
};

/* "55d0-55d9 r-xp 00001000 fe:01 1234   /usr/bin/x (deleted)" */
static bool read_mapping(const char *line, struct mapping *out)
{
    static const char deleted[] = " (deleted)";
    char *at;
    out->begin = strtoull(line, &at, 16);
    out->end = *at == '-' ? strtoull(at + 1, &at, 16) : 0;
    if (out->end <= out->begin || strlen(at) < 6)
        return false;
    out->executable = at[3] == 'x';
    (void)strtoull(at + 5, &at, 16); /* offset */
    at += strspn(at, " ");
    at += strcspn(at, " "); /* the device: file systems in layers tell another one than stat does */
    out->inode = strtoull(at, &at, 10);
    at += strspn(at, " ");
    size_t n = strcspn(at, "\n");
    if (n > sizeof deleted - 1 && strncmp(at + n - (sizeof deleted - 1), deleted, 10) == 0)
        n -= sizeof deleted - 1;
    if (*at != '/' || n >= sizeof out->path)
        return false;
    memcpy(out->path, at, n);
    out->path[n] = 0;
    return true;
}

/* Should another file system have the same number by the same name, there is no hit in it. */
static bool is_same(const char *path, const struct mapping *m)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_ino == m->inode && access(path, R_OK) == 0;
}

/* A name for the mapping's file that opens it here. */
static bool reach(int32_t pid, const struct mapping *m, char out[BINARY_PATH_BYTES])
{
    int n = snprintf(out, BINARY_PATH_BYTES, "%s", m->path);
    if (n > 0 && n < BINARY_PATH_BYTES && is_same(out, m))
        return true;
    n = snprintf(out, BINARY_PATH_BYTES, "/proc/%d/root%s", pid, m->path);
    if (n > 0 && n < BINARY_PATH_BYTES && is_same(out, m))
        return true;
    snprintf(out, BINARY_PATH_BYTES, "/proc/%d/map_files/%llx-%llx", pid,
             (unsigned long long)m->begin, (unsigned long long)m->end);
    return is_same(out, m);
}

/* The next executable file from address *at on that `wanted` says yes to. */
static bool find_mapping(int32_t pid, uint64_t *at, bool (*wanted)(const char *path, const void *),
                         const void *user, struct mapping *out)
{
    char path[64], line[BINARY_PATH_BYTES + 128];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof line, f))
        found = read_mapping(line, out) && out->executable && out->begin >= *at &&
                wanted(out->path, user);
    if (f)
        (void)fclose(f);
    *at = found ? out->end : UINT64_MAX;
    return found;
}

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_named(const char *path, const void *name)
{
    return strcmp(strchr(name, '/') ? path : last_component(path), name) == 0;
}

static bool is_any(const char *path, const void *unused)
{
    (void)path;
    (void)unused;
    return true;
}

static bool is_of_exceptions(const char *path, const void *unused)
{
    static const char *const names[] = {"libstdc++", "libgcc_s", "libc++", "libunwind"};
    (void)unused;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(last_component(path), names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

bool binary_throws(int32_t pid)
{
    struct mapping m;
    uint64_t at = 0;
    return find_mapping(pid, &at, is_of_exceptions, NULL, &m);
}

bool binary_next_mapped(int32_t pid, uint64_t *at, char out[BINARY_PATH_BYTES])
{
    struct mapping m;
    while (find_mapping(pid, at, is_any, NULL, &m))
        if (reach(pid, &m, out))
            return true;
    return false;
}

static int find_program(int32_t pid, char out[BINARY_PATH_BYTES], struct oriel_err *err)
{
    char link[64], path[BINARY_PATH_BYTES];
    struct stat here, there;
    snprintf(link, sizeof link, "/proc/%d/exe", pid);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    if (n <= 0 || stat(link, &there) != 0)
        return err_set(err, ORIEL_ENOTFOUND, "the program of process %d is not to be seen", pid);
    bool same =
        stat(path, &here) == 0 && here.st_ino == there.st_ino && here.st_dev == there.st_dev;
    snprintf(out, BINARY_PATH_BYTES, "%s", same ? path : link);
    return 0;
}

int binary_find_running(int32_t pid, const char *name, char out[BINARY_PATH_BYTES],
                        struct oriel_err *err)
{
    char program[64], exe[BINARY_PATH_BYTES];
    struct mapping m;
    uint64_t at = 0;
    assert(pid > 0);
    if (name && find_mapping(pid, &at, is_named, name, &m) && reach(pid, &m, out))
        return 0;
    snprintf(program, sizeof program, "/proc/%d/exe", pid);
    ssize_t n = readlink(program, exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    if (!name || (n > 0 && is_named(exe, name)))
        return find_program(pid, out, err);
    return binary_find(name, NULL, out, err);
}
