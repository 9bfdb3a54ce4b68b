/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reader's own figures in the region's header: read by any process that may open
 * the ring. What is read is checked, and a writer that died in the middle keeps nobody.
 */
#include <sched.h>
#include <string.h>

#include "base/os.h"
#include "source/region_io.h"

enum { TRIES = 1000 };

static bool copy_once(const struct wire_figures *f, struct wire_figures *out)
{
    uint32_t seq = __atomic_load_n(&f->seq, __ATOMIC_ACQUIRE);
    /* Pair with the writer's stores: who sees a value of theirs sees the odd number, too. */
    for (unsigned i = 0; i < WIRE_FIGURES; i++)
        out->values[i] = __atomic_load_n(&f->values[i], __ATOMIC_ACQUIRE);
    out->mono_ns = __atomic_load_n(&f->mono_ns, __ATOMIC_ACQUIRE);
    out->count = __atomic_load_n(&f->count, __ATOMIC_ACQUIRE);
    out->seq = __atomic_load_n(&f->seq, __ATOMIC_RELAXED);
    return !(seq & 1) && out->seq == seq;
}

static int copy(const struct wire_figures *f, struct wire_figures *out)
{
    for (int i = 0; i < TRIES; i++) {
        if (copy_once(f, out))
            return out->count == 0             ? ORIEL_ENOTFOUND
                   : out->count > WIRE_FIGURES ? ORIEL_EFORMAT
                                               : 0;
        (void)sched_yield();
    }
    return ORIEL_EBUSY;
}

int region_read_figures(const char *path, struct wire_figures *out)
{
    struct wire_region h = {.magic = {0}};
    size_t bytes = 0;
    void *base = NULL;
    if (os_map_file(path, &bytes, &base) != 0)
        return ORIEL_ENOTFOUND;
    if (bytes >= sizeof h)
        memcpy(&h, base, sizeof h);
    int rc = wire_region_check(&h, bytes);
    if (rc == 0)
        rc = copy(&((const struct wire_region *)base)->figures, out);
    os_unmap(base, bytes);
    return rc;
}
