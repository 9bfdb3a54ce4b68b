/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Secrets: gone from values, messages, statuses and every text of the item
 * that repeats them; counted; gone as well when memory is short.
 */
#include "pipe/redact.h"

#include "piped.h"
#include "test.h"

static struct piped c;
static struct records_stream a;
#define CANARY "hunter2-canary"

static void open_pipe(void)
{
    piped_init(&c, NULL);
    a = records_thread(&c.w, 1);
}

/* Whether the canary stands anywhere in what came out. */
static bool leaked(struct model_str s)
{
    return s.n >= strlen(CANARY) && memmem(s.p, s.n, CANARY, strlen(CANARY));
}

static bool any_leak(void)
{
    bool found = false;
    for (size_t i = 0; i < c.out.item_count; i++) {
        const struct model_item *it = &c.out.items[i];
        bool is_span = it->kind == MODEL_ITEM_SPAN;
        const struct model_value *v = is_span ? it->u.span.attrs : it->u.event.attrs;
        uint32_t n = is_span ? it->u.span.attr_count : it->u.event.attr_count;
        for (uint32_t k = 0; k < n; k++)
            found |= (v[k].type == ORIEL_TYPE_STR || v[k].type == ORIEL_TYPE_BYTES) &&
                     leaked(v[k].v.str);
        found |= leaked(is_span ? it->u.span.status_message : it->u.event.message);
    }
    return found;
}

TEST(a_marked_value_of_any_type_is_replaced_and_counted)
{
    open_pipe();
    const struct model_site *site =
        records_site(&c.w, ORIEL_SITE_SPAN, "s", "!b:b,!i:i,!u:u,!f:f,!s:s,!y:y,!p:p,plain:s");
    uint64_t id = rec_begin(&c.in, &a, 1, site, 1, (int64_t)2, UINT64_C(3), 4.0, CANARY, CANARY, &c,
                            "visible");
    rec_end(&c.in, &a, 2, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "s");
    REQUIRE(s->attr_count == 8);
    for (uint32_t i = 0; i < 7; i++) {
        CHECK_EQ(s->attrs[i].type, ORIEL_TYPE_STR);
        CHECK_STR(piped_text(s->attrs[i].v.str), "[redacted]");
        CHECK(s->attrs[i].flags & MODEL_VALUE_REDACTED);
        CHECK_EQ(s->attrs[i].full_bytes, 10); /* the length of a secret is one too */
    }
    CHECK_STR(piped_attr(s->attrs, 8, "plain"), "visible");
    CHECK_EQ(piped_counts(&c).secrets, 7);
    CHECK(!any_leak());
    piped_done(&c);
}

TEST(a_secret_leaves_formatted_messages)
{
    open_pipe();
    const struct model_site *log = records_format(&c.w, "token %s, pin %08d", "!:s,!:i");
    rec_event(&c.in, &a, 1, log, CANARY, (int64_t)1234);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_STR(piped_text(piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event.message),
              "token [redacted], pin [redacted]");
    CHECK(!any_leak());
    piped_done(&c);
}

TEST(texts_of_the_item_that_repeat_a_secret_lose_it)
{
    open_pipe();
    const struct model_site *site =
        records_site(&c.w, ORIEL_SITE_SPAN, "s", "!token:s,url:s,raw:y,other:s");
    uint64_t id = rec_begin(&c.in, &a, 1, site, CANARY, "https://x/?t=" CANARY "&u=" CANARY "!",
                            CANARY, "harmless");
    rec_status(&c.in, &a, 2, id, ORIEL_STATUS_ERROR, "refused: " CANARY);
    rec_name(&c.in, &a, 2, id, "GET " CANARY);
    rec_end(&c.in, &a, 3, id);
    const struct model_site *log = records_format(&c.w, "%s: %s", "!:s,:s");
    rec_event(&c.in, &a, 4, log, CANARY, "got " CANARY);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "s");
    CHECK_STR(piped_attr(s->attrs, 4, "url"), "https://x/?t=[redacted]&u=[redacted]!");
    CHECK_STR(piped_attr(s->attrs, 4, "raw"), "[redacted]");
    CHECK_STR(piped_attr(s->attrs, 4, "other"), "harmless");
    CHECK_STR(piped_text(s->status_message), "refused: [redacted]");
    CHECK_STR(piped_text(model_span_name(s)), "GET [redacted]");
    CHECK_STR(piped_text(piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event.message),
              "[redacted]: got [redacted]");
    CHECK(!any_leak());
    piped_done(&c);
}

