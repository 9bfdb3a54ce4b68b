/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Outlets that send to a receiver: what the configuration says of it becomes
 * destinations of a session, one where both signals go to the same receiver in
 * the same way, else one for each. And what became of it, in words. One thread.
 */
#ifndef ORIEL_SESSION_SENDING_H
#define ORIEL_SESSION_SENDING_H

#include "config/config.h"
#include "config/otlp.h"
#include "session/session.h"

#define SENDING_ATTENDED_NS UINT64_C(30000000000)

struct fetch;
struct sending {
    size_t size; /* sizeof of this struct */
    const struct exporter *exporter;
    const void *options;            /* of its table; NULL: defaults */
    const struct config *config;    /* where to, how, batches, limits */
    unsigned signals;               /* 1 << enum config_signal each; 0: all */
    const char *const *environment; /* for the vault, which is asked where one is configured */
    uint64_t headers_ns;            /* how long it may take to answer; 0: 10 s */
    struct fetch *fetch;   /* asks the vault later, and lets the destinations go then; NULL: now */
    uint64_t room_wait_ns; /* for processes of ours: a message waits so long for room while the
                            * receiver takes others; 0: never */
    bool patient;          /* wait for room in the queue: for a source that waits, such as a file */
    bool books;            /* its owner tells them at the end, with sending_words */
    bool attended; /* by somebody who waits: 30 s unless the options say how long a receiver is
                    * tried, and what is wrong is said at once */
    bool (*over)(void *user);                  /* patient: true: no more waiting; NULL: never */
    void (*say)(void *user, const char *line); /* also from the sending thread; NULL */
    void *user;
    bool check;        /* only whether all of it could be: no session, no vault is asked, no file is
                        * left behind */
    const char *where; /* what relative names of files and directories begin at; NULL: here */
};
/* *out_count (NULL: not asked for): so many outlets of the session. 0; ORIEL_EINVAL,
 * ORIEL_EFORMAT and others with a line that holds no secret. */
int sending_add(struct session *s, const struct sending *how, unsigned *out_count,
                struct oriel_err *err);

/* Whether all receivers of the first `count` outlets are away, and something was given up for that:
 * there is no use in reading on. */
bool sending_is_vain(const struct session *s, unsigned count);

/* Keys of the configuration that cannot take effect in this build, because nothing is sent by it;
 * how many. */
size_t sending_absent(const struct config_absent **out);

/* The options of an outlet of the standard that writes to no receiver: those given, with the
 * batches and limits that are said elsewhere. *out is the caller's, to be freed by
 * outlet_options_free. 0; ORIEL_ENOMEM. */
int sending_options(const struct sending *how, void **out);

/* For commands: a destination that sends what lies in a spool (its key and its label, as spool_list
 * tells them) to the receiver of both signals. ORIEL_EFORMAT: it holds another form than that
 * receiver is spoken to in. */
struct spool_options;
struct deliver;
int sending_spooled(const struct sending *how, const struct spool_options *from,
                    struct deliver **out, struct oriel_err *err);

/* For commands: environment and the options of an outlet that were given, as a configuration.
 * As config_load; what is wrong in it is a line, too. */
int sending_configure(const struct exporter *exporter, const void *options,
                      const char *const *environment, struct config **out, struct oriel_err *err);
/* What was wrong in it and counts as unset: wrong variables. */
void sending_warnings(const struct config *c, void (*say)(void *user, const char *line),
                      void *user);
/* How long a receiver that is away is tried for somebody who waits: as the options say, else 30 s.
 */
uint64_t sending_patience_ns(const struct sending *how);
/* Whether it names a receiver, for one signal at least. */
bool sending_is_asked(const struct config *c);
/* Whether the one of otlp_endpoint is among the receivers: where others have sections, only if it
 * was named. And whether the options of a receiver let a signal out; `section` NULL: its. */
bool sending_has_first(const struct config *c);
bool sending_lets_out(const struct config *c, const char *section, enum config_signal signal);
/* Whether these options themselves do. */
bool sending_is_given(const struct exporter *exporter, const void *options);
/* Where it goes: one URL, without a query, or two. */
void sending_where(const struct config *c, char *out, size_t n);

/* "1,204 spans and 30 log records delivered, 2 refused by the receiver" of outlet i; false: not
 * all of them were delivered. `out` gets "" where it sends nothing anywhere. */
bool sending_words(const struct session *s, unsigned i, char *out, size_t n);
enum { SENDING_WORDS_BYTES = 700 }; /* enough for all of them */
/* Items that it was given and nobody will ever have. */
uint64_t sending_lost(const struct session *s, unsigned i);

#endif
