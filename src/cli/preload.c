/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finding libraries of ours from where the command itself lies, so that a tree
 * can be moved, and putting them in front of $LD_PRELOAD.
 */
#include "cli/preload.h"

#include <assert.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"

enum { PATH_BYTES = 4096 };

#if defined(__x86_64__)
#define MULTIARCH "/../lib/x86_64-linux-gnu"
#else
#define MULTIARCH "/../lib/aarch64-linux-gnu"
#endif

static const char PRELOAD[] = "LD_PRELOAD=";

int preload_find(const char *library, char *out, size_t n, struct oriel_err *err)
{
    static const char *const folders[] = {"", "/../lib", "/../lib64", MULTIARCH};
    char exe[PATH_BYTES], path[2 * PATH_BYTES];
    if (os_exe_path(exe, sizeof exe) != 0)
        return err_set(err, ORIEL_ENOTFOUND, "%s: cannot tell where oriel itself lies", library);
    const char *folder = dirname(exe);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char real[PATH_BYTES];
        snprintf(path, sizeof path, "%s%s/%s", folder, folders[i], library);
        if (access(path, R_OK) == 0 && realpath(path, real) && strlen(real) < n) {
            memcpy(out, real, strlen(real) + 1);
            return 0;
        }
    }
    return err_set(err, ORIEL_ENOTFOUND, "%s: not found beside %s, nor in ../lib of it: install it",
                   library, folder);
}

static int put_before(const char *library, const char *rest, char *out, size_t n,
                      struct oriel_err *err)
{
    char path[PATH_BYTES];
    int rc = preload_find(library, path, sizeof path, err);
    if (rc < 0)
        return rc;
    if (strpbrk(path, ": ")) /* the loader would take it for two */
        return err_set(err, ORIEL_EINVAL,
                       "%s: a library cannot be preloaded from a folder with a space or a colon in "
                       "its name",
                       path);
    int size =
        snprintf(out, n, "%s%s%s%s", PRELOAD, path, rest && *rest ? ":" : "", rest ? rest : "");
    if (size < 0 || (size_t)size >= n)
        return err_set(err, ORIEL_EINVAL, "LD_PRELOAD: too long");
    return 0;
}

int preload_setting(const char *library, char *out, size_t n, struct oriel_err *err)
{
    return put_before(library, getenv("LD_PRELOAD"), out, n, err);
}

int preload_also(const char *library, char *setting, size_t n, struct oriel_err *err)
{
    char before[2 * PATH_BYTES];
    assert(strncmp(setting, PRELOAD, strlen(PRELOAD)) == 0);
    int size = snprintf(before, sizeof before, "%s", setting + strlen(PRELOAD));
    if (size < 0 || (size_t)size >= sizeof before)
        return err_set(err, ORIEL_EINVAL, "LD_PRELOAD: too long");
    return put_before(library, before, setting, n, err);
}
