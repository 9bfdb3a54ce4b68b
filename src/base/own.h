/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Threads of Oriel's own inside an observed program. They are told by their names:
 * of all marks that is the one which every copy of the record path, every library
 * in front of the program, and who looks on from outside can see alike, and which
 * threads inherit that ours start (of a resolver, of a crypto library). The main
 * thread of a process never is one, whatever its program is called.
 */
#ifndef ORIEL_BASE_OWN_H
#define ORIEL_BASE_OWN_H

#include <stdbool.h>

#define OWN_DRAIN "oriel-drain"
#define OWN_HEIR "oriel-heir"
#define OWN_SEND "oriel-send"
#define OWN_VAULT "oriel-vault"

/* The first thing that a thread of ours does, before it allocates or locks. */
void own_thread_begin(const char *name);
/* Is this the name of one of ours? */
bool own_thread_name(const char *name);
/* Is the thread that asks one of ours? A system call: whoever asks often keeps the answer.
 * Async-signal-safe; keeps errno. */
bool own_thread_here(void);

/* Around what the program's own threads do for Oriel alone (start, stop, flush): the memory of
 * it is not the program's, should liboriel-alloc be there to count. Asks the loader. */
void own_work_begin(void);
void own_work_end(void);

#endif