TEST(short_secrets_are_not_looked_for_in_other_texts)
{
    open_pipe();
    const struct model_site *site = records_site(&c.w, ORIEL_SITE_SPAN, "s", "!k:s,text:s");
    uint64_t id = rec_begin(&c.in, &a, 1, site, "a", "a banana");
    rec_end(&c.in, &a, 2, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "s");
    CHECK_STR(piped_attr(s->attrs, 2, "k"), "[redacted]");
    CHECK_STR(piped_attr(s->attrs, 2, "text"), "a banana");
    piped_done(&c);
}

TEST(a_secret_set_later_is_one_too)
{
    open_pipe();
    const struct model_site *site = records_site(&c.w, ORIEL_SITE_SPAN, "s", "");
    const struct model_site *set = records_site(&c.w, ORIEL_SITE_SET, "", "!password:s");
    uint64_t id = rec_begin(&c.in, &a, 1, site);
    rec_set(&c.in, &a, 2, id, set, CANARY);
    rec_status(&c.in, &a, 3, id, ORIEL_STATUS_ERROR, CANARY " is wrong");
    rec_end(&c.in, &a, 4, id);
    CHECK_EQ(piped_last(&c), 0);
    CHECK(!any_leak());
    CHECK_STR(piped_text(piped_span(&c, "s")->status_message), "[redacted] is wrong");
    piped_done(&c);
}

TEST(redaction_comes_before_cutting)
{
    struct pipe_options options = {.size = sizeof options, .attribute_length_limit = 6};
    piped_init(&c, &options);
    a = records_thread(&c.w, 1);
    const struct model_site *site = records_site(&c.w, ORIEL_SITE_SPAN, "s", "!k:s,text:s");
    uint64_t id = rec_begin(&c.in, &a, 1, site, CANARY, CANARY);
    rec_end(&c.in, &a, 2, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "s");
    CHECK_STR(piped_attr(s->attrs, 2, "k"), "[redacted]"); /* whole, it is no attribute text */
    CHECK_STR(piped_attr(s->attrs, 2, "text"), "[redac");
    piped_done(&c);
}

TEST(a_secret_plot_is_redacted)
{
    open_pipe();
    rec_plot(&c.in, &a, 1, records_site(&c.w, ORIEL_SITE_PLOT, "balance", "!:i"), (int64_t)42);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_value *v = &piped_item(&c, MODEL_ITEM_PLOT, 0)->u.plot.value;
    CHECK_EQ(v->type, ORIEL_TYPE_STR);
    CHECK(v->flags & MODEL_VALUE_REDACTED);
    piped_done(&c);
}

TEST(without_memory_a_text_that_repeats_a_secret_goes_as_a_whole)
{
    struct arena arena;
    struct model_value values[2] = {
        {.key = MODEL_STR("k"),
         .type = ORIEL_TYPE_STR,
         .flags = ORIEL_FIELD_SECRET,
         .v.str = MODEL_STR(CANARY)},
        {.key = MODEL_STR("t"), .type = ORIEL_TYPE_STR, .v.str = MODEL_STR("x " CANARY " y")}};
    struct model_item item = {.kind = MODEL_ITEM_SPAN};
    item.u.span.attrs = values;
    item.u.span.attr_count = 2;
    arena_init(&arena);
    mem_fail_after(1);
    CHECK_EQ(redact_item(&item, &arena), 1);
    mem_fail_after(0);
    CHECK_STR(piped_text(values[1].v.str), "[redacted]");
    arena_done(&arena);
}

TEST(more_secrets_than_are_looked_for_cost_the_whole_text)
{
    struct arena arena;
    struct model_value values[40];
    char texts[40][16];
    struct model_item item = {.kind = MODEL_ITEM_EVENT};
    for (int i = 0; i < 40; i++) {
        int n = snprintf(texts[i], sizeof texts[i], "secret-%d", i);
        values[i] = (struct model_value){.type = ORIEL_TYPE_STR,
                                         .flags = i ? ORIEL_FIELD_SECRET : 0,
                                         .v.str = {texts[i], (uint32_t)n}};
    }
    item.u.event.attrs = values;
    item.u.event.attr_count = 40;
    arena_init(&arena);
    CHECK_EQ(redact_item(&item, &arena), 39);
    CHECK_STR(piped_text(values[0].v.str), "[redacted]");
    arena_done(&arena);
}

TEST_MAIN()
