/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Perfetto's own trace format: the file. A row of packets, readable at any cut
 * between two of them. Times are Unix nanoseconds on the boot clock of the
 * trace: a snapshot that sets both clocks equal makes the times exact as they
 * stand and lets Perfetto show the wall clock. (Joined with a system trace of
 * the same machine they would lie decades apart: the boot clock itself is not
 * known here.) Runs on one thread.
 */
#include "export/perfetto/perfetto.h"

#include <assert.h>
#include <stddef.h>

enum { WRITE_BYTES = 256 * 1024 };

static const struct option_def perfetto_option_defs[] = {
    {.name = "ids",
     .type = OPTION_BOOL,
     .offset = offsetof(struct perfetto_options, ids),
     .fallback = "true",
     .help = "annotate every slice with trace, span and parent id"},
    {.name = "source",
     .type = OPTION_BOOL,
     .offset = offsetof(struct perfetto_options, source),
     .fallback = "true",
     .help = "give the source location of every slice"},
    OPTION_END,
};

static int perfetto_open(void *state, const void *options, const struct export_env *env,
                         struct oriel_err *err)
{
    struct perfetto *p = state;
    assert(env->catalog && env->out);
    p->options = *(const struct perfetto_options *)options;
    p->env = *env;
    buf_init(&p->buf);
    buf_init(&p->scratch);
    if (perfetto_tracks_init(p) != 0)
        return err_set(err, ORIEL_ENOMEM, "perfetto: %s", err_text(ORIEL_ENOMEM));
    export_flows_init(&p->flows);
    return 0;
}

static void put_clocks(struct perfetto *p)
{
    static const unsigned clocks[] = {CLOCK_BOOT, CLOCK_UNIX};
    struct buf *b = &p->buf;
    uint64_t ns = p->env.catalog->start_ns;
    struct pb_mark packet = packet_open(p, NULL, FLAG_STATE_CLEARED);
    struct pb_mark snapshot = pb_open(b, PACKET_CLOCK_SNAPSHOT, 1);
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        struct pb_mark clock = pb_open(b, CLOCKS_CLOCK, 1);
        pb_uint(b, CLOCK_ID, clocks[i]);
        pb_uint(b, CLOCK_TIMESTAMP, ns);
        pb_close(b, clock);
    }
    pb_close(b, snapshot);
    pb_close(b, packet);
}

static void put_trace_uuid(struct perfetto *p)
{
    uint64_t halves[2];
    memcpy(halves, p->env.catalog->session_id, sizeof halves);
    struct pb_mark packet = packet_open(p, NULL, 0);
    struct pb_mark uuid = pb_open(&p->buf, PACKET_TRACE_UUID, 1);
    pb_uint(&p->buf, 1, __builtin_bswap64(halves[0]));
    pb_uint(&p->buf, 2, __builtin_bswap64(halves[1]));
    pb_close(&p->buf, uuid);
    pb_close(&p->buf, packet);
}

static void begin(struct perfetto *p)
{
    if (p->begun)
        return;
    p->begun = true;
    put_clocks(p);
    put_trace_uuid(p);
    perfetto_put_session(p);
}

/* A write that fails is taken back to the end of an item, so that the file ends between
 * two packets; what it had introduced is introduced again. */
int perfetto_drain(struct perfetto *p, struct oriel_err *err)
{
    struct out *out = p->env.out;
    int rc = export_waiting_write(&p->waiting, &p->buf, out, 0);
    if (rc == 0)
        return 0;
    perfetto_tracks_forget(p);
    p->begun = out->bytes > 0;
    return err_set(err, rc, "%s: writing the Perfetto trace: %s", *out->path ? out->path : "memory",
                   err_text(rc));
}

/* One that is held is counted when it comes out; samples, when they are written. */
static int put_item(struct perfetto *p, const struct model_item *item, struct oriel_err *err)
{
    const size_t before = p->buf.size;
    if (item->kind == MODEL_ITEM_SAMPLE)
        return perfetto_take_sample(p, &item->u.sample, err);
    p->held = false;
    perfetto_put_item(p, item);
    if (!p->held && (p->buf.size != before || p->buf.failed))
        export_waiting_add(&p->waiting, &p->buf);
    for (; p->released; p->released--)
        export_waiting_add(&p->waiting, &p->buf);
    return 0;
}

/* What cannot be written is counted; the rest of the batch has its chance. */
static int perfetto_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    struct perfetto *p = state;
    int rc = 0;
    for (size_t i = 0; i < batch->item_count; i++) {
        begin(p);
        int one = put_item(p, &batch->items[i], rc ? NULL : err);
        rc = rc ? rc : one;
        if (p->buf.size >= WRITE_BYTES || p->buf.failed) {
            one = perfetto_drain(p, rc ? NULL : err);
            rc = rc ? rc : one;
        }
    }
    return rc;
}

static int perfetto_flush(void *state, struct oriel_err *err)
{
    struct perfetto *p = state;
    begin(p);
    return perfetto_drain(p, err);
}

static int perfetto_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct perfetto *p = state;
    begin(p);
    perfetto_release_holds(p);
    int rc = perfetto_put_samples(p, err);
    perfetto_put_summary(p, end);
    int last = perfetto_drain(p, rc < 0 ? NULL : err);
    rc = rc < 0 ? rc : last;
    perfetto_tracks_done(p);
    export_flows_done(&p->flows);
    export_waiting_done(&p->waiting);
    buf_done(&p->buf);
    buf_done(&p->scratch);
    return rc;
}

static uint64_t perfetto_unwritten(const void *state)
{
    return ((const struct perfetto *)state)->waiting.unwritten;
}

const struct exporter export_perfetto = {
    .name = "perfetto",
    .help = "Perfetto's native trace format, for ui.perfetto.dev and trace_processor",
    .suffix = ".pftrace",
    .wants = EXPORT_ITEMS | EXPORT_SYMBOLS,
    .options = perfetto_option_defs,
    .options_size = sizeof(struct perfetto_options),
    .state_size = sizeof(struct perfetto),
    .open = perfetto_open,
    .write = perfetto_write,
    .flush = perfetto_flush,
    .close = perfetto_close,
    .unwritten = perfetto_unwritten,
};
