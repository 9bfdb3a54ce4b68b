/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sessions that send: what the configuration says of receivers, how many there are of them,
 * and that the books are exact whatever they answer. */
#include "session/sending.h"

#include <pthread.h>
#include <stdlib.h>

#include "deliver/deliver.h"
#include "receiver.h"
#include "session/outlet.h"
#include "test.h"
#include "util/pb.h"

/* ---- a source of events ---- */

enum { EVENTS = 1000, PER_POLL = 100 };
struct fake {
    struct model_thread *thread;
    struct model_site *site;
    int left;
};

static int fake_open(void *state, const char *path, struct model_catalog *c, struct oriel_err *err)
{
    struct fake *f = state;
    (void)path;
    (void)err;
    struct model_process *p = model_catalog_add_process(c, 7, MODEL_STR("/x"), MODEL_STR("x"));
    const struct model_site site = {.id = 2,
                                    .kind = ORIEL_SITE_EVENT,
                                    .level = ORIEL_LEVEL_INFO,
                                    .name = MODEL_STR("said"),
                                    .target = MODEL_STR("test")};
    REQUIRE(p != NULL);
    f->thread = model_catalog_add_thread(c, p->index, 7, 1);
    f->site = model_catalog_add_site(c, &site);
    f->left = EVENTS;
    return f->thread && f->site ? 0 : ORIEL_ENOMEM;
}

static int fake_poll(void *state, struct model_batch *b, size_t max, struct oriel_err *err)
{
    struct fake *f = state;
    (void)max;
    (void)err;
    if (!f->left)
        return SOURCE_END;
    for (int i = 0; i < PER_POLL; i++, f->left--) {
        const uint64_t t_ns = 1000 + (uint64_t)(EVENTS - f->left);
        uint64_t *raw = arena_alloc(&b->arena, 16, 8);
        struct model_record *r = raw ? model_batch_add_record(b) : NULL;
        REQUIRE(r != NULL);
        raw[0] = ORIEL_RECORD_HEADER(2, ORIEL_REC_EVENT, 0, 2);
        raw[1] = t_ns;
        *r = (struct model_record){.t_ns = t_ns,
                                   .position = t_ns * 16,
                                   .raw = raw,
                                   .site = f->site,
                                   .thread = f->thread,
                                   .words = 2,
                                   .type = ORIEL_REC_EVENT,
                                   .stream = 1};
        b->watermark_ns = t_ns;
    }
    return SOURCE_DATA;
}

static void fake_close(void *state)
{
    (void)state;
}

static const struct source fake = {.name = "fake",
                                   .state_size = sizeof(struct fake),
                                   .open = fake_open,
                                   .poll = fake_poll,
                                   .close = fake_close};

/* ---- a receiver that counts ---- */

struct counted {
    pthread_mutex_t lock;
    unsigned traces, logs;
    uint64_t items;
    int status, refuse_after; /* refuse_after 0: nothing */
    char header[64];
};

/* Records of an ExportLogsServiceRequest. */
static uint64_t records_in(const struct receiver_request *r)
{
    uint64_t n = 0;
    struct pb_reader request = pb_read(r->body, r->body_n);
    for (struct pb_field resource; pb_next(&request, &resource);) {
        struct pb_reader of_resource = pb_read_nested(&resource);
        for (struct pb_field scope; pb_next(&of_resource, &scope);) {
            struct pb_reader of_scope = pb_read_nested(&scope);
            for (struct pb_field record; scope.number == 2 && pb_next(&of_scope, &record);)
                n += record.number == 2;
        }
    }
    return n;
}

static void count_request(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    struct counted *c = arg;
    pthread_mutex_lock(&c->lock);
    bool refused = c->refuse_after && c->traces + c->logs >= (unsigned)c->refuse_after;
    c->traces += strstr(r->path, "race") != NULL;
    c->logs += strstr(r->path, "ogs") != NULL;
    c->items += refused ? 0 : records_in(r);
    snprintf(c->header, sizeof c->header, "%s", r->header(r, "x-who") ? r->header(r, "x-who") : "");
    if (refused)
        a->status = c->status;
    pthread_mutex_unlock(&c->lock);
}

static struct receiver *receiver(struct counted *c, bool grpc)
{
    pthread_mutex_init(&c->lock, NULL);
    const struct receiver_options how = {.grpc = grpc, .script = count_request, .arg = c};
    struct receiver *r = receiver_start(&how);
    REQUIRE(r != NULL);
    return r;
}

