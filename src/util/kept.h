/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Descriptors that stay open inside a program that knows nothing of them. Daemons close
 * all they find and may have the number again: so every one is looked at before it is
 * used. And a child of fork that never execs would keep connections open that its parent
 * has ended: so the child closes them (the descriptor alone: nothing is said to the other
 * side, and locks are the parent's). Any thread; one thread for each descriptor.
 */
#ifndef ORIEL_UTIL_KEPT_H
#define ORIEL_UTIL_KEPT_H

#include <stdbool.h>
#include <sys/types.h>

struct kept {
    int fd; /* -1: none */
    dev_t dev;
    ino_t ino;
};
/* Takes over `fd`; -1 is taken too. */
struct kept kept_open(int fd);
/* Whether it is still what it was; if not it is none from now on. A system call. */
bool kept_is_ours(struct kept *k);
/* Gives it away: closed by whoever has it now. */
int kept_release(struct kept *k);
/* Closed, if it is ours. Keeps errno. */
void kept_close(struct kept *k);

/* For those that keep dev and ino themselves: until kept_forget a child closes it. */
void kept_note(int fd, dev_t dev, ino_t ino);
void kept_forget(int fd, dev_t dev, ino_t ino);

#endif
