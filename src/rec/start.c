/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * In-process export: loads liboriel when somebody asks for it, so that a
 * program that never does pays for none of it.
 */
#include "rec/rec.h"

#include <dlfcn.h>

#include "base/err.h"

typedef int start_fn(const struct oriel_options *options, int (*attach)(const char *ring_path));
typedef int stop_fn(unsigned timeout_ms);

static void *library(void)
{
    static void *handle;
    if (!handle)
        handle = dlopen("liboriel.so.0", RTLD_NOW | RTLD_LOCAL);
    return handle;
}

int oriel_start(const struct oriel_options *options)
{
    static const struct oriel_options none = {sizeof none, 0, 0, 0, 0, 0, 0, 0};
    if (rec_is_on())
        return 0;
    if (options && options->size < sizeof options->size)
        return ORIEL_EINVAL;
    start_fn *begin =
        library() ? (start_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_start") : NULL;
    if (!begin)
        return ORIEL_ENOTFOUND;
    return begin(options ? options : &none, oriel_attach);
}

int oriel_stop(unsigned timeout_ms)
{
    stop_fn *stop =
        library() ? (stop_fn *)(uintptr_t)dlsym(library(), "oriel_inprocess_stop") : NULL;
    return stop ? stop(timeout_ms) : 0;
}
