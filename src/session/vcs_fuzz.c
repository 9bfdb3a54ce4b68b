/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: what a foreign work tree may hold. The input is cut at each
 * byte 1 into .git/HEAD, packed-refs, the branch's loose ref and commondir; or, when it
 * begins with byte 2, the rest is the file .git itself.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/vcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[64];
static const char *const parts[] = {".git/HEAD", ".git/packed-refs", ".git/refs/heads/main",
                                    ".git/commondir"};

static void path_of(const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", root, name);
}

static void remove_all(void)
{
    static const char *const folders[] = {".git/refs/heads", ".git/refs", ".git"};
    char path[128];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        path_of(parts[i], path);
        unlink(path);
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        path_of(folders[i], path);
        rmdir(path);
    }
    path_of(".git", path);
    unlink(path);
}

static void remove_root(void)
{
    remove_all();
    rmdir(root);
}

static void make_root(void)
{
    const char *shm = "/dev/shm";
    snprintf(root, sizeof root, "%s/oriel-vcs-XXXXXX", access(shm, W_OK) == 0 ? shm : "/tmp");
    if (!mkdtemp(root))
        abort();
    atexit(remove_root);
}

static void make_folders(void)
{
    static const char *const folders[] = {".git", ".git/refs", ".git/refs/heads"};
    char path[128];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        path_of(folders[i], path);
        mkdir(path, 0700);
    }
}

static void put(const char *name, const uint8_t *p, size_t n)
{
    char path[128];
    path_of(name, path);
    FILE *file = fopen(path, "wb");
    if (!file)
        abort();
    fwrite(p, 1, n, file);
    fclose(file);
}

static void put_all(const uint8_t *data, size_t size)
{
    make_folders();
    for (size_t i = 0; i < sizeof parts / sizeof *parts && size > 0; i++) {
        const uint8_t *end = memchr(data, 1, size);
        size_t n = end ? (size_t)(end - data) : size;
        put(parts[i], data, n);
        data += n + (end != NULL), size -= n + (end != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vcs v;
    if (!root[0])
        make_root();
    remove_all();
    if (size && data[0] == 2)
        put(".git", data + 1, size - 1);
    else
        put_all(data, size);
    memset(&v, 0x55, sizeof v);
    if (vcs_read(root, &v) != 0)
        return 0;
    size_t commit = strnlen(v.commit, sizeof v.commit);
    if ((commit != 0 && commit != 40 && commit != 64) ||
        strspn(v.commit, "0123456789abcdef") != commit)
        abort();
    if (strnlen(v.branch, sizeof v.branch) == sizeof v.branch ||
        strnlen(v.root, sizeof v.root) == sizeof v.root)
        abort();
    return 0;
}
