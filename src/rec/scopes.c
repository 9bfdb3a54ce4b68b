/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the components of this program say of themselves (ORIEL_INSTRUMENTATION):
 * kept as entries of the meta log, and told to every recording that begins. Takes a
 * lock and memory; not on the record path.
 */
#include <oriel/abi/runtime.h>

#include "rec/rec.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/meta.h"

enum { SCOPES_MAX = 512 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept {
    uint64_t *entry;
    size_t bytes;
} kept[SCOPES_MAX];
static uint32_t kept_count;

void rec_scopes_forked(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    lock = unlocked;
}

static bool same_target(const struct kept *a, const struct kept *b)
{
    struct wire_meta_scope_view x, y;
    return wire_meta_scope_parse(a->entry, a->bytes, &x) &&
           wire_meta_scope_parse(b->entry, b->bytes, &y) && x.target.n == y.target.n &&
           memcmp(x.target.p, y.target.p, x.target.n) == 0;
}

/* 1: it is new. 0: it is there already. */
static int look_up(const struct kept *k)
{
    for (uint32_t i = 0; i < kept_count; i++)
        if (same_target(&kept[i], k))
            return kept[i].bytes == k->bytes && memcmp(kept[i].entry, k->entry, k->bytes) == 0
                       ? 0
                       : ORIEL_EINVAL;
    return kept_count < SCOPES_MAX ? 1 : ORIEL_ELIMIT;
}

void rec_scopes_tell(void)
{
    if (!rec_enter())
        return;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < kept_count; i++)
        (void)rec_meta_put(kept[i].entry, kept[i].bytes);
    pthread_mutex_unlock(&lock);
    rec_leave();
}

/* Takes the entry when it returns 0. Whoever attaches meanwhile may tell it, too: readers
 * take the first of a target. */
static int keep(const struct kept *k)
{
    int rc = 0;
    kept[kept_count++] = *k;
    if (rec_enter()) {
        rc = rec_meta_put(k->entry, k->bytes) ? 0 : ORIEL_ELIMIT;
        rec_leave();
    }
    return rc;
}

int oriel_instrumentation_tell(const struct oriel_instrumentation *what)
{
    struct oriel_instrumentation all = {0};
    struct kept fresh = {0};
    if (!what || what->size < sizeof all)
        return ORIEL_EINVAL;
    memcpy(&all, what, sizeof all);
    fresh.bytes = wire_meta_scope_bytes(&all);
    if (!fresh.bytes)
        return ORIEL_EINVAL;
    fresh.entry = mem_calloc(1, fresh.bytes);
    if (!fresh.entry)
        return ORIEL_ENOMEM;
    wire_meta_scope_write(fresh.entry, fresh.bytes, &all, 0);
    pthread_mutex_lock(&lock);
    int rc = look_up(&fresh);
    const bool is_new = rc == 1;
    if (is_new)
        rc = keep(&fresh);
    pthread_mutex_unlock(&lock);
    if (!is_new)
        mem_free(fresh.entry);
    return rc;
}