/* ---- configurations ---- */

static struct config *configured(const char *const *environment)
{
    struct config *c = NULL;
    struct oriel_err err = {0};
    if (sending_configure(export_find("otlp"), NULL, environment, &c, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return c;
}

static const char *variable(const char *name, const char *value)
{
    static char texts[8][300];
    static int next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%s=%s", name, value);
    return text;
}

/* A session over the fake source with one sender; its outlets. */
static unsigned start(struct session **out, const struct config *c, unsigned signals)
{
    struct oriel_err err = {0};
    unsigned count = 0;
    const struct sending how = {.size = sizeof how,
                                .exporter = export_find("otlp"),
                                .config = c,
                                .signals = signals,
                                .patient = true};
    REQUIRE(session_new_source(out, &fake, "fake", NULL, &err) == 0);
    if (sending_add(*out, &how, &count, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return count;
}

static void run(struct session *s)
{
    struct oriel_err err = {0};
    CHECK_EQ(session_run(s, &err), SOURCE_END);
    CHECK_EQ(session_finish(s, &err), 0);
}

TEST(all_of_a_session_is_at_the_receiver_when_it_ends)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        struct counted c = {.items = 0};
        struct receiver *r = receiver(&c, grpc != 0);
        const char *const environment[] = {
            variable("OTEL_EXPORTER_OTLP_ENDPOINT", receiver_url(r)),
            variable("OTEL_EXPORTER_OTLP_PROTOCOL", grpc ? "grpc" : "http/protobuf"),
            variable("OTEL_EXPORTER_OTLP_HEADERS", "x-who=me%20too"), NULL};
        struct config *config = configured(environment);
        struct session *s;
        struct session_counts counts;
        char words[400];
        CHECK_EQ(start(&s, config, 0), 1);
        run(s);
        session_get_counts(s, &counts);
        CHECK_EQ(c.items, EVENTS);
        CHECK_EQ(counts.delivered[0], counts.pipe.items_out);
        CHECK_EQ(counts.refused[0], 0);
        CHECK_STR(c.header, "me too");
        CHECK(sending_words(s, 0, words, sizeof words));
        CHECK_STR(words, "0 spans and 1,000 log records delivered");
        CHECK_EQ(session_undelivered(s), 0);
        session_free(s);
        config_free(config);
        receiver_stop(r);
    }
}

TEST(what_a_receiver_refuses_is_in_the_books_and_in_words)
{
    struct counted c = {.status = 400, .refuse_after = 1};
    struct receiver *r = receiver(&c, false);
    const char *const environment[] = {variable("OTEL_EXPORTER_OTLP_ENDPOINT", receiver_url(r)),
                                       variable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                                       NULL};
    struct config *config = configured(environment);
    struct session *s;
    struct session_counts counts;
    char words[400];
    start(&s, config, 0);
    run(s);
    session_get_counts(s, &counts);
    CHECK(counts.refused[0] > 0);
    CHECK_EQ(counts.delivered[0] + counts.refused[0], counts.pipe.items_out);
    CHECK_EQ(counts.delivered[0], c.items);
    CHECK_EQ(session_undelivered(s), counts.refused[0]);
    CHECK(!sending_words(s, 0, words, sizeof words));
    CHECK(strstr(words, "refused by the receiver") != NULL);
    session_free(s);
    config_free(config);
    receiver_stop(r);
}

TEST(a_session_ends_at_its_deadline_whatever_the_receiver_does)
{
    struct counted c = {.status = 503, .refuse_after = 1};
    c.traces = 1; /* from the first request on */
    struct receiver *r = receiver(&c, false);
    const char *const environment[] = {variable("OTEL_EXPORTER_OTLP_ENDPOINT", receiver_url(r)),
                                       variable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                                       NULL};
    struct config *config = configured(environment);
    struct session *s;
    struct session_counts counts;
    struct oriel_err err = {0};
    char words[400];
    start(&s, config, 0);
    CHECK_EQ(session_run(s, &err), SOURCE_END);
    session_set_deadline(s, 1); /* long ago */
    (void)session_finish(s, &err);
    session_get_counts(s, &counts);
    CHECK_EQ(counts.refused[0], counts.pipe.items_out);
    CHECK(!sending_words(s, 0, words, sizeof words));
    CHECK(strstr(words, "1,000 given up") != NULL || strstr(words, "1,000 not sent") != NULL);
    session_free(s);
    config_free(config);
    receiver_stop(r);
}

TEST(signals_that_go_elsewhere_have_a_destination_of_their_own)
{
    static const char *const same[] = {"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318/x", NULL};
    static const char *const hosts[] = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/v1/traces",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://127.0.0.2:4318/v1/logs", NULL};
    static const char *const how[] = {"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318",
                                      "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION=gzip", NULL};
    static const char *const paths[] = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/a",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://127.0.0.1:4318/b", NULL};
    const struct {
        const char *const *environment;
        unsigned signals, expected;
        const char *where;
    } rows[] = {{same, 0, 1, "http://127.0.0.1:4318"},
                {hosts, 0, 2, "http://127.0.0.1:4318/v1/traces, http://127.0.0.2:4318/v1/logs"},
                {hosts, 1 << CONFIG_LOGS, 1, NULL},
                {how, 0, 2, NULL},
                {paths, 0, 1, "http://127.0.0.1:4318"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config *c = configured(rows[i].environment);
        struct session *s;
        char where[600];
        CHECK_EQ(start(&s, c, rows[i].signals), rows[i].expected);
        for (unsigned k = 0; k <= rows[i].expected; k++)
            CHECK_EQ(session_destination(s, k) != NULL, k < rows[i].expected);
        sending_where(c, where, sizeof where);
        if (rows[i].where)
            CHECK_STR(where, rows[i].where);
        CHECK(sending_is_asked(c));
        session_free(s);
        config_free(c);
    }
}

TEST(options_that_were_given_stand_above_the_environment)
{
    const struct exporter *e = export_find("otlp");
    static const char *const environment[] = {
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:2", NULL};
    void *options = calloc(1, e->options_size);
    struct config *c;
    struct oriel_err err = {0};
    char where[600];
    REQUIRE(options && option_defaults(e->options, options) == 0);
    CHECK(!sending_is_given(e, options));
    REQUIRE(option_set(option_find(e->options, "endpoint", 8), options, "http://127.0.0.1:3",
                       &err) == 0);
    CHECK(sending_is_given(e, options));
    CHECK(!sending_is_given(export_find("chrome"), NULL));
    REQUIRE(sending_configure(e, options, environment, &c, &err) == 0);
    sending_where(c, where, sizeof where);
    CHECK_STR(where, "http://127.0.0.1:3");
    config_free(c);
    REQUIRE(option_set(option_find(e->options, "endpoint", 8), options, "http://u:hunter2@h",
                       &err) == 0);
    CHECK(sending_configure(e, options, NULL, &c, &err) < 0);
    CHECK(strstr(err.text, "hunter2") == NULL);
    option_done(e->options, options);
    free(options);
}

TEST(nothing_is_asked_where_nothing_is_said)
{
    struct config *c = configured(NULL);
    char words[10] = "x";
    struct session *s;
    struct oriel_err err = {0};
    CHECK(!sending_is_asked(c));
    REQUIRE(session_new_source(&s, &fake, "fake", NULL, &err) == 0);
    CHECK(sending_words(s, 0, words, sizeof words));
    CHECK_STR(words, "");
    session_free(s);
    config_free(c);
}

static void check_option(const struct config *c, const char *name, const char *wanted)
{
    const struct sending how = {.size = sizeof how, .exporter = export_find("otlp"), .config = c};
    void *options;
    char text[64];
    REQUIRE(sending_options(&how, &options) == 0);
    option_text(option_find(how.exporter->options, name, strlen(name)), options, text, sizeof text);
    CHECK_STR(text, wanted);
    outlet_options_free(how.exporter, options);
}

/* What the help of these keys tells: their defaults count beside the one that was said only. */
TEST(queue_and_time_of_the_standard_hold_where_one_of_the_two_was_said)
{
    static const char *const said[] = {"OTEL_BSP_MAX_QUEUE_SIZE=100",
                                       "OTEL_BLRP_EXPORT_TIMEOUT=40000", NULL};
    struct config *c = configured(NULL);
    check_option(c, "queue_items", "0"); /* as many as there is room for */
    check_option(c, "retry_for", "0s");  /* 5m */
    config_free(c);
    c = configured(said);
    check_option(c, "queue_items", "2148");
    check_option(c, "retry_for", "40s");
    config_free(c);
}

TEST_MAIN()
