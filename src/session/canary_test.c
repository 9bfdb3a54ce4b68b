/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A known secret in every text field of the model, in every kind of record, comes
 * out of no outlet there is. What a new field or a new outlet forgets is found here.
 */
#include <stdlib.h>

#include "export/exporter.h"
#include "records.h"
#include "secret/secret.h"
#include "session/session.h"
#include "test.h"

#define CANARY "c4n4ry-with-19-byte"
#define CANARY_STR MODEL_STR("<" CANARY ">")

struct leaky {
    struct model_catalog *catalog;
    uint32_t process, sites;
    bool done;
};

static const struct model_site *site(struct leaky *l, uint8_t kind, const char *format,
                                     uint16_t fields)
{
    static const struct model_field_def defs[] = {
        {CANARY_STR, ORIEL_TYPE_STR, 0},
        {MODEL_STR("bytes"), ORIEL_TYPE_BYTES, 0},
        {MODEL_STR("json"), ORIEL_TYPE_STR, ORIEL_FIELD_NESTED}};
    struct model_site s = {.id = ++l->sites + 1,
                           .process = l->process,
                           .kind = kind,
                           .level = ORIEL_LEVEL_INFO,
                           .name = CANARY_STR,
                           .target = CANARY_STR,
                           .file = CANARY_STR,
                           .function = CANARY_STR,
                           .format = {format, (uint32_t)strlen(format)},
                           .field_count = fields,
                           .fields = defs};
    const struct model_site *made = model_catalog_add_site(l->catalog, &s);
    REQUIRE(made);
    return made;
}

static int leaky_open(void *state, const char *path, struct model_catalog *c,
                      struct oriel_err *open_err)
{
    struct leaky *l = state;
    const struct model_value attr = {
        .key = CANARY_STR, .type = ORIEL_TYPE_STR, .v.str = CANARY_STR, .full_bytes = 21};
    const struct model_told told = {.schema_url = CANARY_STR, .attrs = &attr, .attr_count = 1};
    const struct model_scope scope = {.name = CANARY_STR, .version = CANARY_STR, .told = told};
    l->catalog = c;
    struct model_process *p = model_catalog_add_process(c, 4242, CANARY_STR, CANARY_STR);
    REQUIRE(p);
    p->trace_hi = RECORDS_TRACE_HI;
    p->trace_salt = RECORDS_TRACE_SALT;
    p->start_ns = 1;
    l->process = p->index;
    CHECK_EQ(model_process_set_told(c, p, &told), 0);
    CHECK_EQ(model_catalog_set_resource(c, CANARY_STR, CANARY_STR), 0);
    const struct model_site *s = site(l, ORIEL_SITE_SPAN, "", 0);
    struct model_scope *kept = model_catalog_add_scope(c, &scope);
    REQUIRE(kept && model_catalog_add_scope(c, &scope) == kept); /* is known again */
    model_site_set_scope(c, s->index, kept);
    return 0;
}

