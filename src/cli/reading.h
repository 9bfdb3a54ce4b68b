/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading a capture from one end to the other: what report, export and the
 * screen at the end of record have in common.
 */
#ifndef ORIEL_CLI_READING_H
#define ORIEL_CLI_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "report/report.h"
#include "session/session.h"

struct reading {
    struct session *session;
    char path[512];
    const char *verb;  /* "reading", for the progress line */
    uint64_t start_ns; /* monotonic */
    uint64_t shown_ns; /* last progress; 0 none yet */
    uint64_t file_bytes;
    bool (*over)(void *user); /* asked between two steps: true: reading ends; NULL: never */
    void *user;
    bool cut; /* it ended for that */
};

/* Open `path`, or the newest run when it is NULL. 0, or a code with one line. */
int reading_open(struct reading *r, const char *path, struct oriel_err *err);
/* To the end of the file; shows progress on a terminal after a second. 0 or
 * the code of a source that cannot go on. Call session_finish after it. */
int reading_run(struct reading *r, struct oriel_err *err);
/* Open as above, and all of it into a report of these options (NULL: as they come). On failure
 * nothing is left to close. */
int reading_report(struct reading *r, const char *path, const struct report_options *how,
                   struct report **out, struct oriel_err *err);
void reading_facts(const struct reading *r, struct report_facts *out);
/* One line about what could not be read, or nothing. */
void reading_say_damage(const struct reading *r);
void reading_close(struct reading *r);

/* Spans and events that the program said by records; begun is enough. */
uint64_t reading_spans(const struct session_counts *c);
uint64_t reading_events(const struct session_counts *c);

#endif
