/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Headers of the vault that come while the program runs already: one thread,
 * "oriel-vault", asks for them, and destinations that are held until then are let
 * go. No thread of the program waits for a vault.
 */
#ifndef ORIEL_SESSION_FETCH_H
#define ORIEL_SESSION_FETCH_H

#include "config/config.h"
#include "deliver/deliver.h"

struct fetch;
struct fetch_options {
    size_t size;                    /* sizeof of this struct */
    const struct config *config;    /* outlives it */
    const char *const *environment; /* copied: the program may change its own; NULL: none */
    uint64_t patience_ns;           /* how long the vault may take; 0: 30 s */
    /* From the thread: why there are no headers, and, `bad`, that so nothing is sent. NULL: nobody
     * hears it. */
    void (*say)(void *user, bool bad, const char *line);
    void *user;
};
/* Asks nobody yet. ORIEL_ENOMEM. */
int fetch_new(struct fetch **out, const struct fetch_options *options);
/* One that was opened `held`, by the name of its outlet, for the headers of `key` (NULL: those of
 * the configuration). Before fetch_start; all three have to live until fetch_free. ORIEL_ELIMIT:
 * there are FETCH_MAX. */
enum { FETCH_MAX = 8 };
int fetch_add(struct fetch *f, struct deliver *d, const char *name, const char *key);
/* Begins, where somebody waits. What cannot begin bars them. */
void fetch_start(struct fetch *f);
/* Whether the answer is still to come: what the vault keeps secret is not yet known as such, and
 * texts that are told now are told with it. Any thread. */
bool fetch_is_pending(const struct fetch *f);
/* It is over at this time at the latest, CLOCK_MONOTONIC: who waits then is barred. Any thread. */
void fetch_hurry(struct fetch *f, uint64_t until_ns);
/* Ends it now, at most some milliseconds later. Takes NULL. */
void fetch_free(struct fetch *f);

#endif
