/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Asks the vault on a thread of its own and tells the destinations what came of
 * it. The thread touches what it was given and nothing else: neither the session
 * nor the program's environment, which the program may be changing.
 */
#include "session/fetch.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/own.h"
#include "secret/secret.h"
#include "session/headers.h"
#include "util/http.h"

#define PATIENCE_NS UINT64_C(30000000000)

struct fetch {
    struct fetch_options how;
    atomic_uint owners; /* whoever made it, and each that waits */
    char **environment; /* the list, and the texts behind it: one block */
    size_t environment_bytes;
    pthread_mutex_t lock; /* of what is `to`, and what is done to it */
    struct {
        struct deliver *to; /* NULL: it has left */
        const char *name, *key;
        bool done;
    } waiting[FETCH_MAX];
    unsigned count;
    bool given;                /* one that left had something to send */
    _Atomic uint64_t until_ns; /* what fetch_hurry says; relaxed: nothing else is told by it */
    atomic_bool over;          /* release pairs with the acquire in fetch_is_pending */
    char why[512];             /* to be said at the end; "": nothing */
    pthread_t thread;
    bool running;
};

/* ---- the environment ---- */

static int copy_environment(struct fetch *f, const char *const *from)
{
    size_t n = 0, bytes = 0;
    for (; from && from[n]; n++)
        bytes += strlen(from[n]) + 1;
    const size_t list = (n + 1) * sizeof *f->environment;
    f->environment = mem_calloc(1, list + bytes);
    if (!f->environment)
        return ORIEL_ENOMEM;
    f->environment_bytes = list + bytes;
    char *to = (char *)f->environment + list;
    for (size_t i = 0; i < n; i++) {
        const size_t size = strlen(from[i]) + 1;
        memcpy(to, from[i], size);
        f->environment[i] = to;
        to += size;
    }
    return 0;
}

/* Tokens may stand in it. */
static void forget_environment(struct fetch *f)
{
    if (f->environment)
        explicit_bzero(f->environment, f->environment_bytes);
    mem_free(f->environment);
    f->environment = NULL;
}

/* ---- what came of it ---- */

static void say(const struct fetch *f, const char *name, bool bad, const char *why)
{
    char line[700];
    snprintf(line, sizeof line, "%s: %s%s", name, bad ? "nothing is sent: " : "", why);
    if (f->how.say)
        f->how.say(f->how.user, bad, line);
}

