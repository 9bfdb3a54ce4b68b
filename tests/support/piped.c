/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The helper behind piped.h.
 */
#include "piped.h"

#include "test.h"

#include <inttypes.h>

void piped_init(struct piped *c, const struct pipe_options *options)
{
    memset(c, 0, sizeof *c);
    records_init(&c->w);
    model_batch_init(&c->in, &c->w.catalog);
    model_batch_init(&c->out, &c->w.catalog);
    REQUIRE(pipe_new(&c->pipe, options, &c->w.catalog) == 0);
}

void piped_done(struct piped *c)
{
    pipe_free(c->pipe);
    model_batch_done(&c->in);
    model_batch_done(&c->out);
    records_done(&c->w);
}

void piped_check_books(const struct piped *c)
{
    struct pipe_counts n = piped_counts(c);
    uint64_t sum = n.held;
    for (int i = 0; i < PIPE_FATES; i++)
        sum += n.fates[i];
    CHECK_EQ(sum, n.records_in);
    CHECK_EQ(n.fates[PIPE_BEGAN] + n.fates[PIPE_EXTERNAL], n.spans + n.open + n.spans_lost);
    CHECK(n.sampled_out + n.tail_held <= n.spans && n.tail_kept <= n.spans);
}

int piped_push(struct piped *c, uint64_t watermark_ns)
{
    c->in.watermark_ns = watermark_ns;
    int rc = pipe_push(c->pipe, &c->in, &c->out);
    model_batch_clear(&c->in);
    piped_check_books(c);
    return rc;
}

int piped_last(struct piped *c)
{
    c->in.last = true;
    int rc = piped_push(c, 0);
    CHECK_EQ(piped_counts(c).held, 0);
    return rc;
}

struct pipe_counts piped_counts(const struct piped *c)
{
    struct pipe_counts n;
    pipe_counts(c->pipe, &n);
    return n;
}

size_t piped_items(const struct piped *c, enum model_item_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < c->out.item_count; i++)
        n += c->out.items[i].kind == kind;
    return n;
}

const struct model_item *piped_item(const struct piped *c, enum model_item_kind kind, size_t n)
{
    for (size_t i = 0; i < c->out.item_count; i++)
        if (c->out.items[i].kind == kind && n-- == 0)
            return &c->out.items[i];
    REQUIRE(!"there is such an item");
    return NULL;
}

const struct model_span *piped_find(const struct piped *c, const char *name)
{
    for (size_t i = 0; i < c->out.item_count; i++) {
        const struct model_item *it = &c->out.items[i];
        if (it->kind == MODEL_ITEM_SPAN && it->u.span.site->name.n == strlen(name) &&
            memcmp(it->u.span.site->name.p, name, strlen(name)) == 0)
            return &it->u.span;
    }
    return NULL;
}

const struct model_span *piped_span(const struct piped *c, const char *name)
{
    const struct model_span *s = piped_find(c, name);
    if (!s)
        test_fail(__FILE__, __LINE__, "no span \"%s\" came out", name);
    test_stop_if_failed();
    return s;
}

const char *piped_text(struct model_str s)
{
    static char text[3][70000];
    static int turn;
    char *out = text[turn = (turn + 1) % 3];
    snprintf(out, sizeof text[0], "%.*s", (int)s.n, s.n ? s.p : "");
    return out;
}

const char *piped_attr(const struct model_value *attrs, uint32_t n, const char *key)
{
    static char out[64];
    for (uint32_t i = 0; i < n; i++) {
        const struct model_value *v = &attrs[i];
        if (v->key.n != strlen(key) || memcmp(v->key.p, key, v->key.n) != 0)
            continue;
        switch (v->type) {
        case ORIEL_TYPE_STR:
        case ORIEL_TYPE_BYTES:
            return piped_text(v->v.str);
        case ORIEL_TYPE_BOOL:
            return v->v.b ? "true" : "false";
        case ORIEL_TYPE_F64:
            snprintf(out, sizeof out, "%g", v->v.f64);
            return out;
        case ORIEL_TYPE_I64:
            snprintf(out, sizeof out, "%" PRId64, v->v.i64);
            return out;
        default:
            snprintf(out, sizeof out, "%" PRIu64, v->v.u64);
            return out;
        }
    }
    return "";
}
