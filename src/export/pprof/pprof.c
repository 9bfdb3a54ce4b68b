/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The profile format of Go's pprof, which most profile viewers read. One file
 * holds all kinds, as sample types of their own; without `kind`, viewers start
 * with CPU time. Written at the end, when places have their lines. Runs on one
 * thread.
 */
#include "export/pprof/pprof.h"

#include <assert.h>
#include <stddef.h>

#include "export/samples.h"
#include "util/gzip.h"

static const struct option_def pprof_option_defs[] = {
    {.name = "kind",
     .type = OPTION_ENUM,
     .offset = offsetof(struct pprof_options, kind),
     .fallback = "all",
     .choices = export_sample_kinds,
     .arg = "KIND",
     .help = "which samples; all are sample types of one profile, CPU time first"},
    {.name = "spans",
     .type = OPTION_BOOL,
     .offset = offsetof(struct pprof_options, spans),
     .fallback = "false",
     .help = "keep samples of different spans apart, labelled span_id and trace_id"},
    {.name = "gzip",
     .type = OPTION_BOOL,
     .offset = offsetof(struct pprof_options, gzip),
     .fallback = "true",
     .help = "compress the file, as readers expect"},
    OPTION_END,
};

static int pprof_open(void *state, const void *options, const struct export_env *env,
                      struct oriel_err *err)
{
    struct pprof *p = state;
    (void)err;
    assert(env->catalog && env->out);
    p->options = *(const struct pprof_options *)options;
    p->env = *env;
    model_profile_init(&p->profile, p->options.spans);
    return 0;
}

static int pprof_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    struct pprof *p = state;
    uint64_t before = p->missed;
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct model_sample *s = &batch->items[i].u.sample;
        if (batch->items[i].kind != MODEL_ITEM_SAMPLE ||
            (p->options.kind && s->kind != p->options.kind))
            continue;
        p->missed += model_profile_add(&p->profile, s) < 0;
    }
    return p->missed == before ? 0
                               : err_set(err, ORIEL_ENOMEM, "pprof: samples are missing: %s",
                                         err_text(ORIEL_ENOMEM));
}

static int put_file(const struct pprof *p, const struct export_summary *end, struct oriel_err *err)
{
    struct out *out = p->env.out;
    const uint64_t keep = out->bytes;
    struct buf message, packed;
    buf_init(&message);
    buf_init(&packed);
    int rc = pprof_put(p, end, &message);
    if (rc == 0 && p->options.gzip)
        rc = gzip_compress(message.data, message.size, &packed);
    if (rc == 0)
        rc = out_write_buf(out, p->options.gzip ? &packed : &message);
    if (rc < 0 && out_can_seek(out))
        (void)out_truncate(out, keep); /* no half profile */
    buf_done(&message);
    buf_done(&packed);
    return rc == 0 ? 0
                   : err_set(err, rc, "%s: writing the profile: %s",
                             *out->path ? out->path : "pprof", err_text(rc));
}

static int pprof_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct pprof *p = state;
    int rc = 0;
    if (p->profile.row_count) {
        rc = put_file(p, end, err);
        for (int i = 0; rc < 0 && i < ORIEL_SAMPLE_KINDS; i++)
            p->missed += p->profile.samples[i];
    } else if (!p->missed) {
        rc = err_set(err, ORIEL_ENOTFOUND, "pprof: the recording holds no %s%ssamples%s",
                     p->options.kind ? export_sample_kinds[p->options.kind] : "",
                     p->options.kind ? " " : "", p->options.kind ? "" : "; record with --rate 99");
    }
    model_profile_done(&p->profile);
    return rc;
}

static uint64_t pprof_unwritten(const void *state)
{
    return ((const struct pprof *)state)->missed;
}

const struct exporter export_pprof = {
    .name = "pprof",
    .help = "samples as a gzipped profile.proto, for go tool pprof and others",
    .suffix = ".pb.gz",
    .wants = EXPORT_ITEMS | EXPORT_SYMBOLS,
    .options = pprof_option_defs,
    .options_size = sizeof(struct pprof_options),
    .state_size = sizeof(struct pprof),
    .open = pprof_open,
    .write = pprof_write,
    .close = pprof_close,
    .unwritten = pprof_unwritten,
};
