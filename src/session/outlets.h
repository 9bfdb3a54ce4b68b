/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The outlets of a program that exports by itself: files of the local tier, and
 * receivers of OTLP, as its configuration chooses. One thread.
 */
#ifndef ORIEL_SESSION_OUTLETS_H
#define ORIEL_SESSION_OUTLETS_H

#include "config/config.h"
#include "session/session.h"

struct fetch;
struct outlets_wish {
    struct session *session;
    const struct config *config; /* nothing of it is kept */
    unsigned which;              /* enum session_outlets; 0: all */
    unsigned serial;   /* how often they were changed so far: files of one second have names of
                        * their own */
    const char *where; /* what relative names of directories begin at; NULL or "": here */
    const char *names; /* what those of receivers' files begin at; NULL: here */
    const uint8_t *session_id;   /* 16 bytes, for names of files */
    struct fetch *fetch;         /* asks the vault for receivers' headers */
    const uint64_t *deadline_ns; /* of what is under way, for exporters of the program; NULL none */
    void (*say)(void *user, const char *line); /* from threads that send; NULL */
    void *user;
    void (*warn)(const char *line); /* of what does without, at once; NULL */
};
/* Whether there is anything to be written, sent or given at all. */
bool outlets_any(const struct config *c);
/* 0 or a negative code with a line. Files that cannot be written are an error only
 * where there is nothing but files, or where they are changed. */
int outlets_add(const struct outlets_wish *w, struct oriel_err *err);
/* Whether a program could begin so, here and now, without leaving anything behind. What it would
 * do without is warned of. As outlets_add. */
int outlets_check(const struct config *c, void (*warn)(const char *line), struct oriel_err *err);

#endif
