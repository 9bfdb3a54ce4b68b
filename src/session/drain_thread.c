/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The drain thread of an export inside the program: it reads the ring, sees to what others asked
 * it for under the lock, looks at files that may have changed, and sleeps in between. The session
 * is its own from its first line to its last.
 */
#include "session/drain_thread.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "deliver/deliver.h"
#include "session/drain.h"
#include "session/figures.h"
#include "session/pace.h"
#include "session/start_config.h"
#include "session/start_resource.h"

#define SECRETS_NS UINT64_C(2000000000) /* longest wait for what a vault keeps secret */
#define SECRETS_STEP_NS 2000000L
#define FLIGHT_LOOK_NS UINT64_C(10000000) /* how often a trigger is looked for */
#define BYTES_PER_NS 2                    /* more than a thread can say */
#define RECORD_BYTES 16                   /* the least that one takes of the ring */
#define BEGINNING_NS UINT64_C(2000000000) /* system metrics are read at short intervals first */
#define YOUNG_NS UINT64_C(10000000000)    /* a fork child may begin to speak in that time */

void inprocess_say_why(const struct inprocess *in, int rc, const struct oriel_err *err)
{
    if (!in->run.config || config_telemetry(in->run.config)->log_level >= CONFIG_LOG_ERROR)
        start_say("telemetry does not start: ", err->text[0] ? err->text : err_text(rc));
}

/* What the vault knows is scrubbed from all that is told once it has answered: until then records
 * stay in the ring, but not for long. */
static void wait_for_secrets(struct inprocess *in, const struct fetch *fetch)
{
    const struct timespec pause = {0, SECRETS_STEP_NS};
    const uint64_t until = clock_mono_ns() + SECRETS_NS;
    bool running = true;
    while (running && fetch_is_pending(fetch) && clock_mono_ns() < until) {
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&in->lock);
        running = in->state == RUNNING;
        pthread_mutex_unlock(&in->lock);
    }
}

/* A flight recorder is emptied by triggers only. */
static void serve_flush(struct inprocess *in)
{
    pthread_mutex_lock(&in->lock);
    const unsigned asked = in->flush_asked;
    const bool wanted = asked != in->flush_done;
    const uint64_t deadline = in->flush_deadline_ns;
    pthread_mutex_unlock(&in->lock);
    if (!wanted)
        return;
    if (!in->run.flight)
        drain_up_to_now(in->run.session, deadline);
    in->run.call_deadline_ns = deadline;
    session_flush(in->run.session);
    in->run.call_deadline_ns = 0;
    pthread_mutex_lock(&in->lock);
    in->flush_done = asked;
    if (asked == in->flush_asked)
        in->flush_deadline_ns = 0;
    pthread_cond_broadcast(&in->changed);
    pthread_mutex_unlock(&in->lock);
}

void inprocess_call(struct inprocess *in)
{
    pthread_cond_broadcast(&in->changed);
    if (in->napping)
        nap_call(&in->nap);
}

/* The lock is held. */
static bool is_asked(struct inprocess *in)
{
    return in->state != RUNNING || in->flush_asked != in->flush_done ||
           in->reload_asked != in->reload_done;
}

/* The lock is held. False: there was none. *out_ran: the program ran meanwhile. */
static bool nap(struct inprocess *in, uint64_t wall_ns, bool *out_ran)
{
    const uint64_t cpu_ns = in->run.ring_bytes / BYTES_PER_NS / 4;
    if (is_asked(in) || !nap_lie_down(&in->nap))
        return false;
    in->napping = true;
    pthread_mutex_unlock(&in->lock);
    const enum nap_end end = nap_take(&in->nap, cpu_ns ? cpu_ns : 1, wall_ns);
    pthread_mutex_lock(&in->lock);
    in->napping = false;
    nap_get_up(&in->nap, end);
    *out_ran = end == NAP_CALLED;
    return end != NAP_FAILED;
}

/* How long to sleep; a round costs far more than a look at how much there is to read. */
struct rest {
    uint64_t ns;        /* between two looks; 0: not at all */
    uint64_t little_ns; /* in all, while looks find no more than `little` bytes taken of the ring */
    uint64_t little;
    uint64_t nap_ns; /* for so long instead, while the program does nothing; 0: no */
};

/* The lock is held. When the last look found little. */
static uint64_t doze(struct inprocess *in, const struct rest *r)
{
    const uint64_t began = clock_mono_ns();
    uint64_t now = began, looked;
    do {
        looked = now;
        const struct timespec until = drain_time(now + r->ns);
        while (!is_asked(in) &&
               pthread_cond_timedwait(&in->changed, &in->lock, &until) != ETIMEDOUT)
            ;
        now = clock_mono_ns();
    } while (!is_asked(in) && now + r->ns <= began + r->little_ns &&
             region_taken_bytes(in->run.region) <= r->little);
    return looked;
}

