/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report as JSON: waits, who ended them, locks, stack depths.
 */
#include "base/err.h"
#include "report/json.h"
#include "report/reason.h"

static void put_thread(struct json *j, const char *key, const struct model_thread *t, int32_t tid)
{
    json_key(j, key);
    if (!t && !tid) {
        json_null(j);
        return;
    }
    json_object(j);
    json_key(j, "tid");
    json_i64(j, t ? t->tid : tid);
    report_json_str(j, "name", t ? t->name : MODEL_STR(""));
    json_object_end(j);
}

/* The program's own function there, and the stack, outermost first. */
static int put_stack(struct json *j, struct frames *f, const char *in, const char *key,
                     uint32_t stack, struct frame_list *list)
{
    int rc = frames_list(f, stack, list);
    if (rc < 0)
        return rc;
    uint32_t place = stack ? reason_place(f, list) : FRAMES_NONE;
    report_json_maybe(j, in, place == FRAMES_NONE ? MODEL_STR("") : f->items.items[place].name);
    json_key(j, key);
    json_array(j);
    for (size_t i = list->items.count; stack && i-- > 0;) {
        struct model_str name = f->items.items[list->items.items[i].frame].name;
        json_string_n(j, name.p, name.n);
    }
    json_array_end(j);
    return 0;
}

static int put_rows(struct json *j, struct frames *f, const struct waits_order *o)
{
    struct frame_list list = {0};
    int rc = 0;
    json_key(j, "waits");
    json_array(j);
    for (size_t i = 0; rc == 0 && i < o->row_count; i++) {
        const struct wait_row *row = &o->rows[i];
        json_object(j);
        put_thread(j, "thread", row->thread, 0);
        rc = put_stack(j, f, "in", "stack", row->stack, &list);
        json_key(j, "for");
        json_string(j, reason_text(reason_of(f, &list, row->extra)));
        json_pair_u64(j, "ns", row->ns);
        json_pair_u64(j, "count", row->count);
        json_pair_u64(j, "ready_ns", row->ready_ns);
        json_pair_u64(j, "longest_ns", row->max_ns);
        json_object_end(j);
    }
    json_array_end(j);
    VEC_DONE(&list.items);
    return rc;
}

static int put_chains(struct json *j, struct frames *f, const struct waits_order *o, bool locks)
{
    struct frame_list list = {0};
    int rc = 0;
    json_key(j, locks ? "locks" : "chains");
    json_array(j);
    for (size_t i = 0; rc == 0 && i < o->chain_count; i++) {
        const struct wait_chain *c = &o->chains[i];
        if (locks != (c->lock != 0))
            continue;
        json_object(j);
        put_thread(j, "thread", c->thread, 0);
        rc = put_stack(j, f, "in", "stack", c->stack, &list);
        json_key(j, "for");
        json_string(j, reason_text(rc == 0 ? reason_of(f, &list, 0) : REASON_UNKNOWN));
        put_thread(j, "by", c->by, c->by_tid);
        rc = rc < 0 ? rc : put_stack(j, f, "by_in", "by_stack", c->by_stack, &list);
        json_key(j, "outside");
        json_bool(j, c->flags & ORIEL_WAKE_OUTSIDE);
        json_key(j, "interrupt");
        json_bool(j, c->flags & ORIEL_WAKE_INTERRUPT);
        if (locks)
            json_pair_u64(j, "address", c->lock);
        json_pair_u64(j, "ns", c->ns);
        json_pair_u64(j, "count", c->count);
        json_object_end(j);
    }
    json_array_end(j);
    VEC_DONE(&list.items);
    return rc;
}

static int put_depths(struct json *j, const struct report *r, struct frames *f)
{
    struct frame_list list = {0};
    int rc = 0;
    json_key(j, "stacks");
    json_array(j);
    for (size_t i = 0; rc == 0 && i < r->waits.depths.count; i++) {
        const struct wait_depth *d = &r->waits.depths.items[i];
        json_object(j);
        put_thread(j, "thread", d->thread, 0);
        json_pair_u64(j, "deepest_bytes", d->bytes);
        json_pair_u64(j, "limit_bytes", d->limit);
        rc = put_stack(j, f, "in", "stack", d->stack, &list);
        json_object_end(j);
    }
    json_array_end(j);
    VEC_DONE(&list.items);
    return rc;
}

int report_json_waits(struct json *j, const struct report *r)
{
    struct frames f;
    int rc = frames_init(&f, &r->catalog->stacks);
    struct waits_order o = {.row_count = 0};
    rc = rc < 0 ? rc : waits_order(&r->waits, &f, &o);
    json_key(j, "waiting");
    json_object(j);
    json_pair_u64(j, "ns", r->waits.ns);
    json_pair_u64(j, "count", r->waits.count);
    json_pair_u64(j, "ready_ns", r->waits.ready_ns);
    json_pair_u64(j, "pushed_ns", r->waits.pushed_ns);
    json_pair_u64(j, "beyond_ns", r->waits.beyond_ns);
    rc = rc < 0 ? rc : put_rows(j, &f, &o);
    for (int locks = 0; rc == 0 && locks < 2; locks++)
        rc = put_chains(j, &f, &o, locks);
    rc = rc < 0 ? rc : put_depths(j, r, &f);
    json_object_end(j);
    waits_order_done(&o);
    frames_done(&f);
    return rc;
}
