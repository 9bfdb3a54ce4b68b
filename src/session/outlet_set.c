/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lists of outlets. Only the thread of the session changes them, under the lock;
 * others take it to look. An outlet stays where it is in memory, for its exporter
 * keeps pointers into it.
 */
#include "session/outlet_set.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "deliver/deliver.h"
#include "session/fetch.h"

void outlet_set_init(struct outlet_set *set)
{
    memset(set, 0, sizeof *set);
    pthread_mutex_init(&set->lock, NULL);
}

static void free_outlet(struct outlet *o, bool closed)
{
    if (!closed) { /* abandoned: free what open made */
        const struct export_summary none = {0};
        (void)o->exporter->close(o->state, &none, NULL);
    }
    outlet_done(o);
    mem_free(o);
}

void outlet_set_done(struct outlet_set *set, bool finished)
{
    for (unsigned i = 0; i < set->next_count; i++)
        free_outlet(set->next[i], false);
    for (unsigned i = 0; i < set->count; i++)
        free_outlet(set->live[i], finished);
    for (unsigned i = 0; i < set->past_count; i++)
        free_outlet(set->past[i], true);
    pthread_mutex_destroy(&set->lock);
}

/* ---- new ones ---- */

static bool is_replaced(const struct outlet_set *set, const struct outlet *o)
{
    const unsigned kind = o->destination           ? SESSION_RECEIVERS
                          : o->exporter->suffix[0] ? SESSION_FILES
                                                   : 0; /* the program's: it stays */
    return (set->changing & kind) != 0;
}

/* How many there will be. */
static unsigned count_to_be(const struct outlet_set *set)
{
    unsigned n = set->next_count;
    for (unsigned i = 0; i < set->count; i++)
        n += !is_replaced(set, set->live[i]);
    return n;
}

int outlet_set_add(struct outlet_set *set, const struct exporter *exporter, const void *options,
                   struct out *out, struct deliver *d, const struct model_catalog *catalog,
                   struct oriel_err *err)
{
    if (count_to_be(set) >= SESSION_OUTLETS_MAX) {
        out_close(out);
        return err_set(err, ORIEL_ELIMIT, "%s: no more than %u outlets in one session",
                       exporter->name, SESSION_OUTLETS_MAX);
    }
    struct outlet *o = mem_calloc(1, sizeof *o);
    if (!o) {
        out_close(out);
        return err_set(err, ORIEL_ENOMEM, "%s: out of memory", exporter->name);
    }
    int rc = outlet_open(o, exporter, options, out, catalog, err);
    if (rc < 0) {
        mem_free(o);
        return rc;
    }
    o->destination = d;
    pthread_mutex_lock(&set->lock);
    if (set->changing)
        set->next[set->next_count++] = o;
    else
        set->live[set->count++] = o;
    pthread_mutex_unlock(&set->lock);
    return 0;
}

int outlet_set_begin(struct outlet_set *set, unsigned which, struct oriel_err *err)
{
    unsigned receivers = 0;
    assert(which && !set->changing && !set->next_count);
    for (unsigned i = 0; i < set->count; i++)
        receivers += (which & SESSION_RECEIVERS) && set->live[i]->destination;
    if (set->past_count + receivers > SESSION_PAST_MAX)
        return err_set(err, ORIEL_EBUSY, "receivers of earlier changes are still being sent to");
    set->changing = which;
    return 0;
}

void outlet_set_drop(struct outlet_set *set)
{
    for (unsigned i = 0; i < set->next_count; i++) {
        struct outlet *o = set->next[i];
        char path[sizeof o->out->path] = "";
        if (o->out && !o->destination)
            memcpy(path, o->out->path, sizeof path);
        free_outlet(o, false);
        if (strchr(path, '/')) /* not standard output */
            (void)unlink(path);
    }
    set->next_count = 0;
    set->changing = 0;
}

/* ---- those that were replaced ---- */

/* Every field of it is a sum but the last. */
static void add_counts(struct deliver_counts *into, const struct deliver_counts *n)
{
    into->given += n->given;
    into->delivered += n->delivered;
    into->rejected += n->rejected;
    into->refused += n->refused;
    into->full += n->full;
    into->expired += n->expired;
    into->spool_lost += n->spool_lost;
    into->queued += n->queued;
    into->in_flight += n->in_flight;
    into->spooled += n->spooled;
    into->recovered += n->recovered;
    into->messages += n->messages;
    into->tries += n->tries;
    into->connections += n->connections;
    into->bytes_out += n->bytes_out;
    into->try_ns += n->try_ns;
}

static void add_destination(struct deliver *d, struct deliver_counts *traces,
                            struct deliver_counts *logs, struct deliver_counts *all)
{
    struct deliver_counts n;
    if (traces) {
        deliver_counts(d, OUT_TRACES, &n);
        add_counts(traces, &n);
    }
    if (logs) {
        deliver_counts(d, OUT_LOGS, &n);
        add_counts(logs, &n);
    }
    if (all) {
        deliver_total(d, &n);
        add_counts(all, &n);
    }
}

