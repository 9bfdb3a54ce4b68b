/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The secrets this process knows. The list only grows, so that whoever scrubs
 * needs no lock: an entry is there when the count says so. Once there is one, all
 * lines of errors are scrubbed as they are made. Any thread.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "secret/inside.h"

static struct {
    pthread_mutex_t lock; /* of those who add */
    struct secret entries[SECRET_KNOWN_MAX];
    atomic_uint count; /* release pairs with the acquire in secret_known */
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool secret_known(unsigned i, const char **out_p, size_t *out_n)
{
    if (i >= atomic_load_explicit(&known.count, memory_order_acquire))
        return false;
    *out_p = known.entries[i].p;
    *out_n = known.entries[i].n;
    return true;
}

static bool is_known(const char *p, size_t n)
{
    const char *q;
    size_t m;
    for (unsigned i = 0; secret_known(i, &q, &m); i++)
        if (m == n && memcmp(p, q, n) == 0)
            return true;
    return false;
}

/* How many bytes at the end of a text are the beginning of a secret, whose rest was cut. Fewer
 * than SECRET_KNOWN_MIN tell nothing. */
static size_t begun(const char *p, size_t n)
{
    const char *q;
    size_t m, most = 0;
    for (unsigned i = 0; secret_known(i, &q, &m); i++)
        for (size_t k = m < n ? m : n; k > most && k >= SECRET_KNOWN_MIN; k--)
            if (memcmp(p + n - k, q, k) == 0)
                most = k;
    return most;
}

/* A line of an error: what stands at its cut end goes before the rest is looked at. */
static void scrub_cut(char *text, bool cut)
{
    if (cut) {
        const size_t n = strlen(text), k = begun(text, n);
        scrub_mask_whole(text + n - k, k);
    }
    scrub_line(text);
}

static int add_one(const char *p, size_t n)
{
    if (n < SECRET_KNOWN_MIN || is_known(p, n))
        return 0;
    unsigned count = atomic_load_explicit(&known.count, memory_order_relaxed);
    if (count == SECRET_KNOWN_MAX)
        return ORIEL_ELIMIT;
    int rc = secret_copy(&known.entries[count], p, n);
    if (rc != 0)
        return rc;
    scrub_expect(p);
    atomic_store_explicit(&known.count, count + 1, memory_order_release);
    err_set_scrubber(scrub_cut);
    return 0;
}

/* The parts of "Bearer T", "Basic T" and of user:password in T. */
static int add_parts(const char *p, size_t n)
{
    int rc = add_one(p, n);
    bool bearer = n > 7 && strncasecmp(p, "bearer ", 7) == 0;
    bool basic = n > 6 && strncasecmp(p, "basic ", 6) == 0;
    if (rc != 0 || (!bearer && !basic))
        return rc;
    size_t skip = bearer ? 7 : 6;
    rc = add_one(p + skip, n - skip);
    if (rc != 0 || bearer)
        return rc;
    struct secret plain;
    rc = secret_open(&plain, n);
    if (rc != 0)
        return rc;
    plain.n = scrub_base64(p + skip, n - skip, plain.p, plain.capacity);
    const char *colon = memchr(plain.p, ':', plain.n);
    if (colon)
        rc = add_one(colon + 1, plain.n - (size_t)(colon + 1 - plain.p));
    secret_close(&plain);
    return rc;
}

int secret_known_add(const char *p, size_t n)
{
    assert(p || n == 0);
    pthread_mutex_lock(&known.lock);
    int rc = add_parts(p, n);
    pthread_mutex_unlock(&known.lock);
    return rc;
}

void secret_known_forget(void)
{
    unsigned count = atomic_exchange(&known.count, 0);
    for (unsigned i = 0; i < count; i++)
        secret_close(&known.entries[i]);
    err_set_scrubber(NULL);
}