/* What came of it. */
struct rested {
    bool ran;           /* the program did, and ended a nap */
    uint64_t looked_ns; /* when little had come; 0: that was not looked at */
};

/* Sleep, or return early because a stop or a flush was asked for. True: stop. */
static bool sleep_or_stop(struct inprocess *in, const struct rest *r, struct rested *out)
{
    *out = (struct rested){.ran = false};
    pthread_mutex_lock(&in->lock);
    if (r->ns && (r->nap_ns <= r->ns || !nap(in, r->nap_ns, &out->ran)))
        out->looked_ns = doze(in, r);
    bool stop = in->state != RUNNING;
    pthread_mutex_unlock(&in->lock);
    return stop;
}

/* ---- a file that was changed ---- */

/* All of it or nothing. */
static int apply_reload(struct inprocess *in, struct config *now, unsigned outlets,
                        struct oriel_err *err)
{
    struct fetch *fetch;
    int rc = running_change_begin(&in->run, now, outlets, &fetch, err);
    if (rc < 0)
        return rc;
    if (outlets) {
        fetch_start(fetch);
        wait_for_secrets(in, fetch);
        fetch_unref(fetch);
    }
    return running_change_take(&in->run, now, outlets, err);
}

static int reload_now(struct inprocess *in)
{
    struct config *now = NULL;
    struct oriel_err err = {0};
    struct buf line;
    buf_init(&line);
    unsigned outlets;
    int rc = reload_load(&in->run.reload, running_config(&in->run), &now, &outlets, &line, &err);
    if (rc == 0 && now)
        rc = apply_reload(in, now, outlets, &err);
    if (reload_answered(&in->run.reload, rc))
        running_tell_change(&in->run, buf_cstr(&line), rc, &err);
    if (rc == 0 && now) {
        pthread_mutex_lock(&in->lock);
        struct config *before = in->run.latest;
        in->run.latest = now;
        in->exit_ms = (unsigned)config_telemetry(now)->exit_ms;
        pthread_mutex_unlock(&in->lock);
        now = before;
    }
    config_free(now);
    buf_done(&line);
    return rc;
}

static void look_at_files(struct inprocess *in)
{
    pthread_mutex_lock(&in->lock);
    const unsigned asked = in->reload_asked;
    const bool wanted = asked != in->reload_done;
    pthread_mutex_unlock(&in->lock);
    const bool due = reload_due(&in->run.reload, clock_mono_ns(), wanted);
    const int rc = due ? reload_now(in) : ORIEL_ENOTFOUND;
    if (!wanted)
        return;
    pthread_mutex_lock(&in->lock);
    in->reload_result = rc;
    in->reload_done = asked;
    pthread_cond_broadcast(&in->changed);
    pthread_mutex_unlock(&in->lock);
}

/* Others may write here, or begin to: their clocks do not end a nap, and the places that they leave
 * in the ring's tables are theirs again only after a round. */
static bool has_others(struct inprocess *in, uint64_t now)
{
    const uint64_t forked = __atomic_load_n(&in->forked_ns, __ATOMIC_RELAXED);
    return (forked && now - forked <= YOUNG_NS) ||
           (region_had_others(in->run.region) && !region_is_alone(in->run.region));
}

