/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counts of records, outlets and losses. What is read is counted once, on its way in; the rest is
 * kept by whoever does it, and put together when somebody asks.
 */
#include "session/books.h"

#include <assert.h>
#include <string.h>

/* What is counted of some kinds of records besides. */
static void count_special(struct session_counts *c, const struct model_record *r)
{
    bool event = r->type == ORIEL_REC_EVENT, may_be = event || r->type == ORIEL_REC_PLOT;
    if (may_be && r->site) {
        const uint32_t flags = r->site->flags;
        c->system_records += (flags & ORIEL_SITE_SYSTEM) != 0;
        c->seen_events +=
            event && (r->site->copies || (flags & (ORIEL_SITE_SYSTEM | ORIEL_SITE_SEEN)));
    }
    if (r->type == ORIEL_REC_SAMPLE && r->words > 4 && r->raw[4] == 0) {
        c->presences += r->raw[3] == 0;
        c->between += r->raw[3] != 0 && r->flags == ORIEL_SAMPLE_CPU;
    }
}

uint64_t books_add_records(struct session_counts *c, const struct model_batch *b)
{
    const struct model_record *r = b->records, *const behind = r + b->record_count;
    uint64_t words = 0, begins = 0, ends = 0, end = c->end_ns;
    for (; r < behind; r++) {
        assert(r->type <= ORIEL_REC_MAX);
        words += r->words;
        end = r->t_ns > end ? r->t_ns : end;
        if (r->type == ORIEL_REC_BEGIN) { /* most are one of these */
            begins++;
        } else if (r->type == ORIEL_REC_END) {
            ends++;
        } else {
            c->by_type[r->type]++;
            count_special(c, r);
        }
    }
    c->by_type[ORIEL_REC_BEGIN] += begins;
    c->by_type[ORIEL_REC_END] += ends;
    c->records += b->record_count;
    c->bytes += words * 8;
    c->end_ns = end;
    return words * 8;
}

void books_put_outlets(struct session_counts *c, const struct outlet_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        c->delivered[i] = set->live[i]->delivered;
        c->refused[i] = set->live[i]->refused;
        c->refused_seen[i] = set->live[i]->refused_seen;
        c->outlet_failed[i] = set->live[i]->failed;
        c->given[i] = set->live[i]->given;
    }
    outlet_set_replaced(set, &c->replaced);
}

void books_put_catalog(struct session_counts *c, const struct model_catalog *from)
{
    memcpy(c->lost, from->lost, sizeof c->lost);
    for (uint32_t i = 0; i < from->thread_count; i++)
        for (unsigned k = 0; k < ORIEL_LOST_CAUSES; k++)
            c->lost[k] += from->threads[i]->lost[k];
    c->processes = from->process_count;
    c->speakers = 0;
    for (uint32_t i = 0; i < from->process_count; i++)
        c->speakers += from->processes[i]->trace_hi || from->processes[i]->trace_salt;
    c->threads = from->thread_count;
    c->start_ns = from->start_ns;
}

void books_summary(const struct session_counts *c, struct export_summary *out)
{
    *out = (struct export_summary){.records = c->records,
                                   .damaged = c->damage.records,
                                   .clamped = c->pipe.clamped,
                                   .unfinished = c->pipe.unfinished,
                                   .start_ns = c->start_ns,
                                   .end_ns = c->end_ns};
    memcpy(out->lost, c->lost, sizeof out->lost);
}