static int leaky_poll(void *state, struct model_batch *b, size_t most, struct oriel_err *poll_err)
{
    struct leaky *l = state;
    static const char text[] = "say " CANARY " twice: " CANARY, json[] = "[\"" CANARY "\"]";
    if (l->done)
        return SOURCE_END;
    struct model_thread *t = model_catalog_add_thread(l->catalog, l->process, 7, 1);
    REQUIRE(t && model_thread_set_name(l->catalog, t, CANARY_STR) == 0);
    struct records_stream s = {.thread = t, .serial = 1, .position = 64, .seed = 4096};
    const struct model_site *span = site(l, ORIEL_SITE_SPAN, "", 3);
    uint64_t id = rec_begin(b, &s, 10, span, text, text, json);
    rec_set(b, &s, 11, id, site(l, ORIEL_SITE_SET, "", 3), text, text, json);
    rec_event(b, &s, 12, site(l, ORIEL_SITE_EVENT, "", 3), text, text, json);
    rec_event(b, &s, 13, site(l, ORIEL_SITE_EVENT, "%s " CANARY, 1), text);
    rec_link(b, &s, 14, id, 1, 2, 3);
    rec_state(b, &s, 15, id, "a=" CANARY);
    rec_status(b, &s, 16, id, ORIEL_STATUS_ERROR, text);
    rec_trigger(b, &s, 17, text);
    rec_thread_name(b, &s, 18, text);
    rec_frame(b, &s, 19, site(l, ORIEL_SITE_FRAME, "", 0));
    rec_task(b, &s, 20, site(l, ORIEL_SITE_TASK, "", 0), ORIEL_TASK_SPAWN, 1, 0);
    (void)rec_span(b, &s, 21, span, 5, 6, id, text, text, json);
    rec_end(b, &s, 22, id);
    rec_sample(b, &s, 23, ORIEL_SAMPLE_CPU, 0, 1000);
    b->watermark_ns = 30;
    l->done = true;
    return SOURCE_DATA;
}

static void leaky_close(void *state)
{
}

static const struct source leaky_source = {.name = "leaky",
                                           .state_size = sizeof(struct leaky),
                                           .open = leaky_open,
                                           .poll = leaky_poll,
                                           .close = leaky_close};

/* What an outlet makes of it; packed files as they are without packing. */
static void export_to(const struct exporter *e, struct buf *bytes)
{
    struct session *s;
    struct oriel_err err = {0};
    struct out *out;
    char options[4096] __attribute__((aligned(16)));
    REQUIRE(e->options_size <= sizeof options);
    REQUIRE(option_defaults(e->options, options) == 0);
    const struct option_def *d = option_find(e->options, "compression", 11);
    if (d)
        CHECK_EQ(option_set(d, options, "none", &err), 0);
    d = option_find(e->options, "gzip", 4);
    if (d)
        CHECK_EQ(option_set(d, options, "false", &err), 0);
    buf_init(bytes);
    REQUIRE(session_new_source(&s, &leaky_source, "x", NULL, &err) == 0);
    REQUIRE(out_buf_open(&out, bytes) == 0);
    if (session_add_outlet(s, e, options, out, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s: %s", e->name, err.text);
    while (session_step(s, NULL) == SOURCE_DATA)
        ;
    (void)session_finish(s, &err);
    session_free(s);
    option_done(e->options, options);
}

TEST(a_known_secret_in_every_field_comes_out_of_no_outlet)
{
    unsigned written = 0;
    CHECK_EQ(secret_known_add(CANARY, sizeof CANARY - 1), 0);
    for (size_t i = 0; export_registry[i]; i++) {
        struct buf bytes;
        export_to(export_registry[i], &bytes);
        const char *hit = bytes.size ? memmem(bytes.data, bytes.size, "c4n4ry", 6) : NULL;
        if (hit)
            test_fail(__FILE__, __LINE__, "%s, byte %zu: %.60s", export_registry[i]->name,
                      (size_t)(hit - bytes.data), hit);
        written += bytes.size > 0;
        buf_done(&bytes);
    }
    CHECK(written >= 5);
    secret_known_forget();
}

TEST(the_same_fields_tell_it_while_it_is_no_secret)
{
    for (size_t i = 0; export_registry[i]; i++) {
        const struct exporter *e = export_registry[i];
        struct buf bytes;
        if (!(e->wants & (EXPORT_RECORDS | EXPORT_ITEMS)) || e->wants & EXPORT_SYMBOLS ||
            e->wants & EXPORT_SEGMENTS)
            continue;
        export_to(e, &bytes);
        if (bytes.size && !memmem(bytes.data, bytes.size, CANARY, sizeof CANARY - 1))
            test_fail(__FILE__, __LINE__, "%s", e->name);
        buf_done(&bytes);
    }
}

TEST_MAIN()
