/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a thread waits for, in plain words: by the functions at the inner end of
 * its stack, in the kernel and in the C library, and by what the recorder saw.
 * Pure; one thread.
 */
#ifndef ORIEL_REPORT_REASON_H
#define ORIEL_REPORT_REASON_H

#include "report/frames.h"

enum reason {
    REASON_UNKNOWN = 0,
    REASON_LOCK,
    REASON_CONDITION,
    REASON_SEMAPHORE,
    REASON_BARRIER,
    REASON_THREAD,
    REASON_FUTEX,
    REASON_TIME,
    REASON_PIPE,
    REASON_SOCKET,
    REASON_TERMINAL,
    REASON_COUNTER,
    REASON_DISK,
    REASON_MEMORY,
    REASON_READ,
    REASON_WRITE,
    REASON_EVENTS,
    REASON_CHILD,
    REASON_PEER,
    REASON_FILE_LOCK,
    REASON_SIGNAL,
    REASON_OTHER,
    REASON_COUNT
};

/* "a lock", "data from a pipe", ... */
const char *reason_text(enum reason r);
/* Of a stack, innermost function first, and the `extra` of its sample. */
enum reason reason_of(const struct frames *f, const struct frame_list *stack, uint64_t extra);
/* The inner end of the stack is an interrupt's: it says nothing of who ran. */
bool reason_is_interrupt(const struct frames *f, const struct frame_list *stack);
/* The innermost function that is the program's own: outside the kernel, the
 * libraries of C, C++ and Rust and the functions that wait. FRAMES_NONE: the stack is empty. */
uint32_t reason_place(const struct frames *f, const struct frame_list *stack);

#endif
