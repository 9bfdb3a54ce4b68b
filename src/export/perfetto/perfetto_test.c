/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The Perfetto outlet: packets read back with our protobuf reader and shown as
 * text, one packet per line. Perfetto's own opinion is asked in tests/perfetto.
 */
#include "export/perfetto/perfetto.h"

#include "export/test_story.h"

extern const struct exporter export_perfetto;

static const struct perfetto_options defaults = {true, true};
static const struct perfetto_options bare = {false, false};

/* ---- packets as text ---- */

struct message;
struct field {
    uint32_t number;
    const char *name;
    const struct message *nested; /* NULL: a scalar or text */
};
struct message {
    const struct field fields[20];
};

static const struct message leaf_source = {{{INTERNED_IID, "iid", 0},
                                            {2, "file", 0},
                                            {SOURCE_FUNCTION, "function", 0},
                                            {SOURCE_LINE, "line", 0}}};
static const struct message leaf_named = {{{INTERNED_IID, "iid", 0}, {INTERNED_TEXT, "name", 0}}};
static const struct message interned = {{{INTERNED_CATEGORY, "category", &leaf_named},
                                         {INTERNED_NAME, "event", &leaf_named},
                                         {INTERNED_KEY, "key", &leaf_named},
                                         {INTERNED_SOURCE, "source", &leaf_source}}};
static const struct message member = {
    {{KEY_NAME, "name", 0}, {KEY_TEXT, "text", 0}, {KEY_UINT, "uint", 0}}};
static const struct message item = {{{KEY_MEMBER, "member", &member}}};
static const struct message annotation = {{{KEY_IID, "key", 0},
                                           {KEY_BOOL, "bool", 0},
                                           {KEY_UINT, "uint", 0},
                                           {KEY_INT, "int", 0},
                                           {KEY_DOUBLE, "double", 0},
                                           {KEY_TEXT, "text", 0},
                                           {KEY_POINTER, "pointer", 0},
                                           {KEY_NAME, "name", 0},
                                           {KEY_MEMBER, "member", &member},
                                           {KEY_ITEM, "item", &item}}};
static const struct message legacy = {
    {{LEGACY_PHASE, "phase", 0}, {LEGACY_ID, "id", 0}, {LEGACY_BIND_TO_ENCLOSING, "enclosing", 0}}};
static const struct message event = {{{EVENT_CATEGORY_IID, "category", 0},
                                      {EVENT_ANNOTATION, "annotation", &annotation},
                                      {EVENT_LEGACY, "legacy", &legacy},
                                      {EVENT_TYPE, "type", 0},
                                      {EVENT_NAME_IID, "event", 0},
                                      {EVENT_TRACK, "track", 0},
                                      {EVENT_CATEGORY, "category", 0},
                                      {EVENT_NAME, "name", 0},
                                      {EVENT_COUNTER, "counter", 0},
                                      {EVENT_SOURCE_IID, "source", 0},
                                      {EVENT_DOUBLE_COUNTER, "counter", 0},
                                      {EVENT_FLOW, "flow", 0},
                                      {EVENT_TERMINATING_FLOW, "flow_end", 0}}};
static const struct message process = {{{PROCESS_PID, "pid", 0},
                                        {PROCESS_CMDLINE, "arg", 0},
                                        {PROCESS_NAME, "name", 0},
                                        {PROCESS_START, "start", 0}}};
static const struct message thread = {
    {{THREAD_PID, "pid", 0}, {THREAD_TID, "tid", 0}, {THREAD_NAME, "name", 0}}};
static const struct message none = {{{0, "", 0}}};
static const struct message track = {{{TRACK_UUID, "uuid", 0},
                                      {TRACK_NAME, "name", 0},
                                      {TRACK_PROCESS, "process", &process},
                                      {TRACK_THREAD, "thread", &thread},
                                      {TRACK_PARENT, "parent", 0},
                                      {TRACK_COUNTER, "counter", &none}}};