static bool same_headers(const struct fetch *f, unsigned first, unsigned i)
{
    const char *a = f->waiting[first].key, *b = f->waiting[i].key;
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The lock is held. */
static bool waits_too(const struct fetch *f, unsigned first, unsigned i)
{
    return f->waiting[i].to && !f->waiting[i].done && same_headers(f, first, i);
}

/* Whether anybody is left who waits for the headers of waiting[first]. */
static bool is_waited_for(struct fetch *f, unsigned first)
{
    bool any = false;
    pthread_mutex_lock(&f->lock);
    for (unsigned i = first; i < f->count && !any; i++)
        any = waits_too(f, first, i);
    pthread_mutex_unlock(&f->lock);
    return any;
}

/* One line, whoever waits for the same headers. Who is given nothing loses nothing: a program
 * that ended before its vault has answered hears of it at the end, if it had anything to say. */
static void bar_all(struct fetch *f, unsigned first, int rc, const char *why)
{
    const bool cut = atomic_load_explicit(&f->until_ns, memory_order_relaxed) != UINT64_MAX;
    pthread_mutex_lock(&f->lock);
    for (unsigned i = first; i < f->count; i++)
        if (waits_too(f, first, i)) {
            deliver_bar(f->waiting[i].to);
            f->waiting[i].done = true;
        }
    pthread_mutex_unlock(&f->lock);
    if (cut && rc == ORIEL_ETIMEOUT)
        snprintf(f->why, sizeof f->why, "%s", why);
    else
        say(f, f->waiting[first].name, true, why);
}

static void admit_all(struct fetch *f, unsigned first, const struct vault_headers *h)
{
    struct http_header headers[VAULT_HEADERS_MAX];
    assert(h->count <= VAULT_HEADERS_MAX);
    for (size_t i = 0; i < h->count; i++)
        headers[i] = (struct http_header){.name = h->items[i].name,
                                          .name_n = strlen(h->items[i].name),
                                          .value = h->items[i].value,
                                          .value_n = strlen(h->items[i].value)};
    pthread_mutex_lock(&f->lock);
    for (unsigned i = first; i < f->count; i++) {
        struct oriel_err err = {0};
        if (!waits_too(f, first, i))
            continue;
        f->waiting[i].done = true;
        if (deliver_admit(f->waiting[i].to, headers, h->count, &err) == 0)
            continue;
        say(f, f->waiting[i].name, true, err.text);
        deliver_bar(f->waiting[i].to);
    }
    pthread_mutex_unlock(&f->lock);
}

/* For the headers of waiting[first], and of whoever waits for the same. */
static void ask(struct fetch *f, unsigned first, uint64_t deadline_ns)
{
    struct oriel_err err = {0};
    struct vault_headers headers = {0};
    const char *key = f->waiting[first].key;
    const struct headers_ask how = {.environment = (const char *const *)f->environment,
                                    .deadline_ns = deadline_ns,
                                    .nearer_ns = &f->until_ns};
    int rc = key ? session_headers_of(f->how.config, key, &how, &headers, &err)
                 : session_headers(f->how.config, &how, &headers, &err);
    if (rc < 0) {
        bar_all(f, first, rc, err.text);
        return;
    }
    if (err.text[0]) /* none, and nobody requires them */
        say(f, f->waiting[first].name, false, err.text);
    admit_all(f, first, &headers);
    vault_headers_done(&headers);
}

/* This thread only, and not for long: nothing keeps a file system busy then that the program has
 * left. Where that is not to be, a file that is not found is told as one. */
static void go_there(const char *where)
{
    if (where && unshare(CLONE_FS) == 0 && chdir(where) != 0)
        errno = 0;
}

static void *run(void *arg)
{
    struct fetch *f = arg;
    own_thread_begin(OWN_VAULT);
    go_there(f->how.where);
    const uint64_t deadline_ns = clock_mono_ns() + f->how.patience_ns;
    for (unsigned i = 0; i < f->count; i++)
        if (is_waited_for(f, i))
            ask(f, i, deadline_ns);
    forget_environment(f);
    atomic_store_explicit(&f->over, true, memory_order_release);
    return NULL;
}

/* ---- its life ---- */

int fetch_new(struct fetch **out, const struct fetch_options *options)
{
    assert(options->size == sizeof *options && options->config);
    struct fetch *f = mem_calloc(1, sizeof *f);
    *out = f;
    if (!f)
        return ORIEL_ENOMEM;
    f->how = *options;
    f->how.config = config_ref(options->config);
    atomic_init(&f->owners, 1);
    pthread_mutex_init(&f->lock, NULL);
    if (!f->how.patience_ns)
        f->how.patience_ns = PATIENCE_NS;
    atomic_init(&f->until_ns, UINT64_MAX);
    return 0;
}

int fetch_add(struct fetch *f, struct deliver *d, const char *name, const char *key)
{
    assert(!f->running);
    if (f->count == FETCH_MAX)
        return ORIEL_ELIMIT;
    f->waiting[f->count].to = d;
    f->waiting[f->count].key = key;
    f->waiting[f->count++].name = name;
    atomic_fetch_add_explicit(&f->owners, 1, memory_order_relaxed);
    return 0;
}

void fetch_start(struct fetch *f)
{
    sigset_t all, before;
    assert(!f->running);
    if (f->count == 0)
        return;
    int rc = copy_environment(f, f->how.environment);
    sigfillset(&all); /* a new thread inherits the mask: the program's handlers never run on it */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc == 0 && pthread_create(&f->thread, NULL, run, f) != 0)
        rc = ORIEL_ENOMEM;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    f->running = rc == 0;
    for (unsigned i = 0; rc != 0 && i < f->count; i++)
        if (!f->waiting[i].done)
            bar_all(f, i, rc, err_text(rc));
}

bool fetch_is_pending(const struct fetch *f)
{
    return f->running && !atomic_load_explicit(&f->over, memory_order_acquire);
}

void fetch_hurry(struct fetch *f, uint64_t until_ns)
{
    atomic_store_explicit(&f->until_ns, until_ns, memory_order_relaxed);
}

void fetch_leave(struct fetch *f, struct deliver *d)
{
    struct deliver_counts c;
    assert(d);
    pthread_mutex_lock(&f->lock);
    for (unsigned i = 0; i < f->count; i++)
        if (f->waiting[i].to == d) {
            deliver_total(d, &c);
            f->given |= c.given > 0;
            f->waiting[i].to = NULL;
        }
    pthread_mutex_unlock(&f->lock);
    fetch_unref(f);
}

void fetch_unref(struct fetch *f)
{
    /* What the others did with it is done before it is freed. */
    if (!f || atomic_fetch_sub_explicit(&f->owners, 1, memory_order_acq_rel) > 1)
        return;
    fetch_hurry(f, 0);
    if (f->running)
        pthread_join(f->thread, NULL);
    if (f->why[0] && f->given)
        say(f, f->waiting[0].name, true, f->why);
    forget_environment(f);
    pthread_mutex_destroy(&f->lock);
    config_free((struct config *)(uintptr_t)f->how.config);
    mem_free(f);
}
