/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Whether the thread that exports lives, for fork children who are to follow it: a robust mutex in
 * memory that a fork shares. However its thread ends, by _exit, a signal or exec, the kernel lets
 * one of those go on who wait for it, and nobody has to ask now and then.
 */
#ifndef ORIEL_SESSION_LIFE_H
#define ORIEL_SESSION_LIFE_H

#include <stdbool.h>
#include <stdint.h>

struct life;

/* 0, ORIEL_ENOMEM. Before the fork. */
int life_new(struct life **out);
/* This process's view of it. NULL: nothing. */
void life_free(struct life *l);
/* The thread that calls has it from now on; at first without waiting, for nobody else knows of it,
 * later once whoever has it ended or let it go. False: that is not possible here. */
bool life_hold(struct life *l);
/* Once in each turn. Not where a process ends with its thread: then that does it. */
void life_let_go(struct life *l);
/* Did whoever had it end with it? That is so a little before its process has no thread any more,
 * and before its children have another parent. Not in a signal handler. */
bool life_has_ended(struct life *l);
/* Has its first thread got it? Async-signal-safe. */
bool life_is_held(const struct life *l);
/* Before a fork; each child says that it is there with its first steps. Neither makes a system
 * call. Async-signal-safe. */
void life_expect_child(struct life *l);
void life_add_child(struct life *l, int32_t pid);
/* Is there a fork whose child said nothing yet? Or which failed: that is not known here. */
bool life_expects(const struct life *l);
/* Of those that said so last, how many, LIFE_CHILDREN at most; they may be gone since. */
enum { LIFE_CHILDREN = 32 };
unsigned life_children(const struct life *l, int32_t out[LIFE_CHILDREN]);

#endif