static const struct message clock_reading = {{{CLOCK_ID, "id", 0}, {CLOCK_TIMESTAMP, "ns", 0}}};
static const struct message clocks = {{{CLOCKS_CLOCK, "clock", &clock_reading}}};
static const struct message defaults_event = {{{EVENT_TRACK, "track", 0}}};
static const struct message packet_defaults = {{{DEFAULTS_TRACK_EVENT, "event", &defaults_event}}};
static const struct message uuid = {{{1, "high", 0}, {2, "low", 0}}};
static const struct message packet = {{{PACKET_CLOCK_SNAPSHOT, "clocks", &clocks},
                                       {PACKET_TIMESTAMP, "t", 0},
                                       {PACKET_SEQUENCE, "sequence", 0},
                                       {PACKET_TRACK_EVENT, "event", &event},
                                       {PACKET_INTERNED, "intern", &interned},
                                       {PACKET_FLAGS, "flags", 0},
                                       {PACKET_DEFAULTS, "defaults", &packet_defaults},
                                       {PACKET_DESCRIPTOR, "track", &track},
                                       {PACKET_TRACE_UUID, "trace", &uuid}}};

static const struct field *find(const struct message *m, uint32_t number)
{
    for (int i = 0; i < 20; i++)
        if (m->fields[i].number == number && m->fields[i].name)
            return &m->fields[i];
    return NULL;
}

static void put_scalar(struct buf *out, const struct pb_field *f)
{
    double d;
    switch (f->wire) {
    case PB_BYTES:
        buf_putc(out, '\'');
        for (size_t i = 0; i < f->size; i++)
            buf_printf(out, f->bytes[i] >= 0x20 && f->bytes[i] < 0x7f ? "%c" : "\\x%02x",
                       f->bytes[i]);
        buf_putc(out, '\'');
        break;
    case PB_FIXED64:
        memcpy(&d, &f->value, 8);
        buf_printf(out, "%g", d);
        break;
    default:
        buf_printf(out, "%llu", (unsigned long long)f->value);
    }
}

static void put_message(struct buf *out, const struct message *m, struct pb_reader r)
{
    struct pb_field f;
    while (pb_next(&r, &f)) {
        const struct field *known = find(m, f.number);
        if (!known) {
            test_fail(__FILE__, __LINE__, "field %u is not in the schema", f.number);
            continue;
        }
        buf_printf(out, " %s", known->name);
        if (known->nested) {
            buf_puts(out, " {");
            put_message(out, known->nested, pb_read_nested(&f));
            buf_puts(out, " }");
        } else {
            buf_putc(out, ' ');
            put_scalar(out, &f);
        }
    }
    CHECK(!r.failed);
}

/* The whole trace as text; the caller's to free. */
static struct buf describe(const struct buf *trace)
{
    struct pb_reader r = pb_read(trace->data, trace->size);
    struct pb_field f;
    struct buf out;
    buf_init(&out);
    while (pb_next(&r, &f)) {
        CHECK_EQ(f.number, TRACE_PACKET);
        buf_puts(&out, "packet");
        put_message(&out, &packet, pb_read_nested(&f));
        buf_putc(&out, '\n');
    }
    CHECK(!r.failed);
    buf_cstr(&out);
    return out;
}

static int count(const struct buf *text, const char *what)
{
    int n = 0;
    for (const char *p = text->data; (p = strstr(p, what)); p++)
        n++;
    return n;
}

/* ---- tests ---- */

TEST(perfetto_tells_the_story_as_before)
{
    struct fixture f;
    fixture_init(&f);
    story_tell(&f);
    fixture_run(&f, &export_perfetto, &defaults);
    struct buf text = describe(&f.bytes);
    fixture_golden(TEST_SOURCE_DIR "/src/export/perfetto/golden_story.txt", text.data, text.size);
    buf_done(&text);
    fixture_done(&f);
}

