/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside source/syscall: the system calls of a program, its threads and
 * children, counted and timed by programs of ours in the kernel.
 *
 *   watch.c   the programs and the tables they keep
 *   source.c  reads the tables now and then: what came since becomes events
 *   names.c   numbers of calls and errors -> names
 *
 * Runs in the recorder only; the program is not stopped, signalled or touched.
 */
#ifndef ORIEL_SOURCE_SYSCALL_SYSCALL_H
#define ORIEL_SOURCE_SYSCALL_SYSCALL_H

#include "base/err.h"
#include "source/syscall_options.h"

/* Times by size: eight parts of each power of two, from 32 ns on to 137 s. The kernel's
 * programs compute the same. */
enum { SYSCALL_TIMES = 256, SYSCALL_PARTS = 8, SYSCALL_FIRST_POWER = 5 };

/* A thread is its number and when it began: numbers come again. */
struct syscall_key {
    uint64_t born_ns;
    uint32_t tid;
    uint32_t call;
};
/* Calls that answered with this error. */
struct syscall_failed {
    uint32_t error, count;
};
enum { SYSCALL_FAILED = 8 }; /* so many different ones are told apart */
/* What a thread did with one call. Written by that thread alone, in the kernel. */
struct syscall_sums {
    uint64_t count, errors, total_ns, max_ns;
    uint64_t made_ns; /* when the entry was, and what the thread was called then */
    uint32_t pid, unused;
    char comm[16];
    struct syscall_failed failed[SYSCALL_FAILED];
    uint32_t times[SYSCALL_TIMES];
};
/* Of each thread that is watched. */
struct syscall_state {
    uint64_t born_ns;
    uint64_t entered_ns; /* 0: it is in no call that we saw begin */
    uint32_t call;
    uint32_t flags; /* SYSCALL_ROOT, SYSCALL_BEFORE */
};
enum {
    SYSCALL_ROOT = 1,  /* not watched itself: its next children are */
    SYSCALL_BEFORE = 2 /* watched from its exec on */
};
/* What the programs count of themselves. */
struct syscall_counts {
    uint64_t made;      /* entries of sums */
    uint64_t lost;      /* calls without room for an entry */
    uint64_t unwatched; /* threads without room */
};

enum { SYSCALL_THREADS = 16384, SYSCALL_SUMS = 8192, SYSCALL_FDS = 24 };
struct syscall_watch {
    int fds[SYSCALL_FDS], fd_count;   /* all of them */
    int threads, sums, blank, counts; /* maps */
};

/* Watch. 0, or a code with one line (what, what gives it). */
int syscall_watch_open(struct syscall_watch *w, const struct syscall_options *o,
                       struct oriel_err *err);
void syscall_watch_close(struct syscall_watch *w);

/* Made by the build. By number; NULL: no such call. */
extern const char *const syscall_names[];
extern const size_t syscall_names_count;
/* NULL: the number has no name here. */
const char *syscall_name(uint32_t call);
const char *syscall_error_name(uint32_t error);

#endif
