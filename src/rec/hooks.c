/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which hooks the program has registered. Of two states one is in force while the
 * other is filled; whoever changes it then waits until nobody reads the one before,
 * so a removed hook is in no thread any more. Readers: any thread, any signal
 * handler, two atomic additions. Writers: one at a time, not in hooks.
 */
#include "rec/hooks.h"

#include <assert.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/os.h"

static pthread_mutex_t hooks_lock = PTHREAD_MUTEX_INITIALIZER;
static struct rec_hooks states[2];
static uint32_t epoch;     /* atomic; states[epoch % 2] is in force */
static uint32_t inside[2]; /* atomic; threads that read that state */
static int numbers;
static const struct oriel_site **seen; /* by id; atomic, each of them too */

uint32_t rec_hooks_kinds;

/* ---- reading ---- */

const struct rec_hooks *rec_hooks_enter(void)
{
    if (rec_thread_local.in_hook || !__atomic_load_n(&rec_hooks_kinds, __ATOMIC_ACQUIRE))
        return NULL;
    rec_thread_local.in_hook = 1;
    ORIEL_SIGNAL_FENCE();
    for (;;) {
        const uint32_t now = __atomic_load_n(&epoch, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&inside[now % 2], 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&epoch, __ATOMIC_SEQ_CST) == now)
            return &states[now % 2];
        __atomic_fetch_sub(&inside[now % 2], 1, __ATOMIC_RELEASE);
    }
}

void rec_hooks_leave(const struct rec_hooks *h)
{
    uint32_t *count = &inside[h - states];
    if (__atomic_load_n(count, __ATOMIC_RELAXED)) /* 0: a child that a hook forked */
        __atomic_fetch_sub(count, 1, __ATOMIC_RELEASE);
    ORIEL_SIGNAL_FENCE();
    rec_thread_local.in_hook = 0;
}

void rec_hooks_site_seen(uint32_t id, const struct oriel_site *site)
{
    const struct oriel_site **table = __atomic_load_n(&seen, __ATOMIC_ACQUIRE);
    assert(id <= ORIEL_SITE_ID_MAX);
    if (table && __atomic_load_n(&table[id], __ATOMIC_RELAXED) != site)
        __atomic_store_n(&table[id], site, __ATOMIC_RELEASE);
}

const struct oriel_site *rec_hooks_site(uint32_t id)
{
    const struct oriel_site **table = __atomic_load_n(&seen, __ATOMIC_ACQUIRE);
    return table && id <= ORIEL_SITE_ID_MAX ? __atomic_load_n(&table[id], __ATOMIC_ACQUIRE) : NULL;
}

void rec_hooks_site_gone(const struct oriel_site *site)
{
    const struct oriel_site **table = __atomic_load_n(&seen, __ATOMIC_ACQUIRE);
    const uint32_t id = ORIEL_RECORDED(__atomic_load_n(site->word, __ATOMIC_RELAXED));
    if (table && __atomic_load_n(&table[id], __ATOMIC_RELAXED) == site)
        __atomic_store_n(&table[id], NULL, __ATOMIC_RELEASE);
}

/* ---- changing ---- */

/* In a fork child nobody else reads, and whoever held the lock is gone. */
void rec_hooks_forked(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    hooks_lock = unlocked;
    inside[0] = inside[1] = 0;
}

static uint32_t kinds_of(const struct rec_hooks *h)
{
    const bool spans = h->spans || h->ids_number || h->sampler_number || h->has_house;
    return (spans ? REC_HOOKS_SPANS : 0u) | (h->logs ? REC_HOOKS_LOGS : 0u) |
           (h->sampler_number || h->has_house ? REC_HOOKS_DECIDE : 0u);
}

/* The state that comes next, as the present one; under the lock. */
static struct rec_hooks *next_state(void)
{
    struct rec_hooks *next = &states[(epoch + 1) % 2];
    *next = states[epoch % 2];
    return next;
}