TEST(version_and_attributes_of_a_target_are_annotations)
{
    struct fixture f;
    fixture_versions(&f);
    fixture_run(&f, &export_perfetto, &defaults);
    struct buf text = describe(&f.bytes);
    const char *version = strstr(buf_cstr(&text), "otel.scope.version");
    REQUIRE(version != NULL);
    CHECK(strstr(version, "1.2") && strstr(version, "otel.scope.team") && strstr(version, "blue"));
    CHECK(!strstr(version + 1, "otel.scope.version"));
    buf_done(&text);
    fixture_done(&f);
}

TEST(times_are_nine_byte_varints_that_read_back)
{
    static const uint64_t times[] = {0,
                                     1,
                                     127,
                                     128,
                                     1700000000123456789u,
                                     INT64_MAX,
                                     0x0102030405060708u,
                                     (uint64_t)1 << 56,
                                     ((uint64_t)1 << 56) - 1};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char bytes[16];
        uint64_t back = 1;
        CHECK_EQ(perfetto_put_time(bytes, times[i]) - bytes, 9);
        struct pb_reader r = pb_read(bytes, 9);
        REQUIRE(pb_next_varint(&r, &back));
        CHECK(back == times[i] && r.p == r.end);
    }
}

TEST(a_name_is_said_once_per_thread)
{
    struct fixture f;
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "once", "t");
    fixture_open(&f, &export_perfetto, &defaults);
    for (int i = 0; i < 3; i++) {
        fixture_span(&f, site, f.main, 1, 0, 10, 20);
        fixture_span(&f, site, f.worker, 1, 0, 10, 20);
        REQUIRE(fixture_write(&f) == 0);
    }
    REQUIRE(fixture_close(&f) == 0);
    struct buf text = describe(&f.bytes);
    CHECK_EQ(count(&text, "name 'once'"), 2);
    CHECK_EQ(count(&text, "type 1"), 6);
    CHECK_EQ(count(&text, "type 2"), 6);
    buf_done(&text);
    fixture_done(&f);
}

/* The begins and ends in the order of the file: name's iid at begin, "/" at end. */
static void check_order(const struct buf *trace, const char *expected)
{
    struct buf text = describe(trace), order;
    buf_init(&order);
    for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n")) {
        const char *name = strstr(line, " event { type 1");
        name = name ? strstr(name + 9, " event ") : NULL;
        if (name)
            buf_printf(&order, "%d", atoi(name + 7));
        else if (strstr(line, " event { type 2"))
            buf_putc(&order, '/');
    }
    CHECK_STR(buf_cstr(&order), expected);
    buf_done(&order);
    buf_done(&text);
}

TEST(of_equal_begins_the_outer_stands_first)
{
    struct fixture f;
    fixture_init(&f);
    struct model_site *s1 = fixture_site(&f, ORIEL_SITE_SPAN, "1", "t");
    struct model_site *s2 = fixture_site(&f, ORIEL_SITE_SPAN, "2", "t");
    struct model_site *s3 = fixture_site(&f, ORIEL_SITE_SPAN, "3", "t");
    struct model_site *s4 = fixture_site(&f, ORIEL_SITE_SPAN, "4", "t");
    struct model_span *s;
    /* 1 [10,40] holds 2 [10,30] holds 3 [10,10] and 4 [10,20]; then 3 [35,36] */
    s = fixture_span(&f, s3, f.main, 3, 2, 10, 10);
    s->flags = MODEL_SPAN_TIED;
    s->depth = 2;
    s = fixture_span(&f, s4, f.main, 4, 2, 10, 20);
    s->flags = MODEL_SPAN_TIED;
    s->depth = 2;
    fixture_span(&f, s4, f.worker, 9, 0, 10, 20);
    s = fixture_span(&f, s2, f.main, 2, 1, 10, 30);
    s->flags = MODEL_SPAN_TIED;
    s->depth = 1;
    fixture_span(&f, s3, f.main, 5, 1, 35, 36)->depth = 1;
    fixture_span(&f, s1, f.main, 1, 0, 10, 40);
    fixture_run(&f, &export_perfetto, &bare);
    check_order(&f.bytes, "/4//3/123/4/");
    fixture_done(&f);
}

