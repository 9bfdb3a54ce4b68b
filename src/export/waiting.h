/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Items that wait in an outlet's buffer for the file, and what became of them: a write that fails
 * is taken back, as many whole items as fit are written after all, and the others are counted.
 * One thread.
 */
#ifndef ORIEL_EXPORT_WAITING_H
#define ORIEL_EXPORT_WAITING_H

#include "base/buf.h"
#include "base/vec.h"
#include "util/out.h"

struct export_waiting {
    VEC(uint32_t) edges; /* where each of them ends in the buffer */
    uint64_t unedged;    /* more of them, whose edges there was no memory for */
    uint64_t unwritten;  /* of all that ever waited here */
};

/* One more item ends where the buffer ends now. */
static inline void export_waiting_add(struct export_waiting *w, const struct buf *b)
{
    uint32_t *edge = w->unedged || b->size > UINT32_MAX ? NULL : VEC_PUSH(&w->edges);
    if (edge)
        *edge = (uint32_t)b->size;
    else
        w->unedged++;
}
/* The buffer goes out and is empty then. On a disk that is full the file has afterwards what fits
 * with `room` bytes to spare, up to the edge of an item, or is what it was; what cannot seek has
 * what it took. 0, or the failure. */
int export_waiting_write(struct export_waiting *w, struct buf *b, struct out *out, size_t room);
/* The same where nothing of it is to be tried. */
void export_waiting_lose(struct export_waiting *w, struct buf *b);
void export_waiting_done(struct export_waiting *w);

#endif