/* Until nobody reads it, or the time has come: a thread may never leave a hook. */
static void wait_for_readers(uint32_t state, uint64_t until_ns)
{
    while (__atomic_load_n(&inside[state], __ATOMIC_SEQ_CST) && clock_mono_ns() < until_ns)
        os_yield();
}

/* It is in force; the one before is nobody's when this returns, unless it was time. */
static void put_in_force(uint64_t until_ns)
{
    const uint32_t before = epoch % 2, kinds = kinds_of(&states[(epoch + 1) % 2]);
    __atomic_store_n(&epoch, epoch + 1, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&rec_hooks_kinds, kinds, __ATOMIC_SEQ_CST) != kinds)
        rec_sites_switch();
    wait_for_readers(before, until_ns);
}

/* What is needed as soon as there is one. */
static int prepare(void)
{
    void *p = NULL;
    if (!seen) {
        if (os_map_private((ORIEL_SITE_ID_MAX + 1) * sizeof *seen, &p) != 0)
            return ORIEL_ENOMEM;
        __atomic_store_n(&seen, (const struct oriel_site **)p, __ATOMIC_RELEASE);
    }
    return rec_extra_prepare();
}

/* Under the lock, with the state that will be; else an error, and no lock. */
static int begin_change(struct rec_hooks **out)
{
    if (rec_thread_local.in_hook)
        return ORIEL_EBUSY;
    pthread_mutex_lock(&hooks_lock);
    wait_for_readers((epoch + 1) % 2, UINT64_MAX); /* whom a stop had no time for */
    int rc = prepare();
    if (rc)
        pthread_mutex_unlock(&hooks_lock);
    else
        *out = next_state();
    return rc;
}

static int end_change(int rc)
{
    if (rc >= 0)
        put_in_force(UINT64_MAX);
    pthread_mutex_unlock(&hooks_lock);
    return rc;
}

int oriel_span_processor_add(const struct oriel_span_processor *processor)
{
    struct rec_hooks *h;
    if (!processor || processor->size != sizeof *processor)
        return ORIEL_EINVAL;
    int rc = begin_change(&h);
    if (rc)
        return rc;
    if (h->spans == ORIEL_HOOKS_MAX)
        return end_change(ORIEL_ELIMIT);
    h->span[h->spans] = *processor;
    return end_change(h->span_number[h->spans++] = ++numbers);
}

int oriel_log_processor_add(const struct oriel_log_processor *processor)
{
    struct rec_hooks *h;
    if (!processor || processor->size != sizeof *processor)
        return ORIEL_EINVAL;
    int rc = begin_change(&h);
    if (rc)
        return rc;
    if (h->logs == ORIEL_HOOKS_MAX)
        return end_change(ORIEL_ELIMIT);
    h->log[h->logs] = *processor;
    return end_change(h->log_number[h->logs++] = ++numbers);
}

int oriel_id_generator_set(const struct oriel_id_generator *generator)
{
    struct rec_hooks *h;
    if (!generator || generator->size != sizeof *generator)
        return ORIEL_EINVAL;
    int rc = begin_change(&h);
    if (rc)
        return rc;
    if (h->ids_number)
        return end_change(ORIEL_ELIMIT);
    h->ids = *generator;
    return end_change(h->ids_number = ++numbers);
}

int oriel_sampler_set(const struct oriel_sampler *sampler)
{
    struct rec_hooks *h;
    if (!sampler || sampler->size != sizeof *sampler || !sampler->should_sample)
        return ORIEL_EINVAL;
    int rc = begin_change(&h);
    if (rc)
        return rc;
    if (h->sampler_number)
        return end_change(ORIEL_ELIMIT);
    h->sampler = *sampler;
    return end_change(h->sampler_number = ++numbers);
}

/* Another thread may be in a hook of the program for as long as that likes. */
enum { HOUSE_WAIT_MS = 100 };