TEST(a_stretch_of_an_async_span_stands_before_what_began_with_it)
{
    struct fixture f;
    struct model_busy busy;
    fixture_init(&f);
    struct model_site *s1 = fixture_site(&f, ORIEL_SITE_SPAN, "1", "t");
    struct model_site *s2 = fixture_site(&f, ORIEL_SITE_SPAN, "2", "t");
    struct model_span *s = fixture_span(&f, s2, f.main, 2, 1, 10, 20);
    s->flags = MODEL_SPAN_TIED;
    s->depth = 1;
    s = fixture_span(&f, s1, f.main, 1, 0, 5, 50);
    s->flags = MODEL_SPAN_ASYNC;
    busy = (struct model_busy){f.main, FIXTURE_START + 10, FIXTURE_START + 30};
    s->busy = &busy;
    s->busy_count = 1;
    fixture_run(&f, &export_perfetto, &bare);
    check_order(&f.bytes, "/1/12/"); /* end of 2, the async slice, the stretch with 2 in it */
    fixture_done(&f);
}

TEST(what_waits_for_a_span_that_never_comes_goes_out_all_the_same)
{
    struct fixture f;
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "x", "t");
    for (uint64_t i = 0; i < 3 * PERFETTO_HOLDS; i++) {
        struct model_span *s = fixture_span(&f, site, f.main, i + 1, 0, 100 * i, 100 * i + 9);
        s->flags = MODEL_SPAN_TIED;
        s->depth = 1;
    }
    fixture_run(&f, &export_perfetto, &defaults);
    struct buf text = describe(&f.bytes);
    CHECK_EQ(count(&text, "type 1"), 3 * PERFETTO_HOLDS);
    CHECK_EQ(count(&text, "type 2"), 3 * PERFETTO_HOLDS);
    buf_done(&text);
    fixture_done(&f);
}

TEST(no_id_of_a_span_makes_the_track_of_something_else)
{
    const struct perfetto p = {.seed = 7};
    for (uint64_t other = TRACK_OF_ORIEL; other < TRACK_OF_SPAN; other++)
        for (uint64_t id = 0; id < 4; id++) {
            uint64_t span = ((other - TRACK_OF_SPAN) << 56) + id; /* 252 in the order of the wire */
            CHECK(perfetto_uuid(&p, TRACK_OF_SPAN, span) !=
                  perfetto_uuid(&p, (enum track_kind)other, id));
        }
}

TEST(a_reused_tid_is_another_thread)
{
    struct fixture f;
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
    struct model_thread *again = model_catalog_add_thread(&f.catalog, 0, 101, 3);
    fixture_span(&f, site, f.worker, 1, 0, 10, 20);
    fixture_span(&f, site, again, 2, 0, 30, 40);
    fixture_run(&f, &export_perfetto, &defaults);
    struct buf text = describe(&f.bytes);
    CHECK_EQ(count(&text, "thread { pid 100 tid 101 name 'worker' }"), 1);
    CHECK_EQ(count(&text, "thread { pid 100 tid 536870914 name 'thread 101' }"), 1);
    buf_done(&text);
    fixture_done(&f);
}

TEST(text_is_utf8_and_shows_a_nul)
{
    struct fixture f;
    const struct model_value attr = {.key = MODEL_STR("k\0\xff"),
                                     .type = ORIEL_TYPE_STR,
                                     .v.str = MODEL_STR("a\0\xed\xa0\x80z")};
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
    struct model_span *s = fixture_span(&f, site, f.main, 1, 0, 10, 20);
    s->attrs = &attr;
    s->attr_count = 1;
    fixture_run(&f, &export_perfetto, &bare);
    struct buf text = describe(&f.bytes);
    CHECK_EQ(count(&text, "name 'k\\xe2\\x90\\x80\\xef\\xbf\\xbd'"), 1);
    CHECK_EQ(count(&text, "text 'a\\xe2\\x90\\x80\\xef\\xbf\\xbd\\xef\\xbf\\xbd\\xef\\xbf\\xbdz'"),
             1);
    buf_done(&text);
    fixture_done(&f);
}

/* ---- an output that fills up ---- */

