/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Memory of secrets: fresh pages for each, so that wiping one wipes all of it and
 * locking one locks nobody else. Any thread.
 */
#include "secret/secret.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "base/os.h"

int secret_open(struct secret *out, size_t capacity)
{
    void *p;
    assert(out);
    if (capacity > SECRET_MAX)
        return ORIEL_ELIMIT;
    if (os_map_private(capacity + 1, &p) != 0)
        return ORIEL_ENOMEM;
    /* Both are best effort: RLIMIT_MEMLOCK may be used up by the program. */
    (void)mlock(p, capacity + 1);
    (void)madvise(p, capacity + 1, MADV_DONTDUMP);
    *out = (struct secret){.p = p, .capacity = capacity};
    return 0;
}

int secret_copy(struct secret *out, const char *p, size_t n)
{
    struct secret s;
    int rc = secret_open(&s, n);
    if (rc != 0)
        return rc;
    memcpy(s.p, p, n);
    s.n = n;
    *out = s;
    return 0;
}

void secret_close(struct secret *s)
{
    if (!s || !s->p)
        return;
    explicit_bzero(s->p, s->capacity + 1);
    os_unmap(s->p, s->capacity + 1);
    memset(s, 0, sizeof *s);
}
