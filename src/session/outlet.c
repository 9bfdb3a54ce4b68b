/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Opens, writes, flushes and closes one outlet of a session, and keeps the books.
 */
#include "session/outlet.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "deliver/deliver.h"
#include "session/fetch.h"
#include "util/option.h"

void *outlet_state_new(size_t size, void **out_block)
{
    enum { LINE = 64 };
    char *block = mem_calloc(1, size + LINE);
    *out_block = block;
    return block ? block + (LINE - (uintptr_t)block % LINE) : NULL;
}

static size_t member_size(enum option_type type)
{
    switch (type) {
    case OPTION_BOOL:
        return sizeof(bool);
    case OPTION_INT:
        return sizeof(int64_t);
    case OPTION_FLOAT:
        return sizeof(double);
    case OPTION_STRING:
        return sizeof(const char *);
    case OPTION_ENUM:
        return sizeof(int);
    case OPTION_SIZE:
    case OPTION_DURATION:
        return sizeof(uint64_t);
    }
    return 0;
}

/* option_text is no way to copy: it hides secrets. */
int outlet_option_take(const struct option_def *d, void *to, const void *from)
{
    const char *member = (const char *)from + d->offset, *text;
    if (d->type != OPTION_STRING) {
        memcpy((char *)to + d->offset, member, member_size(d->type));
        return 0;
    }
    memcpy(&text, member, sizeof text);
    return text ? option_set(d, to, text, NULL) : 0;
}

int outlet_options_copy(const struct exporter *e, const void *from, void **out)
{
    char *copy = mem_calloc(1, e->options_size ? e->options_size : 1);
    if (!copy)
        return ORIEL_ENOMEM;
    int rc = e->options ? option_defaults(e->options, copy) : 0;
    if (!e->options && from) /* what no table describes is plain, and taken as it is */
        memcpy(copy, from, e->options_size);
    for (const struct option_def *d = e->options; rc == 0 && from && d && d->name; d++)
        rc = outlet_option_take(d, copy, from);
    if (rc < 0) {
        outlet_options_free(e, copy);
        return rc;
    }
    *out = copy;
    return 0;
}

void outlet_options_free(const struct exporter *e, void *options)
{
    if (options && e->options)
        option_done(e->options, options);
    mem_free(options);
}

bool outlet_option_same(const struct option_def *d, const void *a, const void *b)
{
    const char *x = (const char *)a + d->offset, *y = (const char *)b + d->offset;
    if (d->type != OPTION_STRING)
        return memcmp(x, y, member_size(d->type)) == 0;
    const char *one, *other;
    memcpy(&one, x, sizeof one);
    memcpy(&other, y, sizeof other);
    return strcmp(one ? one : "", other ? other : "") == 0;
}

void outlet_leave_vault(struct outlet *o)
{
    if (o->fetch)
        fetch_leave(o->fetch, o->destination);
    o->fetch = NULL;
}

void outlet_done(struct outlet *o)
{
    outlet_leave_vault(o);
    if (o->exporter)
        outlet_options_free(o->exporter, o->options);
    mem_free(o->state_block);
    out_close(o->out);
    memset(o, 0, sizeof *o);
}

static const char *service_name(const struct model_catalog *c)
{
    struct model_str s = model_catalog_resource(c, "service.name");
    return s.n && s.p[s.n] == 0 ? s.p : "oriel";
}

int outlet_open(struct outlet *o, const struct exporter *exporter, const void *options,
                struct out *out, const struct model_catalog *catalog, struct oriel_err *err)
{
    assert(o && exporter && catalog);
    *o = (struct outlet){.exporter = exporter, .out = out};
    o->env = (struct export_env){.catalog = catalog,
                                 .out = out,
                                 .service_name = service_name(catalog),
                                 .version = ORIEL_VERSION_TEXT};
    int rc = outlet_options_copy(exporter, options, &o->options);
    if (rc == 0) {
        o->state = outlet_state_new(exporter->state_size, &o->state_block);
        rc = o->state ? 0 : ORIEL_ENOMEM;
    }
    if (rc < 0)
        err_set(err, rc, "%s: %s", exporter->name, err_text(rc));
    else
        rc = exporter->open(o->state, o->options, &o->env, err);
    if (rc < 0)
        outlet_done(o);
    return rc;
}