static void add_books(struct session_books *into, const struct outlet *o)
{
    into->given += o->given;
    into->delivered += o->delivered;
    into->refused += o->refused;
    into->failed += o->failed;
}

/* The lock is held. What it says from here on is what it says for ever: nothing of it is
 * under way any more. */
static void keep_books(struct outlet_set *set, const struct outlet *o)
{
    assert(o->delivered + o->refused == o->given);
    add_books(&set->gone, o);
    if (o->out && !o->destination)
        add_books(&set->gone_files, o);
    if (!set->first.code)
        set->first = o->first;
    if (!o->destination)
        return;
    add_destination(o->destination, &set->gone_traces, &set->gone_logs, &set->gone_total);
    /* Expired once its thread has seen that it is over; nobody will deliver it. */
    set->gone_total.expired += set->gone_total.queued;
    set->gone_traces.expired += set->gone_traces.queued;
    set->gone_logs.expired += set->gone_logs.queued;
    set->gone_total.queued = set->gone_traces.queued = set->gone_logs.queued = 0;
    set->gone_total.in_flight = set->gone_traces.in_flight = set->gone_logs.in_flight = 0;
}

/* The lock is held. */
static void retire(struct outlet_set *set, struct outlet *o, uint64_t until_ns)
{
    assert(set->past_count < SESSION_PAST_MAX);
    set->past_until_ns[set->past_count] = until_ns;
    set->past[set->past_count++] = o;
}

/* The lock is held. The new ones behind those that stay. *closed gets the files. */
static unsigned exchange(struct outlet_set *set, uint64_t until_ns, struct outlet **closed)
{
    unsigned kept = 0, files = 0;
    for (unsigned i = 0; i < set->count; i++) {
        struct outlet *o = set->live[i];
        if (!is_replaced(set, o))
            set->live[kept++] = o;
        else if (o->destination)
            retire(set, o, until_ns);
        else
            closed[files++] = o;
    }
    for (unsigned i = 0; i < set->next_count; i++)
        set->live[kept++] = set->next[i];
    set->count = kept;
    set->next_count = 0;
    for (unsigned i = 0; i < files; i++)
        keep_books(set, closed[i]);
    return files;
}

void outlet_set_take(struct outlet_set *set, const struct export_summary *end)
{
    struct outlet *closed[SESSION_OUTLETS_MAX];
    const uint64_t until_ns = clock_mono_ns() + OUTLET_PAST_NS;
    assert(set->changing && count_to_be(set) <= SESSION_OUTLETS_MAX);
    for (unsigned i = 0; i < set->count; i++) {
        if (!is_replaced(set, set->live[i]))
            continue;
        outlet_close(set->live[i], end);
        outlet_finish(set->live[i], until_ns, false);
    }
    pthread_mutex_lock(&set->lock);
    const unsigned files = exchange(set, until_ns, closed);
    pthread_mutex_unlock(&set->lock);
    for (unsigned i = 0; i < files; i++)
        free_outlet(closed[i], true);
    set->changing = 0;
}

/* Its thread has nothing to do any more, or no time. */
static bool is_over(const struct outlet_set *set, unsigned i, uint64_t now_ns)
{
    struct deliver_counts n;
    deliver_total(set->past[i]->destination, &n);
    return (n.queued == 0 && n.spooled == 0) || now_ns >= set->past_until_ns[i];
}

void outlet_set_tend(struct outlet_set *set, uint64_t now_ns)
{
    for (unsigned i = set->past_count; i-- > 0;) {
        struct outlet *over = NULL;
        if (!is_over(set, i, now_ns))
            continue;
        pthread_mutex_lock(&set->lock);
        if (!set->watchers) {
            over = set->past[i];
            outlet_finish(over, set->past_until_ns[i] < now_ns ? set->past_until_ns[i] : now_ns,
                          true);
            keep_books(set, over);
            set->past_count--;
            set->past[i] = set->past[set->past_count];
            set->past_until_ns[i] = set->past_until_ns[set->past_count];
        }
        pthread_mutex_unlock(&set->lock);
        if (over)
            free_outlet(over, true);
    }
}

void outlet_set_finish(struct outlet_set *set, uint64_t deadline_ns, bool wait)
{
    for (unsigned i = 0; i < set->count; i++)
        outlet_finish(set->live[i], deadline_ns, wait);
    for (unsigned i = 0; i < set->past_count; i++) {
        const uint64_t until = set->past_until_ns[i];
        outlet_finish(set->past[i], until < deadline_ns ? until : deadline_ns, wait);
    }
}

/* ---- whose headers are still to come ---- */

/* Outlet i of all, the new ones too; NULL: there are no more. */
static struct outlet *each(const struct outlet_set *set, unsigned i)
{
    if (i < set->count)
        return set->live[i];
    i -= set->count;
    if (i < set->next_count)
        return set->next[i];
    i -= set->next_count;
    return i < set->past_count ? set->past[i] : NULL;
}

