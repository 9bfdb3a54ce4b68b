/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What functions compiled with -finstrument-functions call at their beginning
 * and end. The C library has both as functions that do nothing; this library is
 * loaded in front of it by `oriel record --calls`.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include <oriel/runtime.h>

#include "base/os.h"
#include "hook/calls/calls.h"
#include "rec/rec.h"

#define EXPORT __attribute__((visibility("default")))

static __thread struct calls_thread here __attribute__((tls_model("initial-exec")));

EXPORT void __cyg_profile_func_enter(void *function, void *caller);
EXPORT void __cyg_profile_func_exit(void *function, void *caller);

/* A signal may come in between: what its handler calls then is not seen, and both of
 * its hooks pass by. */
void __cyg_profile_func_enter(void *function, void *caller)
{
    struct calls_thread *t = &here;
    if (t->inside)
        return;
    t->inside = 1;
    uint32_t found = calls_find(function);
    if (found != UINT32_MAX)
        calls_enter(t, found, (uintptr_t)caller, (uintptr_t)__builtin_dwarf_cfa());
    t->inside = 0;
}

void __cyg_profile_func_exit(void *function, void *caller)
{
    struct calls_thread *t = &here;
    if (t->inside)
        return;
    t->inside = 1;
    uint32_t found = calls_find(function);
    if (found != UINT32_MAX)
        calls_leave(t, found, (uintptr_t)__builtin_dwarf_cfa());
    t->inside = 0;
}

static void forked(void)
{
    calls_forget(&here);
}

/* The program itself comes first. */
static int first_bias(struct dl_phdr_info *info, size_t size, void *out)
{
    *(uint64_t *)out = info->dlpi_addr;
    return 1;
}

/* Whichever constructor comes first, this one or that of the core, attaches. The list
 * is of the program that was started: one that it execs has none of these addresses, and is
 * told apart by its path. */
__attribute__((constructor)) static void begin(void)
{
    bool secure = getauxval(AT_SECURE) != 0;
    const char *ring = secure ? NULL : getenv("ORIEL_RING");
    const char *list = secure ? NULL : getenv("ORIEL_CALLS");
    const char *program = secure ? NULL : getenv("ORIEL_CALLS_PROGRAM");
    char exe[4096];
    void *image = NULL;
    size_t n = 0;
    uint64_t bias = 0;
    int kept = errno;
    here.inside = 1;
    if (ring && *ring && !rec_is_on())
        (void)oriel_attach(ring);
    bool same = program && os_exe_path(exe, sizeof exe) == 0 && strcmp(exe, program) == 0;
    if (same && list && *list && rec_is_on() && os_map_file(list, &n, &image) == 0) {
        dl_iterate_phdr(first_bias, &bias);
        (void)calls_open(image, n, bias);
        pthread_atfork(NULL, NULL, forked);
    }
    here.inside = 0;
    errno = kept;
}
