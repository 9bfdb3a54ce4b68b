/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report as JSON: calls that were counted. What the program said of them, every
 * function, and every edge between two of them.
 */
#include "base/err.h"
#include "report/callsums.h"
#include "report/json.h"

static void put_or_null(struct json *j, const char *key, uint64_t n, bool known)
{
    json_key(j, key);
    if (known)
        json_u64(j, n);
    else
        json_null(j);
}

static void put_functions(struct json *j, const struct frames *f, const struct call_tables *t)
{
    json_key(j, "functions");
    json_array(j);
    for (size_t i = 0; i < t->rows.count; i++) {
        const struct call_row *row = &t->rows.items[i];
        json_object(j);
        report_json_frame(j, &f->items.items[row->frame]);
        json_pair_u64(j, "calls", row->calls);
        json_pair_u64(j, "total_ns", row->total);
        json_pair_u64(j, "self_ns", row->self);
        put_or_null(j, "least_ns", row->times.least, row->times.most != 0);
        put_or_null(j, "most_ns", row->times.most, row->times.most != 0);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_edges(struct json *j, const struct frames *f, const struct call_tables *t)
{
    json_key(j, "edges");
    json_array(j);
    for (size_t i = 0; i < t->edges.count; i++) {
        const struct call_edge *e = &t->edges.items[i];
        json_object(j);
        if (e->caller == FRAMES_NONE) {
            json_key(j, "caller");
            json_null(j);
        } else {
            report_json_str(j, "caller", f->items.items[e->caller].name);
        }
        report_json_str(j, "callee", f->items.items[e->callee].name);
        json_pair_u64(j, "calls", e->calls);
        json_pair_u64(j, "total_ns", e->total);
        json_object_end(j);
    }
    json_array_end(j);
}

int report_json_calls(struct json *j, const struct report *r)
{
    const struct callsums *c = &r->calls;
    struct frames f;
    struct call_tables t = {0};
    if (!c->said && !r->profile.samples[ORIEL_SAMPLE_CALL])
        return 0;
    int rc = frames_init(&f, &r->catalog->stacks);
    if (rc == 0)
        rc = call_tables_make(r, &f, &t);
    if (rc == 0) {
        json_key(j, "calls");
        json_object(j);
        json_pair_u64(j, "calls", t.calls);
        put_or_null(j, "counted", c->counted, c->said);
        put_or_null(j, "told", c->told, c->said);
        json_pair_u64(j, "too_deep", c->too_deep);
        json_pair_u64(j, "no_room", c->no_room);
        json_pair_u64(j, "ring_full", c->ring_full);
        put_functions(j, &f, &t);
        put_edges(j, &f, &t);
        json_object_end(j);
    }
    call_tables_done(&t);
    frames_done(&f);
    return rc;
}
