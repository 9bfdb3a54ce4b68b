/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A configuration file that is changed while a program runs: looked at once a
 * second by the thread that drains, and taken whole or not at all. What can change
 * in place are levels, rates and outlets; everything else waits for the next start,
 * and says so. One thread.
 */
#ifndef ORIEL_SESSION_RELOAD_H
#define ORIEL_SESSION_RELOAD_H

#include <sys/stat.h>

#include "config/config.h"

#define RELOAD_LOOK_NS UINT64_C(1000000000)
#define RELOAD_STILL_NS UINT64_C(100000000) /* a changed file is taken when it has stood still */

struct reload_file {
    char *path; /* NULL: none */
    struct stat seen;
};
struct reload {
    struct reload_file toml, declarative;
    char **environment; /* as it was at the start, also without a file: nobody reads the program's
                         * from here */
    uint64_t looked_ns;
    bool stirred; /* the last look found a change, which may not be whole yet */
    bool again;   /* it was refused for what passes */
};
/* To be called before the files are read: what they are now is what a later change is told from.
 * Without a file nothing is watched. 0 or ORIEL_ENOMEM; nothing to be freed then. */
int reload_init(struct reload *r, const char *const *environment);
void reload_done(struct reload *r);

/* True at most once a second, and once per change of a file (see reload_answered), which nobody is
 * still writing: many editors empty it first. `asked`: look in any case, and take it as it is. */
bool reload_due(struct reload *r, uint64_t now_ns, bool asked);
/* What became of it: after ORIEL_EBUSY it is due again, changed or not. False: the same was
 * answered last time, and need not be said again. */
bool reload_answered(struct reload *r, int rc);
/* The files again, below what the program said in `before`. 0 with *out NULL: nothing is
 * different; with the new configuration, what changed in `line`, and in *out_outlets which outlets
 * (enum session_outlets) are to be opened anew for it. Else the old one stays, and err says why:
 * what reading answered, ORIEL_EINVAL (a wrong value), ORIEL_EUNSUPPORTED (a key that waits for
 * the next start). */
int reload_load(const struct reload *r, const struct config *before, struct config **out,
                unsigned *out_outlets, struct buf *line, struct oriel_err *err);

#endif
