/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names of Oriel's own threads. Any thread, signal handlers too; no memory.
 */
#include "base/own.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/os.h"

enum { NAME_BYTES = 16 }; /* what the kernel keeps, with its NUL */

void own_thread_begin(const char *name)
{
    int kept = errno;
    assert(own_thread_name(name) && strlen(name) < NAME_BYTES);
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
    errno = kept;
}

static bool is(const char *name, const char *other)
{
    const size_t n = strlen(name);
    return n == strlen(other) && memcmp(name, other, n) == 0;
}

bool own_thread_name(const char *name)
{
    return is(name, OWN_DRAIN) || is(name, OWN_HEIR) || is(name, OWN_SEND) || is(name, OWN_VAULT);
}

bool own_thread_here(void)
{
    char name[NAME_BYTES];
    return os_thread_name(name, sizeof name) == 0 && own_thread_name(name) &&
           os_gettid() != os_getpid();
}

typedef void aside_fn(bool begin);

static void work(bool begin)
{
    int kept = errno;
    aside_fn *aside = (aside_fn *)(uintptr_t)dlsym(RTLD_DEFAULT, "oriel_heap_aside");
    if (aside)
        aside(begin);
    else
        (void)dlerror(); /* what is not there is no error of the program's */
    errno = kept;
}

void own_work_begin(void)
{
    work(true);
}

void own_work_end(void)
{
    work(false);
}
