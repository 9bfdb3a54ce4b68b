/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Logs: events as lines, for people on a terminal or for machines; the ends of
 * spans too when asked for; losses always. Plots, frame marks and task life
 * are not logs and are left out. Each line goes out whole. Runs on one thread.
 */
#include "export/log/log.h"

#include <assert.h>
#include <stddef.h>

#include "util/num.h"

enum { WRITE_BYTES = 64 * 1024 };

static const char *const format_choices[] = {"text", "json", "compact", "pretty", NULL};
static const char *const color_choices[] = {"auto", "always", "never", NULL};
static const char *const level_choices[] = {"trace", "debug", "info", "warn",
                                            "error", "fatal", "off",  NULL};

#define OPTION(name_, type_, member, fallback_)                                                    \
    .name = name_, .type = type_, .offset = offsetof(struct log_options, member),                  \
    .fallback = fallback_

static const struct option_def log_option_defs[] = {
    {OPTION("format", OPTION_ENUM, format, "text"), .choices = format_choices,
     .help = "text, compact or pretty lines for people, json for machines"},
    {OPTION("level", OPTION_ENUM, level, "trace"), .choices = level_choices,
     .help = "least level that is shown"},
    {OPTION("levels", OPTION_STRING, levels, ""), .arg = "TARGET=LEVEL,...",
     .help = "least level by target; the longest target that fits decides"},
    {OPTION("spans", OPTION_BOOL, spans, "false"), .help = "a line for every span that ends"},
    {OPTION("events", OPTION_BOOL, events, "true"), .help = "a line for every event"},
    {OPTION("context", OPTION_STRING, context, "kernel_id,domain,tenant_id,duration_ms"),
     .arg = "KEY,...", .help = "attributes that stand beside the fields in JSON lines"},
    {OPTION("color", OPTION_ENUM, color, "auto"), .choices = color_choices,
     .help = "colour in lines for people; auto: on a terminal"},
    OPTION_END,
};

static int log_open(void *state, const void *options, const struct export_env *env,
                    struct oriel_err *err)
{
    struct log_state *l = state;
    const struct log_options *o = options;
    assert(env->out && o->format <= LOG_PRETTY);
    int rc = log_filter_init(l, o, err);
    if (rc)
        return rc;
    l->env = *env;
    l->format = o->format;
    l->spans = o->spans;
    l->events = o->events;
    l->colour = o->color == LOG_COLOUR_ALWAYS || (o->color == LOG_COLOUR_AUTO && env->out->colour);
    buf_init(&l->buf);
    return 0;
}

bool log_has_trace(const struct log_line *line)
{
    static const uint8_t none[16];
    return line->trace_id && memcmp(line->trace_id, none, sizeof none) != 0;
}

static void put_line(struct log_state *l, const struct log_line *line)
{
    if (l->format == LOG_JSON)
        log_put_json(l, line);
    else
        log_put_text(l, line);
}

static void put_event(struct log_state *l, const struct model_event *e)
{
    const struct log_line line = {
        .t_ns = e->t_ns,
        .site = e->site,
        .thread = e->thread,
        .target = e->site->target,
        .message = e->message.n ? e->message : e->site->name,
        .named = (e->site->flags & ORIEL_SITE_NAMED) != 0,
        .level = e->site->level,
        .trace_id = e->trace_id,
        .span_id = e->span_id,
        .attrs = e->attrs,
        .attr_count = e->attr_count,
        .dropped_attrs = e->dropped_attrs,
    };
    if (l->events && log_filter_shows(l, e->site))
        put_line(l, &line);
}

static void put_span(struct log_state *l, const struct model_span *s)
{
    const struct log_line line = {
        .t_ns = s->end_ns,
        .site = s->site,
        .thread = s->end_thread,
        .target = s->site->target,
        .message = model_span_name(s),
        .level = s->site->level,
        .trace_id = s->trace_id,
        .span_id = s->span_id,
        .parent_id = s->parent_id,
        .attrs = s->attrs,
        .attr_count = s->attr_count,
        .dropped_attrs = s->dropped_attrs,
        .span = s,
    };
    if (l->spans && log_filter_shows(l, s->site))
        put_line(l, &line);
}

static struct model_str text_of(const char *s)
{
    return (struct model_str){s, (uint32_t)strlen(s)};
}

static void put_loss(struct log_state *l, const struct model_loss *loss)
{
    const struct model_value attrs[] = {
        {.key = MODEL_STR("count"), .type = ORIEL_TYPE_U64, .v.u64 = loss->count},
        {.key = MODEL_STR("cause"),
         .type = ORIEL_TYPE_STR,
         .v.str = text_of(model_lost_text(loss->cause))},
        {.key = MODEL_STR("remedy"),
         .type = ORIEL_TYPE_STR,
         .v.str = text_of(model_lost_remedy(loss->cause))},
    };
    const struct log_line line = {
        .t_ns = loss->to_ns,
        .thread = loss->thread,
        .target = MODEL_STR("oriel"),
        .message = MODEL_STR("records lost"),
        .level = ORIEL_LEVEL_WARN,
        .attrs = attrs,
        .attr_count = sizeof attrs / sizeof *attrs,
    };
    put_line(l, &line);
}

static int drain(struct log_state *l, struct oriel_err *err)
{
    struct out *out = l->env.out;
    int rc = export_waiting_write(&l->waiting, &l->buf, out, 0); /* no half line */
    return rc == 0 ? 0
                   : err_set(err, rc, "%s: writing the log: %s", *out->path ? out->path : "memory",
                             err_text(rc));
}

/* The buffer ends with whole lines: what one write gives stays in one file
 * when files rotate. What cannot be written is counted; the rest has its chance. */
static int log_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    struct log_state *l = state;
    int rc = 0;
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct model_item *item = &batch->items[i];
        const size_t before = l->buf.size;
        if (item->kind == MODEL_ITEM_EVENT && !model_event_is_copy(&item->u.event))
            put_event(l, &item->u.event);
        else if (item->kind == MODEL_ITEM_SPAN)
            put_span(l, &item->u.span);
        else if (item->kind == MODEL_ITEM_LOSS)
            put_loss(l, &item->u.loss);
        if (l->buf.size != before || l->buf.failed)
            export_waiting_add(&l->waiting, &l->buf);
        if (l->buf.size >= WRITE_BYTES || l->buf.failed) {
            const int one = drain(l, rc ? NULL : err);
            rc = rc ? rc : one;
        }
    }
    return rc;
}

static int log_flush(void *state, struct oriel_err *err)
{
    return drain(state, err);
}

static int log_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct log_state *l = state;
    (void)end; /* losses have been said as they came */
    int rc = drain(l, err);
    log_filter_done(l);
    export_waiting_done(&l->waiting);
    buf_done(&l->buf);
    return rc;
}

static uint64_t log_unwritten(const void *state)
{
    return ((const struct log_state *)state)->waiting.unwritten;
}

const struct exporter export_log = {
    .name = "log",
    .help = "log lines, as text for people or as JSON for machines",
    .suffix = ".log",
    .wants = EXPORT_ITEMS,
    .options = log_option_defs,
    .options_size = sizeof(struct log_options),
    .state_size = sizeof(struct log_state),
    .open = log_open,
    .write = log_write,
    .flush = log_flush,
    .close = log_close,
    .unwritten = log_unwritten,
};
