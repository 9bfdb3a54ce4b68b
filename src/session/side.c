/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rounds of a source beside the first one. What a flight recorder held back is told before what
 * is new, and what it gives up is counted where the source counts it.
 */
#include "session/side.h"

#include "base/err.h"
#include "base/mem.h"
#include "session/outlet.h"

#define LOOK_ROUNDS 16u /* a flood does not keep a look from ending */

int side_open(struct side *d, const struct source *table, const void *options,
              struct model_catalog *c, struct oriel_err *err)
{
    *d = (struct side){.table = table, .catalog = c, .watermark_ns = MODEL_NO_PROMISE_YET};
    d->state = outlet_state_new(table->state_size, &d->state_block);
    if (!d->state)
        return err_set(err, ORIEL_ENOMEM, "%s: out of memory", table->name);
    int rc = table->open_with(d->state, options, c, err);
    if (rc < 0) {
        mem_free(d->state_block);
        return rc;
    }
    model_batch_init(&d->records, c);
    return 0;
}

void side_close(struct side *d)
{
    model_batch_done(&d->records);
    held_done(&d->held);
    d->table->close(d->state);
    mem_free(d->state_block);
}

/* A record was given up before anybody asked for it. */
static void give_up(void *user, const struct model_record *r)
{
    struct side *d = user;
    if (d->table->overwritten)
        d->table->overwritten(d->state, r);
    else if (r->type == ORIEL_REC_SAMPLE)
        d->samples_overwritten++;
    else
        d->catalog->lost[ORIEL_LOST_OVERWRITTEN]++;
}

void side_hold(struct side *d, uint64_t bytes)
{
    held_init(&d->held, bytes, give_up, d);
}

int side_poll(struct side *d, size_t max)
{
    model_batch_clear(&d->records);
    /* First what was seen before: until that is told, it promises nothing new. */
    if (held_give(&d->held, &d->records, max) || d->records.record_count)
        return SOURCE_DATA;
    int result = d->table->poll(d->state, &d->records, max, NULL);
    d->watermark_ns = d->records.watermark_ns;
    held_passed(&d->held, &d->records);
    return result == SOURCE_DATA ? SOURCE_DATA : SOURCE_IDLE;
}

/* One round; true: there may be more. */
static bool look(struct side *d, size_t max)
{
    bool more = false;
    model_batch_clear(&d->records);
    if (d->table->look)
        d->table->look(d->state, &d->records);
    else if (d->held.blocks_max)
        more = d->table->poll(d->state, &d->records, max, NULL) == SOURCE_DATA;
    if (d->held.blocks_max)
        held_take(&d->held, &d->records);
    return more;
}

void side_look(struct side *d, size_t max)
{
    for (unsigned round = 0; round < LOOK_ROUNDS && look(d, max); round++)
        ;
}

void side_over(struct side *d)
{
    if (d->table->over)
        d->table->over(d->state);
}
