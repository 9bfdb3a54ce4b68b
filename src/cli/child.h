/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The program being recorded: found, started and waited for so that it cannot
 * tell a recorder from a shell. Uses signal handlers, so one at a time.
 *
 * Signals of the terminal reach the program by themselves (same process
 * group); a signal another process sends to the recorder is passed on. The
 * recorder itself outlives all of them until the program is over.
 */
#ifndef ORIEL_CLI_CHILD_H
#define ORIEL_CLI_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/err.h"

struct child {
    int pid;
    int status;                  /* as from waitpid, once over */
    int died_pid, died_signal;   /* who was ended by a signal: the program, else a
                                  * descendant it left behind; 0: nobody */
    uint64_t user_ns, system_ns; /* CPU time of the program, once over */
    struct rusage used;          /* by it and the children it waited for, once over */
    bool over;
    bool alone;    /* over, and no descendant of it is left */
    sigset_t mask; /* what was blocked before */
};

/* Look `name` up as execvp does. 0, ORIEL_ENOTFOUND (127) or ORIEL_EPERM (126)
 * with a line. */
int child_find(const char *name, char *out, size_t n, struct oriel_err *err);
/* Start it with these in its environment ("NAME=value", NULL at the end), in place
 * of what stands there under their names. The recorder's reaction to
 * signals changes here, and processes that the program leaves behind become
 * children of the recorder. Codes as above, or ORIEL_EIO, ORIEL_ENOMEM. */
int child_start(struct child *c, const char *path, char *const argv[], char *const settings[],
                struct oriel_err *err);
/* Notice its end, pass on what was sent to the recorder. True once over. */
bool child_poll(struct child *c);
/* "SIGSEGV"; "signal 42" in `room` for one without a name. */
const char *child_signal_name(int number, char *room, size_t n);
/* Sleep at most that long; ends early when the child ends, a signal comes, or one of
 * these descriptors (-1 none) can be read. */
void child_sleep(struct child *c, uint64_t ns, int fd, int other);
/* Signals act as usual again, but for SIGPIPE: a reader of our report that went
 * away must not cost the exit status. */
void child_release(struct child *c);
/* Exit status that says the same as `status`; a death by signal is died again,
 * without a core file, so that every kind of parent sees the same. */
int child_exit_like(int status);

#endif