static bool lock_until(uint64_t until_ns)
{
    while (pthread_mutex_trylock(&hooks_lock) != 0) {
        if (clock_mono_ns() >= until_ns)
            return false;
        os_yield();
    }
    return true;
}

int rec_house_told(const struct oriel_sampler *sampler, bool entries)
{
    const uint64_t until = clock_mono_ns() + HOUSE_WAIT_MS * UINT64_C(1000000);
    if (!sampler && !__atomic_load_n(&rec_hooks_kinds, __ATOMIC_ACQUIRE))
        return 0; /* and there was none */
    if (rec_thread_local.in_hook || !lock_until(until))
        return ORIEL_EBUSY;
    wait_for_readers((epoch + 1) % 2, until);
    int rc = __atomic_load_n(&inside[(epoch + 1) % 2], __ATOMIC_SEQ_CST) ? ORIEL_EBUSY : prepare();
    if (rc == 0) {
        struct rec_hooks *next = next_state();
        next->has_house = sampler != NULL;
        next->house = sampler ? *sampler : (struct oriel_sampler){0};
        next->entries = entries;
        put_in_force(until);
    }
    pthread_mutex_unlock(&hooks_lock);
    return rc;
}

/* Take `number` out of a list of `*count`; its members are `bytes` long. */
static bool take_out(int *list, uint32_t *count, int number, void *members, size_t bytes)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (list[i] != number)
            continue;
        const uint32_t behind = --*count - i;
        memmove(&list[i], &list[i + 1], behind * sizeof *list);
        memmove((char *)members + i * bytes, (char *)members + (i + 1) * bytes, behind * bytes);
        return true;
    }
    return false;
}

int oriel_hook_remove(int number)
{
    struct rec_hooks *h;
    int rc = number > 0 ? begin_change(&h) : ORIEL_ENOTFOUND;
    if (rc)
        return rc;
    if (h->ids_number == number)
        h->ids_number = 0;
    else if (h->sampler_number == number)
        h->sampler_number = 0;
    else if (!take_out(h->span_number, &h->spans, number, h->span, sizeof *h->span) &&
             !take_out(h->log_number, &h->logs, number, h->log, sizeof *h->log))
        rc = ORIEL_ENOTFOUND;
    return end_change(rc);
}

/* ---- the program's own flush and stop ---- */

void rec_hooks_flush(unsigned timeout_ms)
{
    const struct rec_hooks *h = rec_hooks_enter();
    if (!h)
        return;
    for (uint32_t i = 0; i < h->spans; i++)
        if (h->span[i].force_flush)
            h->span[i].force_flush(h->span[i].user, timeout_ms);
    for (uint32_t i = 0; i < h->logs; i++)
        if (h->log[i].force_flush)
            h->log[i].force_flush(h->log[i].user, timeout_ms);
    rec_hooks_leave(h);
}

void rec_hooks_stop(uint64_t until_ns)
{
    const struct rec_hooks *h = rec_hooks_enter();
    struct rec_hooks *none;
    if (!h)
        return;
    for (uint32_t i = 0; i < h->spans; i++)
        if (h->span[i].shutdown)
            h->span[i].shutdown(h->span[i].user);
    for (uint32_t i = 0; i < h->logs; i++)
        if (h->log[i].shutdown)
            h->log[i].shutdown(h->log[i].user);
    rec_hooks_leave(h);
    if (rec_thread_local.in_hook || pthread_mutex_trylock(&hooks_lock) != 0)
        return; /* whoever changes hooks now may wait for long */
    if (!__atomic_load_n(&inside[(epoch + 1) % 2], __ATOMIC_SEQ_CST)) {
        none = next_state();
        none->spans = none->logs = 0;
        none->ids_number = none->sampler_number = 0;
        none->has_house = false;
        put_in_force(until_ns);
    }
    pthread_mutex_unlock(&hooks_lock);
}