/* So much at once fills no receiver's queue by more than half. */
static uint64_t little_of(const struct inprocess *in)
{
    uint64_t bytes = in->run.ring_bytes / 8;
    for (unsigned i = 0; i < SESSION_OUTLETS_MAX; i++) {
        struct deliver_counts c = {.queue_items = 0};
        if (session_destination(in->run.session, i))
            deliver_total(session_destination(in->run.session, i), &c);
        if (c.queue_items && c.queue_items / 2 * RECORD_BYTES < bytes)
            bytes = c.queue_items / 2 * RECORD_BYTES;
    }
    return bytes;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Where little comes, and from this process only. */
static void rest_more(struct inprocess *in, struct rest *r, bool nap, uint64_t now)
{
    const uint64_t patience = running_patience(&in->run, now);
    r->little_ns = least(PACE_LITTLE_NS, patience);
    r->little = little_of(in);
    r->nap_ns = nap ? patience : 0;
}

/* One that runs and says nothing is looked at as often as one that speaks: after each nap that it
 * ended comes a pause by the clock. */
static void follow(struct inprocess *in)
{
    struct pace pace;
    uint64_t ns, now;
    const uint64_t began = clock_mono_ns();
    struct rest rest;
    struct rested rested = {.ran = false};
    nap_begin(&in->nap);
    pace_init(&pace, in->run.ring_bytes);
    do {
        bool more;
        serve_flush(in);
        look_at_files(in);
        int result = session_step(in->run.session, NULL);
        uint64_t bytes = session_step_bytes(in->run.session, &more);
        now = clock_mono_ns();
        figures_tell(in->run.session, in->run.region, now);
        running_tell_files(&in->run, false);
        pace.idle_ns = session_wants_records(in->run.session) ? PACE_IDLE_NS
                                                              : pace_of_sending(in->run.ring_bytes);
        pace_looked(&pace, rested.looked_ns);
        ns = pace_next(&pace, bytes, more && result >= 0, now);
        rest = (struct rest){.ns = ns};
        if (ns >= pace.idle_ns && now - began >= BEGINNING_NS && !has_others(in, now))
            rest_more(in, &rest, pace_is_quiet(&pace, now) && !rested.ran, now);
    } while (!sleep_or_stop(in, &rest, &rested));
    nap_over(&in->nap);
}

/* The ring keeps the last of everything; nothing is read until a trigger. True:
 * one was asked for so shortly before the stop that the ring may have had no
 * times for its records yet; what the end finds is then to be told. */
static bool wait_for_triggers(struct inprocess *in)
{
    /* One that was asked for before this thread ran counts, too. */
    uint32_t done = in->run.inherited ? region_triggers(in->run.region) : 0;
    const struct rest rest = {.ns = FLIGHT_LOOK_NS};
    struct rested rested;
    bool stop, news;
    do {
        stop = sleep_or_stop(in, &rest, &rested);
        uint32_t asked = region_triggers(in->run.region);
        news = asked != done;
        if (news)
            drain_until_idle(in->run.session);
        else
            session_look(in->run.session);
        serve_flush(in);
        look_at_files(in);
        running_tell_files(&in->run, false);
        done = asked;
    } while (!stop);
    return news;
}

static void finish(struct inprocess *in, bool tell)
{
    pthread_mutex_lock(&in->lock);
    const uint64_t deadline = in->deadline_ns, keep = in->keep_ns;
    pthread_mutex_unlock(&in->lock);
    drain_vault(in->run.session, deadline);
    session_set_deadline(in->run.session, deadline);
    session_keep_until(in->run.session, keep);
    in->run.call_deadline_ns = deadline;
    /* A flight recorder that nobody triggered has nothing to say. */
    if (!tell)
        session_skip_rest(in->run.session);
    region_end(in->run.region);
    (void)session_finish(in->run.session, NULL);
    running_tell_files(&in->run, true);
}

static void say_over(struct inprocess *in)
{
    pthread_mutex_lock(&in->lock);
    in->state = DONE;
    in->flush_done = in->flush_asked;
    in->reload_done = in->reload_asked;
    in->reload_result = ORIEL_ESTATE;
    pthread_cond_broadcast(&in->changed);
    pthread_mutex_unlock(&in->lock);
}

/* The first thing on the new thread. */
static bool make_inherited(struct inprocess *in)
{
    struct oriel_err err = {0};
    start_say_strictly();
    pthread_mutex_lock(&in->lock);
    int rc = running_make_session(&in->run, &err);
    if (rc == 0)
        fetch_start(in->run.fetch);
    else
        inprocess_say_why(in, rc, &err);
    pthread_cond_broadcast(&in->changed);
    pthread_mutex_unlock(&in->lock);
    return rc == 0;
}

void *inprocess_drain(void *given)
{
    struct inprocess *in = given;
    own_thread_begin(OWN_DRAIN);
    region_own(in->run.region);
    bool tell = true;
    if (!in->run.inherited && !life_hold(in->life)) {
        pthread_mutex_lock(&in->lock);
        in->heritable = false;
        pthread_mutex_unlock(&in->lock);
    }
    if (in->run.inherited && !make_inherited(in)) {
        say_over(in);
        return NULL;
    }
    if (!in->run.inherited)
        running_tidy(&in->run);
    start_resource_cloud(&in->run.said, config_telemetry(in->run.config),
                         session_catalog(in->run.session));
    wait_for_secrets(in, in->run.fetch);
    fetch_unref(in->run.fetch);
    in->run.fetch = NULL;
    if (in->run.flight)
        tell = wait_for_triggers(in);
    else
        follow(in);
    finish(in, tell);
    say_over(in);
    return NULL;
}
