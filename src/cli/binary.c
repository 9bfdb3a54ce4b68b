/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names of object files to paths. Only looks whether files are there; opening
 * them is the symbol room's.
 */
#include "cli/binary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/child.h"

static const char *const folders[] = {"/lib/x86_64-linux-gnu",
                                      "/usr/lib/x86_64-linux-gnu",
                                      "/lib/aarch64-linux-gnu",
                                      "/usr/lib/aarch64-linux-gnu",
                                      "/lib64",
                                      "/usr/lib64",
                                      "/lib",
                                      "/usr/lib",
                                      "/usr/local/lib"};

static bool is_there(const char *folder, size_t n, const char *name, char out[BINARY_PATH_BYTES])
{
    int bytes = snprintf(out, BINARY_PATH_BYTES, "%.*s/%s", (int)n, folder, name);
    return n > 0 && bytes > 0 && bytes < BINARY_PATH_BYTES && access(out, R_OK) == 0;
}

static bool find_library(const char *name, char out[BINARY_PATH_BYTES])
{
    const char *list = getenv("LD_LIBRARY_PATH");
    for (size_t n; list && *list; list += n + (list[n] == ':')) {
        n = strcspn(list, ":");
        if (is_there(list, n, name, out))
            return true;
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (is_there(folders[i], strlen(folders[i]), name, out))
            return true;
    return false;
}

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int binary_find(const char *name, const char *program, char out[BINARY_PATH_BYTES],
                struct oriel_err *err)
{
    char found[BINARY_PATH_BYTES];
    found[0] = 0;
    if (strchr(name, '/'))
        snprintf(found, sizeof found, "%s", name);
    else if (program && strcmp(name, last_component(program)) == 0)
        snprintf(found, sizeof found, "%s", program);
    else if (!find_library(name, found) && child_find(name, found, sizeof found, NULL) < 0)
        found[0] = 0;
    if (!found[0] || !realpath(found, out))
        return err_set(err, ORIEL_ENOTFOUND,
                       "%.200s: no such program or library; a path with a slash names any file",
                       name);
    return 0;
}

int binary_symbols(struct symbols **out)
{
    char cache[BINARY_PATH_BYTES];
    struct symbols_options o = {.size = sizeof o, .debuginfod_urls = getenv("DEBUGINFOD_URLS")};
    if (symbols_cache_dir(getenv("XDG_CACHE_HOME"), getenv("HOME"), cache, sizeof cache))
        o.cache_dir = cache;
    return symbols_open(&o, out);
}
