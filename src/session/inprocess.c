/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A session inside the observed program. The program's threads never wait for
 * it: they touch the lock only in start and stop. The drain thread owns the
 * session; whoever stops waits for it against an absolute deadline and, when
 * that passes, leaves everything to the thread and the operating system.
 */
#include "session/inprocess.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/own.h"
#include "session/decider.h"
#include "session/drain.h"
#include "session/drain_thread.h"
#include "session/life.h"
#include "session/outlets.h"
#include "session/programs.h"
#include "session/sampling.h"
#include "session/start_config.h"
#include "session/told_resource.h"
#include "util/interrupted.h"

#define CLOSE_NS UINT64_C(100000000) /* of the time of a stop, at most, for closing */
#define RELOAD_WAIT_NS UINT64_C(5000000000)
#define LEFT_STEP_NS UINT64_C(2000000) /* how soon it is asked again whether an owner is gone, */
#define LEFT_STEP_MAX_NS UINT64_C(1000000000) /* at most */
#define HELD_MS 100 /* a first thread that has begun is here within this */

static struct inprocess self = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- start ---- */

/* Nothing runs here; what there was is released, or another's. */
static void forget(void)
{
    self.state = OFF;
    self.pid = 0;
    self.heritable = false;
    self.flush_deadline_ns = 0;
    running_forget(&self.run);
}

/* The lock is held. Releases what the drain thread no longer uses. */
static void release(void)
{
    self.heritable = false;
    running_release(&self.run, self.life);
    life_free(self.life);
    self.life = NULL;
    forget();
}

static int heir_locked(void);
static int stop(unsigned timeout_ms, bool at_exit);
/* A thread that is to follow gets to it, where the owner is gone or is just ending. */
static void follow_at_exit(void)
{
    const uint64_t until = clock_mono_ns() + self.exit_ms * UINT64_C(1000000);
    if (self.estate.pid != os_getpid())
        return;
    pthread_mutex_lock(&self.lock);
    if (self.late)
        (void)heir_locked();
    while (self.state == WAITING && region_is_left(self.estate.region) && clock_mono_ns() < until) {
        const struct timespec next = drain_time(clock_mono_ns() + LEFT_STEP_NS);
        (void)pthread_cond_timedwait(&self.changed, &self.lock, &next);
    }
    pthread_mutex_unlock(&self.lock);
}

static void at_exit(void)
{
    unsigned ms = 0;
    if (self.state == OFF && !self.late)
        return; /* such a fork child may be confined so that any system call ends it */
    if (self.state == WAITING || self.late)
        follow_at_exit();
    if (self.pid == os_getpid()) { /* else the lock may be held for ever */
        pthread_mutex_lock(&self.lock);
        ms = self.exit_ms;
        if (self.run.region)
            region_end_for_exit(self.run.region);
        pthread_mutex_unlock(&self.lock);
    }
    own_work_begin();
    if (stop(ms, true) == ORIEL_EBUSY) {
        pthread_mutex_lock(&self.lock);
        running_leave(&self.run, self.life);
        pthread_mutex_unlock(&self.lock);
    }
    own_work_end();
}

/* In the process that forked. Its child may have much to say, at once. */
static void has_forked(void)
{
    if (self.pid != os_getpid())
        return;
    __atomic_store_n(&self.forked_ns, clock_mono_ns(), __ATOMIC_RELAXED);
    if (pthread_mutex_trylock(&self.lock) != 0)
        return; /* somebody is at it: this may be a signal handler */
    if (self.napping)
        nap_call(&self.nap);
    pthread_mutex_unlock(&self.lock);
}

/* What a child of this process would wait for. */
static struct life *life_of_children(void)
{
    if (self.heritable && life_is_held(self.life))
        return self.life;
    return self.estate.region ? self.estate.life : NULL;
}

/* In a fork child, which has no drain thread: plain stores only. Files and
 * memory of the parent's session are left alone; a start makes its own. */
