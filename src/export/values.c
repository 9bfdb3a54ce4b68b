/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Names and numbers that several outlets spell alike. Pure; any thread. */
#include "export/values.h"

#include <math.h>
#include <string.h>

#include "util/json.h"

bool export_key_is_taken(struct model_str key)
{
    static const struct model_str ours[] = {
        MODEL_STR("src"),
        MODEL_STR("level"),
        MODEL_STR("links"),
        MODEL_STR("span_id"),
        MODEL_STR("trace_id"),
        MODEL_STR("parent_span_id"),
        MODEL_STR("message"),
        MODEL_STR("otel.status_code"),
        MODEL_STR("otel.status_description"),
        MODEL_STR("otel.dropped_attributes_count"),
        MODEL_STR("otel.dropped_events_count"),
        MODEL_STR("otel.dropped_links_count"),
    };
    if (key.n > 6 && memcmp(key.p, "oriel.", 6) == 0)
        return true;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (key.n == ours[i].n && memcmp(key.p, ours[i].p, key.n) == 0)
            return true;
    return false;
}

void export_put_double(struct buf *b, double v)
{
    size_t from = b->size;
    json_put_double(b, v, true);
    if (!isfinite(v) || b->failed)
        return;
    for (size_t i = from; i < b->size; i++)
        if (b->data[i] == '.' || b->data[i] == 'e')
            return;
    buf_put(b, ".0", 2);
}

const struct model_scope *export_scope(const struct model_catalog *c, const struct model_site *s)
{
    const struct model_scope *scope =
        s && s->scope && s->scope <= c->scope_count ? c->scopes[s->scope - 1] : NULL;
    return scope && (scope->version.n || scope->told.attr_count) ? scope : NULL;
}
