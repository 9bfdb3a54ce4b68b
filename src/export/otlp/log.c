/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * logs/v1 LogRecord: an event of the program, with its name where it has one,
 * and a stretch of lost records as a warning of ours. Pure.
 */
#include "export/otlp/otlp.h"

enum { /* of LogRecord */
       TIME = 1,
       SEVERITY_NUMBER = 2,
       SEVERITY_TEXT = 3,
       BODY = 5,
       ATTRIBUTES = 6,
       DROPPED_ATTRIBUTES = 7,
       FLAGS = 8,
       TRACE_ID = 9,
       SPAN_ID = 10,
       OBSERVED_TIME = 11
};
enum { BODY_TEXT = 1 };

static void put_severity(struct put *w, uint8_t level)
{
    const char *text = model_level_text(level);
    put_u32(w, SEVERITY_NUMBER, "severityNumber", (uint32_t)model_level_severity(level));
    put_text(w, SEVERITY_TEXT, "severityText", (struct model_str){text, (uint32_t)strlen(text)});
}

static void put_body(struct put *w, struct model_str text)
{
    struct pb_mark m = put_open(w, BODY, "body", put_width(3 * (size_t)text.n + 8));
    put_text(w, BODY_TEXT, "stringValue", text);
    put_close(w, m);
}

static void put_context(struct put *w, const struct model_event *e)
{
    static const uint8_t none[16];
    if (memcmp(e->trace_id, none, sizeof none) == 0)
        return;
    put_id(w, TRACE_ID, "traceId", e->trace_id, 16);
    if (e->span_id)
        put_id(w, SPAN_ID, "spanId", &e->span_id, 8);
    put_flags(w, FLAGS, e->trace_flags);
}

void otlp_put_log(struct otlp *o, const struct model_event *e, const struct otlp_site *site)
{
    struct put w = otlp_put_limited(o, o->item, OTLP_LOGS);
    if (e->told_log) {
        otlp_put_told_log(o, e, site);
        return;
    }
    struct pb_mark m = put_open(&w, 2, NULL, 2); /* ScopeLogs.log_records */
    put_fixed64(&w, TIME, "timeUnixNano", e->t_ns);
    put_fixed64(&w, OBSERVED_TIME, "observedTimeUnixNano", e->t_ns);
    put_severity(&w, e->site->level);
    if (e->message.n || !(e->site->flags & ORIEL_SITE_NAMED))
        put_body(&w, e->message.n ? e->message : e->site->name);
    if (w.json)
        put_comma(&w);
    buf_put(w.out, site->head, site->n);
    otlp_put_thread(o, &w, OTLP_LOGS, e->thread);
    uint32_t dropped = e->dropped_attrs + otlp_attrs(&w, ATTRIBUTES, e->attrs, e->attr_count,
                                                     o->options.of[OTLP_LOGS].attributes);
    put_list_end(&w);
    if (dropped)
        put_u32(&w, DROPPED_ATTRIBUTES, "droppedAttributesCount", dropped);
    put_context(&w, e);
    put_close(&w, m);
}

void otlp_put_loss(struct otlp *o, const struct model_loss *l)
{
    struct put w = {o->item, o->json, 0};
    struct pb_mark m = put_open(&w, 2, NULL, 2);
    put_fixed64(&w, TIME, "timeUnixNano", l->from_ns);
    put_fixed64(&w, OBSERVED_TIME, "observedTimeUnixNano", l->to_ns);
    put_severity(&w, ORIEL_LEVEL_WARN);
    put_body(&w, MODEL_STR("records lost"));
    put_list(&w, "attributes");
    otlp_attr_i64(&w, ATTRIBUTES, "count", (int64_t)l->count);
    otlp_attr_text(&w, ATTRIBUTES, "cause", put_str(model_lost_text(l->cause)));
    otlp_attr_text(&w, ATTRIBUTES, "remedy", put_str(model_lost_remedy(l->cause)));
    otlp_put_thread(o, &w, OTLP_LOGS, l->thread);
    put_list_end(&w);
    put_close(&w, m);
}
