/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The threads of a process that runs, and of its children, as /proc tells them
 * at this moment. Nothing of it is stopped.
 */
#ifndef ORIEL_SOURCE_TASKS_H
#define ORIEL_SOURCE_TASKS_H

#include <stdint.h>

/* Calls `each` for every thread of `pid` and of its children, until it answers less than 0.
 * -ESRCH from it says that the thread ended meanwhile, -EACCES and -EPERM about a child that
 * it is not ours: the walk goes on. 0, what `each` answered, -ENOMEM, or -ESRCH: no
 * thread of `pid` was there. */
int tasks_each(int32_t pid, int (*each)(void *user, int32_t pid, int32_t tid), void *user);

#endif