static void outlet_failed(struct outlet *o, int rc, const struct oriel_err *why)
{
    o->failed++;
    if (o->first.code)
        return;
    if (why->text[0])
        o->first = *why;
    else
        err_set(&o->first, rc, "%s: %s", o->exporter->name, err_text(rc));
    o->first.code = rc;
}

/* An outlet that knows what it could not write is believed to the record. */
static void outlet_ask(struct outlet *o)
{
    if (!o->exporter->unwritten)
        return;
    uint64_t n = o->exporter->unwritten(o->state);
    o->refused = n < o->given ? n : o->given;
    o->refused_seen = o->exporter->unwritten_seen ? o->exporter->unwritten_seen(o->state) : 0;
    o->delivered = o->given - o->refused;
    o->unflushed = 0;
}

void outlet_write(struct outlet *o, const struct model_batch *batch, uint64_t count)
{
    struct oriel_err why = {0};
    int rc = o->exporter->write(o->state, batch, &why);
    o->given += count;
    if (rc < 0) {
        o->refused += count;
        outlet_failed(o, rc, &why);
    } else {
        o->delivered += count;
        o->unflushed += count;
    }
    outlet_ask(o);
    o->unflushed += o->exporter->unwritten != NULL;
}

void outlet_flush(struct outlet *o, bool always)
{
    if (!o->unflushed && !always)
        return;
    struct oriel_err why = {0};
    int rc = o->exporter->flush ? o->exporter->flush(o->state, &why) : 0;
    if (rc < 0) {
        assert(o->delivered >= o->unflushed);
        o->delivered -= o->unflushed;
        o->refused += o->unflushed;
        outlet_failed(o, rc, &why);
    }
    o->unflushed = 0;
    outlet_ask(o);
}

bool outlet_tick(struct outlet *o, uint64_t now_ns)
{
    struct oriel_err why = {0};
    if (!o->exporter->tick || (o->out && !out_takes_messages(o->out)))
        return false;
    const uint64_t unflushed = o->unflushed;
    int rc = o->exporter->tick(o->state, now_ns, &why);
    if (rc < 0)
        outlet_failed(o, rc, &why);
    outlet_ask(o);
    o->unflushed = unflushed; /* some of it may wait on */
    return true;
}

uint64_t outlet_due(const struct outlet *o, uint64_t *out_delay_ns)
{
    *out_delay_ns = OUTLET_FLUSH_NS;
    if (!o->exporter->tick || (o->out && !out_takes_messages(o->out)))
        return UINT64_MAX;
    assert(o->exporter->due);
    return o->exporter->due(o->state, out_delay_ns);
}

/* What a receiver did not take in time is no failure of the outlet: the books tell it, and
 * the destination itself says why. What a disk kept it from settling will not be delivered by
 * anybody. */
void outlet_finish(struct outlet *o, uint64_t deadline_ns, bool wait)
{
    if (!o->out || !out_takes_messages(o->out))
        return;
    (void)out_finish(o->out, deadline_ns, wait);
    outlet_ask(o);
    if (!wait || !o->destination)
        return;
    struct deliver_counts c;
    deliver_total(o->destination, &c);
    o->refused += c.queued < o->delivered ? c.queued : o->delivered;
    o->delivered = o->given - o->refused;
}

void outlet_close(struct outlet *o, const struct export_summary *end)
{
    outlet_flush(o, false);
    struct oriel_err why = {0};
    int rc = o->exporter->close(o->state, end, &why);
    outlet_ask(o);
    if (rc < 0)
        outlet_failed(o, rc, &why);
}
