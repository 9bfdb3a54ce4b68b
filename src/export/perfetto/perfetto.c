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

/* A write that fails is taken back as a whole, so that the file ends between
 * two packets; what it had introduced is introduced again. */
int perfetto_drain(struct perfetto *p, struct oriel_err *err)
{
    struct out *out = p->env.out;
    uint64_t keep = out->bytes;
    int rc = out_write_buf(out, &p->buf);
    if (rc == 0)
        return 0;
    if (out_can_seek(out))
        out_truncate(out, keep);
    perfetto_tracks_forget(p);
    p->begun = keep > 0;
    return err_set(err, rc, "%s: writing the Perfetto trace: %s", *out->path ? out->path : "memory",
                   err_text(rc));
}

static int perfetto_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    struct perfetto *p = state;
    begin(p);
    for (size_t i = 0; i < batch->item_count; i++) {
        if (batch->items[i].kind == MODEL_ITEM_SAMPLE) {
            int taken = perfetto_take_sample(p, &batch->items[i].u.sample, err);
            if (taken < 0 && !p->buf.failed)
                return taken;
        } else {
            perfetto_put_item(p, &batch->items[i]);
        }
        if (p->buf.size >= WRITE_BYTES || p->buf.failed) {
            int rc = perfetto_drain(p, err);
            if (rc)
                return rc;
        }
    }
    return p->buf.failed ? perfetto_drain(p, err) : 0;
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
    buf_done(&p->buf);
    buf_done(&p->scratch);
    return rc;
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
};
