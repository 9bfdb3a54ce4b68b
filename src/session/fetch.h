/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Headers of the vault that come while the program runs already: one thread,
 * "oriel-vault", asks for them, and destinations that are held until then are let
 * go. No thread of the program waits for a vault. One for all receivers that were
 * opened together; it lives as long as one of them, or whoever made it.
 */
#ifndef ORIEL_SESSION_FETCH_H
#define ORIEL_SESSION_FETCH_H

#include "config/config.h"
#include "deliver/deliver.h"

struct fetch;
struct fetch_options {
    size_t size;                    /* sizeof of this struct */
    const struct config *config;    /* shared: it lives as long as this does */
    const char *const *environment; /* copied: the program may change its own; NULL: none */
    uint64_t patience_ns;           /* how long the vault may take; 0: 30 s */
    /* From the thread: why there are no headers, and, `bad`, that so nothing is sent. NULL: nobody
     * hears it. */
    void (*say)(void *user, bool bad, const char *line);
    void *user;
    /* Where the thread is to be, for relative names; it lives as long as this does. NULL: where the
     * process is. */
    const char *where;
};
/* Asks nobody yet; *out is NULL on failure. ORIEL_ENOMEM. */
int fetch_new(struct fetch **out, const struct fetch_options *options);
/* One that was opened `held`, by the name of its outlet, for the headers of `key` (NULL: those of
 * the configuration). Before fetch_start; both texts are the configuration's or constant, and `d`
 * lives until fetch_leave. ORIEL_ELIMIT: there are FETCH_MAX. */
enum { FETCH_MAX = 8 };
int fetch_add(struct fetch *f, struct deliver *d, const char *name, const char *key);
/* Begins, where somebody waits. What cannot begin bars them. */
void fetch_start(struct fetch *f);
/* `d` is touched no more when this returns; when it was the last one, and fetch_unref was called,
 * asking ends, at most some milliseconds later. Any thread. */
void fetch_leave(struct fetch *f, struct deliver *d);
/* Whether the answer is still to come: what the vault keeps secret is not yet known as such, and
 * texts that are told now are told with it. Any thread. */
bool fetch_is_pending(const struct fetch *f);
/* It is over at this time at the latest, CLOCK_MONOTONIC: who waits then is barred. Any thread. */
void fetch_hurry(struct fetch *f, uint64_t until_ns);
/* Whoever made it needs it no more. Takes NULL. Any thread. */
void fetch_unref(struct fetch *f);

#endif