struct small_out {
    struct out base;
    struct buf bytes;
    size_t limit;
};

static int small_write(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    struct small_out *s = (struct small_out *)o;
    size_t room = s->limit - s->bytes.size;
    *out_written = n < room ? n : room;
    buf_put(&s->bytes, bytes, *out_written);
    return *out_written == n ? 0 : ORIEL_ENOSPC;
}

static int small_write_at(struct out *o, uint64_t offset, const void *bytes, size_t n)
{
    memcpy(((struct small_out *)o)->bytes.data + offset, bytes, n);
    return 0;
}

static int small_truncate(struct out *o, uint64_t size)
{
    ((struct small_out *)o)->bytes.size = (size_t)size;
    return 0;
}

static void small_close(struct out *o)
{
    (void)o;
}

TEST(after_a_full_disk_the_file_ends_at_a_packet_and_names_come_again)
{
    static const struct out_ops ops = {.write = small_write,
                                       .write_at = small_write_at,
                                       .truncate = small_truncate,
                                       .close = small_close};
    struct fixture f;
    struct oriel_err err = {0};
    struct small_out *small = calloc(1, sizeof *small);
    fixture_init(&f);
    REQUIRE(small != NULL);
    small->base.ops = &ops;
    small->limit = 1000;
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "again", "t");
    fixture_open_to(&f, &export_perfetto, &defaults, &small->base);
    fixture_span(&f, site, f.main, 1, 0, 10, 20);
    REQUIRE(fixture_write(&f) == 0);
    REQUIRE(export_perfetto.flush(f.state, &err) == 0);
    size_t before = small->bytes.size;
    for (int i = 0; i < 50; i++)
        fixture_span(&f, site, f.main, 1, 0, 10, 20);
    REQUIRE(fixture_write(&f) == 0);
    CHECK_EQ(export_perfetto.flush(f.state, &err), ORIEL_ENOSPC);
    CHECK(strstr(err.text, "no space left") != NULL);
    CHECK(small->bytes.size > before && small->bytes.size <= small->limit);
    const uint64_t missing = export_perfetto.unwritten(f.state);
    CHECK(missing > 0 && missing < 50);
    small->limit = 1 << 20;
    fixture_span(&f, site, f.main, 1, 0, 10, 20);
    REQUIRE(fixture_write(&f) == 0);
    REQUIRE(export_perfetto.flush(f.state, &err) == 0);
    struct buf text = describe(&small->bytes);
    CHECK_EQ((uint64_t)count(&text, "type 1") + missing, 52);
    CHECK_EQ(count(&text, "name 'again'"), 2);
    CHECK_EQ(export_perfetto.unwritten(f.state), missing);
    buf_done(&text);
    export_perfetto.close(f.state, &(struct export_summary){0}, &err);
    free(f.state);
    buf_done(&small->bytes);
    free(small);
    fixture_done(&f);
}

TEST(out_of_memory_is_an_error_and_not_a_crash)
{
    for (uint64_t n = 1; n < 200; n++) {
        struct fixture f;
        struct oriel_err err;
        fixture_init(&f);
        story_tell(&f);
        REQUIRE(out_buf_open(&f.out, &f.bytes) == 0);
        f.env = (struct export_env){&f.catalog, f.out, "demo", "0"};
        f.state = calloc(1, sizeof(struct perfetto));
        mem_fail_after(n);
        int rc = export_perfetto.open(f.state, &defaults, &f.env, &err);
        if (rc == 0) {
            rc = export_perfetto.write(f.state, &f.batch, &err);
            int flushed = export_perfetto.flush(f.state, &err);
            rc = rc ? rc : flushed;
            mem_fail_after(0);
            export_perfetto.close(f.state, &(struct export_summary){0}, &err);
        }
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        struct buf text = describe(&f.bytes);
        buf_done(&text);
        free(f.state);
        out_close(f.out);
        fixture_done(&f);
        if (rc == 0)
            return;
    }
    CHECK(!"still failing after 200 allocations");
}

TEST_MAIN()