static void forked(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    struct life *l = life_of_children();
    if (l && l == self.life)
        self.estate = (struct estate){
            0, self.run.region, l, self.run.config, self.run.latest, self.run.reload};
    if (l)
        life_add_child(l, os_getpid());
    self.life = NULL;
    self.late = false;
    self.estate.pid = os_getpid();
    self.lock = unlocked;
    self.cond_ready = self.napping = self.nap.ready = false;
    self.forked_ns = 0;
    self.flushers = self.flush_asked = self.flush_done = 0;
    forget();
    told_resource_forked();
    programs_forked();
    decider_forked();
}

/* Whoever is forked right after a start is to find a thread that it can follow. */
static void before_fork(void)
{
    const struct timespec step = {0, 1000000};
    for (int i = 0; i < HELD_MS && self.heritable && !life_is_held(self.life); i++)
        nanosleep(&step, NULL);
    struct life *l = life_of_children();
    if (l)
        life_expect_child(l);
}

static int prepare_once(void)
{
    if (self.cond_ready)
        return 0;
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return ORIEL_ENOMEM;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(&self.changed, &attr);
    pthread_condattr_destroy(&attr);
    if (rc != 0 ||
        (!self.hooked && (atexit(at_exit) != 0 || pthread_atfork(before_fork, has_forked, forked))))
        return ORIEL_ENOMEM;
    self.cond_ready = self.hooked = true;
    return 0;
}

static int make(struct wish *w, struct oriel_err *err)
{
    self.exit_ms = w->exit_ms;
    self.pid = os_getpid();
    self.estate = (struct estate){.region = NULL};
    self.late = false;
    allocator_find(&self.allocator);
    int rc = life_new(&self.life);
    return rc == 0 ? running_make(&self.run, w, err) : err_set(err, rc, "%s", err_text(rc));
}

static int start_locked(struct wish *w, int (*attach)(const char *ring_path))
{
    struct oriel_err err = {0};
    int rc = prepare_once();
    if (rc == 0)
        rc = make(w, &err);
    if (rc == 0) {
        rc = attach(region_path(self.run.region));
        if (rc != 0)
            (void)err_set(&err, rc, "this process cannot join its ring: %s", err_text(rc));
    }
    if (rc == 0) {
        self.state = RUNNING;
        fetch_start(self.run.fetch);
        rc = start_thread(&self.thread, inprocess_drain, &self, &err);
        self.heritable = rc == 0;
    }
    if (rc != 0) {
        inprocess_say_why(&self, rc, &err);
        if (self.run.region)
            region_end(self.run.region); /* the runtime may be attached: let it stop */
        release();
    }
    return rc;
}

/* The lock is held. Its thread finds that out when it wakes. */
static void follow_nobody(void)
{
    self.state = OFF;
    self.estate.region = NULL;
    pthread_detach(self.thread);
}

/* The lock is held. Running already: another copy of the record path, in a
 * plugin say, takes part. */
static int start_or_join(struct wish *w, int (*attach)(const char *ring_path))
{
    if (self.state == DONE && !self.flushers) { /* after a stop whose time was up */
        pthread_join(self.thread, NULL);
        release();
    }
    if (self.state == STOPPING || self.state == DONE)
        return ORIEL_EBUSY;
    if (self.state == WAITING)
        follow_nobody();
    if (self.state == OFF)
        return start_locked(w, attach);
    int rc = attach(region_path(self.run.region));
    return rc == ORIEL_ESTATE ? 0 : rc;
}

int oriel_inprocess_start(const struct oriel_options *options, int (*attach)(const char *ring_path))
{
    if (!attach || (options && options->size < sizeof options->size))
        return ORIEL_EINVAL;
    /* Before the lock: in a child that was forked behind libc's back the drain
     * thread may hold it for ever. */
    if (self.pid && self.pid != os_getpid())
        return ORIEL_ESTATE;
    struct wish w;
    int rc = start_wish(options, &w);
    if (rc < 0)
        return rc;
    if (!outlets_any(w.config)) { /* switched on, and every way out is switched off */
        config_free(w.config);
        reload_done(&w.reload);
        return 0;
    }
    pthread_mutex_lock(&self.lock);
    rc = start_or_join(&w, attach);
    pthread_mutex_unlock(&self.lock);
    config_free(w.config); /* unless the export has taken them */
    reload_done(&w.reload);
    return rc;
}

