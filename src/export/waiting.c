/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a disk that fills took of a buffer, in whole items. The edges are kept as they come, and
 * looked at only when a write has failed.
 */
#include "export/waiting.h"

/* How many items end within so many bytes. */
static size_t count_within(const struct export_waiting *w, uint64_t bytes)
{
    size_t low = 0, high = w->edges.count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (w->edges.items[middle] <= bytes)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void settle(struct export_waiting *w, struct buf *b, uint64_t written)
{
    w->unwritten += w->edges.count + w->unedged - written;
    w->edges.count = 0;
    w->unedged = 0;
    buf_clear(b);
}

/* The file is what it was; the disk took so many bytes. */
static size_t write_part(const struct export_waiting *w, const struct buf *b, struct out *out,
                         uint64_t fits)
{
    const uint64_t keep = out->bytes;
    const size_t n = count_within(w, fits);
    if (n == 0 || out_write(out, b->data, w->edges.items[n - 1]) == 0)
        return n;
    (void)out_truncate(out, keep);
    return 0;
}

int export_waiting_write(struct export_waiting *w, struct buf *b, struct out *out, size_t room)
{
    const uint64_t keep = out->bytes;
    const int rc = b->failed ? ORIEL_ENOMEM : out_write(out, b->data, b->size);
    const uint64_t took = out->bytes - keep;
    uint64_t written = w->edges.count + w->unedged;
    if (rc != 0) {
        written = 0;
        if (!out_can_seek(out))
            written = count_within(w, took);
        else if (out_truncate(out, keep) == 0 && rc == ORIEL_ENOSPC && took > room)
            written = write_part(w, b, out, took - room);
    }
    settle(w, b, written);
    return rc;
}

void export_waiting_lose(struct export_waiting *w, struct buf *b)
{
    settle(w, b, 0);
}

void export_waiting_done(struct export_waiting *w)
{
    VEC_DONE(&w->edges);
}
