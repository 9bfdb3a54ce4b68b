/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Between the two files of an export inside the program: what they share, and who may touch it.
 * inprocess.c starts, asks and stops, on the program's threads; drain_thread.c does the work on
 * its own. What is not said to be otherwise is changed under the lock only.
 */
#ifndef ORIEL_SESSION_DRAIN_THREAD_H
#define ORIEL_SESSION_DRAIN_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "session/nap.h"
#include "session/running.h"
#include "util/allocator.h"

/* WAITING: a fork child whose thread follows the one that exports. */
enum state { OFF = 0, WAITING, RUNNING, STOPPING, DONE };
/* An export of the process that this one was forked from. */
struct estate {
    int32_t pid;           /* the child */
    struct region *region; /* NULL: none */
    struct life *life;
    struct config *config, *latest;
    struct reload reload;
};

struct inprocess {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool cond_ready, hooked;
    enum state state;
    int32_t pid; /* who started: not a fork child */
    pthread_t thread;
    uint64_t deadline_ns;             /* set by stop: when the session is to be over, */
    uint64_t keep_ns;                 /* or rather then, for a spool */
    uint64_t flush_deadline_ns;       /* the latest of those who wait for a flush */
    unsigned flush_asked, flush_done; /* how often, so far */
    unsigned flushers;                /* who wait for receivers: the session has to live */
    unsigned exit_ms;
    unsigned reload_asked, reload_done;
    int reload_result;
    bool heritable; /* what a fork child may go on with is whole */
    bool late;      /* atomic; this one is to, and could not have its thread yet */
    struct life *life;
    struct allocator allocator;
    struct nap nap;     /* of the drain thread, */
    bool napping;       /* while it takes one */
    uint64_t forked_ns; /* atomic; when this process last forked; 0: never */
    struct running run;
    struct estate estate; /* in a fork child, until it starts something itself */
};

/* The thread; its argument is the struct. */
void *inprocess_drain(void *in);
/* The lock is held. Somebody asked the drain thread for something. */
void inprocess_call(struct inprocess *in);
/* Once per start that was asked for: why there is nothing. */
void inprocess_say_why(const struct inprocess *in, int rc, const struct oriel_err *err);

#endif