void outlet_set_hold(struct outlet_set *set, const struct deliver *d, struct fetch *fetch)
{
    struct outlet *o;
    for (unsigned i = 0; (o = each(set, i)); i++)
        if (o->destination == d) {
            assert(!o->fetch);
            o->fetch = fetch;
        }
}

bool outlet_set_awaits_vault(const struct outlet_set *set)
{
    const struct outlet *o;
    for (unsigned i = 0; (o = each(set, i)); i++)
        if (o->fetch && fetch_is_pending(o->fetch))
            return true;
    return false;
}

void outlet_set_hurry_vault(struct outlet_set *set, uint64_t until_ns)
{
    struct outlet *o;
    for (unsigned i = 0; (o = each(set, i)); i++)
        if (o->fetch)
            fetch_hurry(o->fetch, until_ns);
}

void outlet_set_leave_vault(struct outlet_set *set)
{
    struct outlet *o;
    outlet_set_hurry_vault(set, 0); /* all at once: none is waited for by itself */
    for (unsigned i = 0; (o = each(set, i)); i++)
        outlet_leave_vault(o);
}

/* ---- files ---- */

bool outlet_set_file(const struct outlet_set *set, unsigned i, struct session_file *out)
{
    const struct outlet *o = i < set->count ? set->live[i] : NULL;
    if (o && o->out && !o->destination) {
        const bool empty = o->first.code == ORIEL_ENOTFOUND; /* the recording has none of it */
        *out = (struct session_file){.path = strcmp(o->out->path, "-") == 0 ? "standard output"
                                                                            : o->out->path,
                                     .why = empty ? 0 : o->first.code,
                                     .given = o->given,
                                     .unwritten = o->refused,
                                     .records = (o->exporter->wants & EXPORT_RECORDS) != 0,
                                     .told = o->told};
        return true;
    }
    if (i != SESSION_OUTLETS_MAX || !set->gone_files.given)
        return false;
    *out = (struct session_file){.why = set->gone_files.refused ? set->first.code : 0,
                                 .given = set->gone_files.given,
                                 .unwritten = set->gone_files.refused};
    return true;
}

/* ---- from any thread ---- */

/* The lock is held. */
static unsigned receivers_of(const struct outlet_set *set, struct deliver **out)
{
    unsigned n = 0;
    for (unsigned i = 0; i < set->count; i++)
        if (set->live[i]->destination)
            out[n++] = set->live[i]->destination;
    for (unsigned i = 0; i < set->past_count; i++)
        out[n++] = set->past[i]->destination;
    return n;
}

int outlet_set_wait(struct outlet_set *set, uint64_t deadline_ns)
{
    struct deliver *receivers[SESSION_OUTLETS_MAX + SESSION_PAST_MAX];
    int rc = 0;
    pthread_mutex_lock(&set->lock);
    const unsigned n = receivers_of(set, receivers);
    set->watchers++;
    pthread_mutex_unlock(&set->lock);
    for (unsigned i = 0; i < n; i++)
        if (deliver_flush(receivers[i], deadline_ns) < 0)
            rc = ORIEL_ETIMEOUT;
    pthread_mutex_lock(&set->lock);
    set->watchers--;
    pthread_mutex_unlock(&set->lock);
    return rc;
}

/* Taking the lock changes nothing that anybody sees. */
static pthread_mutex_t *lock_of(const struct outlet_set *set)
{
    return &((struct outlet_set *)(uintptr_t)set)->lock;
}

bool outlet_set_keeps(const struct outlet_set *set)
{
    struct deliver *receivers[SESSION_OUTLETS_MAX + SESSION_PAST_MAX];
    bool keeps = false;
    pthread_mutex_lock(lock_of(set));
    const unsigned n = receivers_of(set, receivers);
    for (unsigned i = 0; i < n; i++)
        keeps = keeps || deliver_keeps(receivers[i]);
    pthread_mutex_unlock(lock_of(set));
    return keeps;
}

void outlet_set_sent(const struct outlet_set *set, struct deliver_counts *out_traces,
                     struct deliver_counts *out_logs, struct deliver_counts *out_total)
{
    struct deliver *receivers[SESSION_OUTLETS_MAX + SESSION_PAST_MAX];
    pthread_mutex_lock(lock_of(set));
    if (out_traces)
        *out_traces = set->gone_traces;
    if (out_logs)
        *out_logs = set->gone_logs;
    if (out_total)
        *out_total = set->gone_total;
    const unsigned n = receivers_of(set, receivers);
    for (unsigned i = 0; i < n; i++)
        add_destination(receivers[i], out_traces, out_logs, out_total);
    pthread_mutex_unlock(lock_of(set));
}

void outlet_set_replaced(const struct outlet_set *set, struct session_books *out)
{
    pthread_mutex_lock(lock_of(set));
    *out = set->gone;
    for (unsigned i = 0; i < set->past_count; i++)
        add_books(out, set->past[i]);
    pthread_mutex_unlock(lock_of(set));
}