/* ---- taking over ---- */

/* The lock is held. The export is this process's. */
static void settle(struct estate *e)
{
    self.run.region = e->region;
    self.run.config = e->config;
    self.run.latest = e->latest;
    self.run.reload = e->reload;
    self.run.inherited = true;
    self.life = e->life;
    __atomic_store_n(&self.pid, e->pid, __ATOMIC_RELEASE); /* pairs with the asking */
    self.state = RUNNING;
    self.heritable = true;
    self.estate.region = NULL;
}

/* Whoever has the life of the one that exports is the next; all others wait for it. That it let go
 * does not yet say that it is gone: a program may stop its export and live on. */
static bool follow_owner(void)
{
    pthread_mutex_lock(&self.lock);
    struct estate e = self.estate;
    bool mine = self.state == WAITING, taken = false;
    pthread_mutex_unlock(&self.lock);
    for (uint64_t ns = LEFT_STEP_NS; mine && !taken; ns = 2 * ns < LEFT_STEP_MAX_NS ? 2 * ns : ns) {
        if (!life_hold(e.life))
            return false;
        pthread_mutex_lock(&self.lock);
        mine = self.state == WAITING;
        taken = mine && region_inherit(e.region);
        if (taken)
            settle(&e);
        pthread_cond_broadcast(&self.changed);
        pthread_mutex_unlock(&self.lock);
        if (taken)
            break;
        life_let_go(e.life);
        const struct timespec pause = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
        if (mine)
            nanosleep(&pause, NULL);
    }
    return taken;
}

static void *heir_thread(void *unused)
{
    (void)unused;
    own_thread_begin(OWN_HEIR);
    return follow_owner() ? inprocess_drain(&self) : NULL;
}

/* The lock is held. */
static int heir_locked(void)
{
    struct oriel_err err = {0};
    if (self.state != OFF)
        return 0;
    if (prepare_once() != 0)
        return ORIEL_EBUSY;
    self.state = WAITING;
    if (start_thread(&self.thread, heir_thread, NULL, &err) != 0) {
        self.state = OFF;
        return ORIEL_EBUSY;
    }
    self.late = false;
    return 0;
}

int oriel_inprocess_inherit(bool makes)
{
    const int32_t pid = os_getpid();
    if (__atomic_load_n(&self.pid, __ATOMIC_ACQUIRE) == pid)
        return 0;
    /* A child that cannot see its parent, being in another namespace of processes, could not tell
     * either that it lives. */
    if (!makes || !self.estate.region || self.estate.pid != pid || os_getppid() == 0)
        return ORIEL_ESTATE;
    const int kept = errno;
    const bool heir = running_is_heir(self.estate.region, self.estate.life);
    int rc = ORIEL_EBUSY;
    if (heir)
        __atomic_store_n(&self.late, true, __ATOMIC_RELAXED);
    if (heir && !interrupted_may_be() && !allocator_may_run(&self.allocator) &&
        pthread_mutex_trylock(&self.lock) == 0) {
        rc = heir_locked();
        pthread_mutex_unlock(&self.lock);
    }
    errno = kept;
    return rc;
}

/* ---- stop ---- */

/* At exit what a spool is to keep has time to get there, which is no waiting for receivers. */
static int stop(unsigned timeout_ms, bool at_exit)
{
    if (self.state == WAITING && self.estate.pid == os_getpid()) {
        pthread_mutex_lock(&self.lock);
        if (self.state == WAITING)
            follow_nobody();
        pthread_mutex_unlock(&self.lock);
    }
    if (self.pid != os_getpid()) /* a fork child, as in start */
        return 0;
    const uint64_t now = clock_mono_ns(), deadline = now + (uint64_t)timeout_ms * 1000000u;
    pthread_mutex_lock(&self.lock);
    const uint64_t keep = now + running_keep_ns(&self.run);
    const struct timespec until = drain_time(at_exit && keep > deadline ? keep : deadline);
    if (self.state == RUNNING) {
        const uint64_t tenth = (uint64_t)timeout_ms * 100000u;
        self.deadline_ns = deadline - (tenth < CLOSE_NS ? tenth : CLOSE_NS);
        self.keep_ns = now + (keep - now) / 20; /* all else is for a busy disk */
        self.state = STOPPING;
        inprocess_call(&self);
    }
    int rc = 0;
    while (self.state == STOPPING && rc == 0)
        rc = pthread_cond_timedwait(&self.changed, &self.lock, &until);
    while (self.state == DONE && self.flushers && rc == 0)
        rc = pthread_cond_timedwait(&self.changed, &self.lock, &until);
    rc = self.state == STOPPING || self.flushers ? ORIEL_EBUSY : 0;
    if (self.state == DONE && !self.flushers) {
        pthread_join(self.thread, NULL); /* it has said DONE: nothing left to wait for */
        release();
    }
    pthread_mutex_unlock(&self.lock);
    return rc;
}

int oriel_inprocess_stop(unsigned timeout_ms)
{
    return stop(timeout_ms, false);
}

void oriel_inprocess_context(const char **out_propagators, uint64_t *out_threshold)
{
    *out_propagators = NULL;
    *out_threshold = 0;
    pthread_mutex_lock(&self.lock);
    if (self.run.config) {
        *out_propagators = config_telemetry(self.run.config)->propagators;
        *out_threshold = sampling_threshold(running_config(&self.run));
    }
    pthread_mutex_unlock(&self.lock);
}

/* ---- flush ---- */

/* The lock is held. Until the drain thread has seen to it, or the time is up. */
static int wait_for_flush(const struct timespec *until)
{
    const unsigned mine = ++self.flush_asked;
    int rc = 0;
    inprocess_call(&self);
    while ((int)(self.flush_done - mine) < 0 && self.state != OFF && rc == 0)
        rc = pthread_cond_timedwait(&self.changed, &self.lock, until);
    return (int)(self.flush_done - mine) < 0 ? ORIEL_ETIMEOUT : 0;
}

int oriel_inprocess_flush(unsigned timeout_ms)
{
    if (self.pid != os_getpid()) /* a fork child, as in start */
        return 0;
    const uint64_t deadline = clock_mono_ns() + (uint64_t)timeout_ms * 1000000u;
    const struct timespec until = drain_time(deadline);
    int rc = 0;
    pthread_mutex_lock(&self.lock);
    while (self.state == RUNNING && !self.run.session && rc == 0) /* just taken over */
        rc = pthread_cond_timedwait(&self.changed, &self.lock, &until) ? ORIEL_ETIMEOUT : 0;
    if (self.state == RUNNING && rc == 0) {
        self.flushers++;
        const uint64_t before = session_undelivered(self.run.session);
        if (self.flush_deadline_ns < deadline)
            self.flush_deadline_ns = deadline;
        rc = wait_for_flush(&until);
        pthread_mutex_unlock(&self.lock);
        if (rc == 0)
            rc = session_wait_delivered(self.run.session, deadline);
        if (rc == 0 && session_undelivered(self.run.session) != before)
            rc = ORIEL_EIO;
        pthread_mutex_lock(&self.lock);
        self.flushers--;
        pthread_cond_broadcast(&self.changed);
    }
    pthread_mutex_unlock(&self.lock);
    return rc;
}

/* ---- reload ---- */

int oriel_inprocess_reload(void)
{
    if (self.pid != os_getpid()) /* a fork child, as in start */
        return ORIEL_ENOTFOUND;
    const uint64_t deadline = clock_mono_ns() + RELOAD_WAIT_NS;
    const struct timespec until = drain_time(deadline);
    int rc = 0;
    pthread_mutex_lock(&self.lock);
    if (self.state != RUNNING) {
        pthread_mutex_unlock(&self.lock);
        return ORIEL_ENOTFOUND;
    }
    const unsigned mine = ++self.reload_asked;
    inprocess_call(&self);
    while ((int)(self.reload_done - mine) < 0 && self.state != OFF && rc == 0)
        rc = pthread_cond_timedwait(&self.changed, &self.lock, &until);
    rc = (int)(self.reload_done - mine) < 0 ? ORIEL_ETIMEOUT : self.reload_result;
    pthread_mutex_unlock(&self.lock);
    return rc;
}
