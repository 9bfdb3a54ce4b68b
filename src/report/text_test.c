/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report as people see it, against texts in golden/. After a wanted change
 * run the test with ORIEL_UPDATE_GOLDEN=1 and read the difference.
 */
#include "report/testing.h"

#include "base/buf.h"
#include "base/mem.h"

static void same_as_golden(const char *name, const char *text)
{
    static char wanted[1 << 16];
    char path[512];
    snprintf(path, sizeof path, TEST_SOURCE_DIR "/src/report/golden/%s", name);
    if (getenv("ORIEL_UPDATE_GOLDEN")) {
        FILE *f = fopen(path, "w");
        REQUIRE(f);
        fputs(text, f);
        fclose(f);
        return;
    }
    FILE *f = fopen(path, "r");
    REQUIRE(f);
    wanted[fread(wanted, 1, sizeof wanted - 1, f)] = 0;
    fclose(f);
    if (strcmp(wanted, text) != 0)
        test_fail(__FILE__, __LINE__, "%s differs; it is now:\n%s", name, text);
}

/* JSON with a line per member, so that people can read the difference. */
static const char *pretty(const char *text, struct buf *out)
{
    bool inside = false;
    int depth = 0;
    buf_init(out);
    for (const char *p = text; *p; p++) {
        bool closing = *p == '}' || *p == ']', opening = *p == '{' || *p == '[';
        if (*p == '"' && (p == text || p[-1] != '\\'))
            inside = !inside;
        if (!inside && closing) {
            depth--;
            if (p[-1] != '{' && p[-1] != '[')
                buf_printf(out, "\n%*s", depth, "");
        }
        buf_putc(out, *p);
        if (!inside && opening && p[1] != '}' && p[1] != ']')
            buf_printf(out, "\n%*s", depth + 1, "");
        depth += !inside && opening;
        if (!inside && *p == ',')
            buf_printf(out, "\n%*s", depth, "");
    }
    return buf_cstr(out);
}

/* A small indexer: main walks, two workers index, one request has an error. */
static void run_indexer(struct fx *f)
{
    static const char *const paths[] = {"src/a.c", "include/very/long/path/to/some/header.h", "b.c",
                                        "\xf0\x9f\x8e\x89 party.c"};
    fx_begin(f, 0, "main");
    f->now += 2 * FX_MS;
    for (unsigned i = 0; i < 40; i++) {
        unsigned t = 1 + i % 2;
        fx_begin(f, t, "index.file");
        f->now += 100 * FX_US;
        fx_span(f, t, "tokenize", (200 + 10 * i) * FX_US);
        if (i % 10 == 3)
            fx_event(f, t, ORIEL_LEVEL_WARN, "demo.db", "slow insert");
        fx_span(f, t, "db.insert", (50 + i * i) * FX_US);
        f->now += 20 * FX_US;
        struct model_span *s = &f->stack[t][0].span;
        struct model_value *v = fx_values(f, 2);
        v[0] = fx_text("path", paths[i % 4]);
        v[1] = fx_i64("bytes", 1000 * i);
        s->attrs = v;
        s->attr_count = 2;
        if (i == 33) {
            s->status = ORIEL_STATUS_ERROR;
            s->status_message = fx_str("cannot read");
            fx_event(f, t, ORIEL_LEVEL_ERROR, "demo", "read failed");
        }
        fx_end(f, t);
        fx_event(f, 0, ORIEL_LEVEL_INFO, "demo", "progress");
    }
    f->now += FX_MS;
    fx_end(f, 0);
}

static void told_like(const char *golden, uint32_t width, bool color, bool json)
{
    struct fx f;
    struct buf b, readable = {0};
    struct report_options o = {.size = sizeof o, .width = width, .color = color};
    fx_init(&f, &o);
    run_indexer(&f);
    const char *text = fx_told(&f, &b, json, NULL);
    same_as_golden(golden, json ? pretty(text, &readable) : text);
    buf_done(&readable);
    buf_done(&b);
    fx_done(&f);
    CHECK_EQ(mem_live_blocks(), 0);
}

static unsigned widest_line(const char *text)
{
    unsigned most = 0, width = 0;
    for (; *text; text++) {
        if (*text == '\n')
            width = 0;
        else if (((unsigned char)*text & 0xc0) != 0x80) /* not the inside of a character */
            width++;
        most = width > most ? width : most;
    }
    return most;
}

TEST(report_of_a_program_reads_well_at_100_columns)
{
    told_like("indexer-100.txt", 0, false, false);
}

TEST(report_at_60_columns_drops_columns_before_it_cuts_names)
{
    told_like("indexer-60.txt", 60, false, false);
}

TEST(report_at_80_columns)
{
    told_like("indexer-80.txt", 80, false, false);
}

TEST(report_at_140_columns)
{
    told_like("indexer-140.txt", 140, false, false);
}

TEST(colour_marks_errors_and_titles)
{
    told_like("indexer-color.txt", 100, true, false);
}

TEST(report_as_json)
{
    told_like("indexer.json", 0, false, true);
}

TEST(tables_stay_within_the_width_at_any_width)
{
    for (uint32_t width = 60; width <= 200; width += 7) {
        struct fx f;
        struct buf b;
        struct report_options o = {.size = sizeof o, .width = width};
        fx_init(&f, &o);
        run_indexer(&f);
        const char *text = fx_told(&f, &b, false, NULL);
        const char *tables = strchr(text, '\n'); /* the summary may wrap */
        CHECK(tables && widest_line(tables) <= width);
        buf_done(&b);
        fx_done(&f);
    }
}

TEST(an_empty_recording_says_so)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    CHECK_STR(fx_told(&f, &b, false, NULL),
              "oriel  0 ns \u00b7 1 process \u00b7 4 threads \u00b7 0 spans \u00b7 0 events \u00b7 "
              "0 lost\n");
    buf_done(&b);
    fx_done(&f);
}

TEST(losses_and_damage_come_first_with_a_remedy)
{
    struct fx f;
    struct buf b;
    struct report_facts facts = {.records = 5000,
                                 .damaged = 12,
                                 .clamped = 1,
                                 .unfinished = 3,
                                 .orphan_ends = 2,
                                 .lost = {[ORIEL_LOST_RING_FULL] = 1204, [ORIEL_LOST_NESTED] = 1},
                                 .bytes_skipped = 4096,
                                 .first_damage = 1310720,
                                 .truncated = true,
                                 .path = "c.oriel"};
    fx_init(&f, NULL);
    fx_span(&f, 0, "only", 5 * FX_MS);
    same_as_golden("losses.txt", fx_told(&f, &b, false, &facts));
    buf_done(&b);
    fx_done(&f);
}

TEST(a_death_by_signal_and_a_full_disk_are_told_before_anything_else)
{
    struct fx f;
    struct buf b;
    struct report_facts facts = {.unwritten = 1500, .first_damage = UINT64_MAX, .path = "c.oriel"};
    fx_init(&f, NULL);
    CHECK_EQ(model_catalog_set_resource(&f.catalog, MODEL_STR("oriel.exit.pid"), MODEL_STR("81")),
             0);
    CHECK_EQ(model_catalog_set_resource(&f.catalog, MODEL_STR("oriel.exit.signal"),
                                        MODEL_STR("SIGSEGV")),
             0);
    const char *text = fx_told(&f, &b, false, &facts);
    CHECK(strstr(text, "c.oriel\nprocess 81 died of SIGSEGV\n1,500 not written (disk full"));
    buf_done(&b);
    fx_done(&f);
}

TEST(losses_are_told_from_the_items_when_nobody_gives_facts)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    struct model_item *i = fx_item(&f, MODEL_ITEM_LOSS);
    i->u.loss =
        (struct model_loss){.thread = f.threads[1], .count = 7, .cause = ORIEL_LOST_OVERWRITTEN};
    const char *text = fx_told(&f, &b, false, NULL);
    CHECK(strstr(text, " 7 lost\n7 lost (overwritten by newer records): "));
    CHECK(strstr(text, "worker-1"));
    buf_done(&b);
    fx_done(&f);
}

TEST(only_events)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    for (int i = 0; i < 1500; i++) {
        f.now += FX_US;
        fx_event(&f, (unsigned)i % 3, ORIEL_LEVEL_DEBUG, "net", "packet");
    }
    fx_event(&f, 0, ORIEL_LEVEL_FATAL, "disk", "no space left");
    fx_event(&f, 0, ORIEL_LEVEL_INFO, "net", "closed");
    same_as_golden("events.txt", fx_told(&f, &b, false, NULL));
    buf_done(&b);
    fx_done(&f);
}

TEST(unfinished_and_async_spans_are_marked_in_the_tables)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    struct model_busy busy[2];
    fx_begin(&f, 0, "server");
    f.now += FX_MS;
    struct model_span *a = fx_begin(&f, 1, "fetch");
    busy[0] = (struct model_busy){f.threads[1], f.now, f.now + FX_MS};
    busy[1] = (struct model_busy){f.threads[2], f.now + 4 * FX_MS, f.now + 5 * FX_MS};
    a->parent_id = f.stack[0][0].span.span_id;
    a->flags = MODEL_SPAN_ASYNC;
    a->busy = busy;
    a->busy_count = 2;
    f.now += 9 * FX_MS;
    fx_end(&f, 1);
    struct model_span *s = &f.batch.items[f.batch.item_count - 1].u.span;
    s->busy_ns = 2 * FX_MS;
    f.now += FX_MS;
    f.stack[0][0].span.flags |= MODEL_SPAN_UNFINISHED;
    fx_end(&f, 0);
    same_as_golden("async.txt", fx_told(&f, &b, false, NULL));
    buf_done(&b);
    fx_done(&f);
}

TEST(control_bytes_never_reach_the_terminal)
{
    struct fx f;
    struct buf b;
    struct report_options o = {.size = sizeof o, .tree = true};
    for (int tree = 0; tree < 2; tree++) {
        o.tree = tree;
        fx_init(&f, &o);
        struct model_span *s = fx_begin(&f, 0, "evil\x1b]0;owned\x07name");
        struct model_value *v = fx_values(&f, 1);
        v[0] = fx_text("key\x1b[2J", "a\nb\xc2\x9b"
                                     "31m\xff\xe2\x80\xae");
        s->attrs = v;
        s->attr_count = 1;
        s->status = ORIEL_STATUS_ERROR;
        s->status_message = fx_str("bad\rthing\x1b[A");
        fx_event(&f, 0, ORIEL_LEVEL_ERROR, "t\x1b[5m", "message\x1b[1m\nsecond line");
        f.now += FX_MS;
        fx_end(&f, 0);
        struct report_facts facts = {
            .path = "file\x1b[3m", .truncated = true, .first_damage = UINT64_MAX};
        const char *text = fx_told(&f, &b, false, &facts);
        for (const char *p = text; *p; p++)
            CHECK((unsigned char)*p >= 32 || *p == '\n');
        CHECK(!strstr(text, "\xc2\x9b"));
        CHECK(!strstr(text, "\xe2\x80\xae"));
        CHECK(!strstr(text, "\xff"));
        CHECK(strstr(text, "second line"));
        buf_done(&b);
        fx_done(&f);
    }
}

TEST(recursion_counts_its_time_once_in_the_table_by_name)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    for (int i = 0; i < 5; i++) {
        fx_begin(&f, 0, "fib");
        f.now += FX_MS;
    }
    for (int i = 0; i < 5; i++)
        fx_end(&f, 0);
    const char *text = fx_told(&f, &b, false, NULL);
    const char *flat = strstr(text, "spans by name");
    unsigned count = 0, total = 0, self = 0;
    REQUIRE(flat);
    CHECK_EQ(sscanf(strstr(flat, "fib "), "fib %u %u ms %u ms", &count, &total, &self), 3);
    CHECK_EQ(count, 5);
    CHECK_EQ(total, 5);
    CHECK_EQ(self, 5);
    buf_done(&b);
    fx_done(&f);
}

TEST(names_in_any_script_keep_the_columns_aligned)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    fx_begin(&f, 0, "\u691c\u7d22"); /* wide */
    fx_span(&f, 0, "\u0440\u0430\u0437\u0431\u043e\u0440", 2 * FX_MS);
    fx_span(&f, 0, "cafe\u0301", FX_MS); /* combining */
    fx_span(&f, 0, "\U0001f680 launch", FX_MS / 2);
    fx_span(&f, 0, "\xff\xfe not text", FX_MS / 4);
    fx_end(&f, 0);
    same_as_golden("unicode.txt", fx_told(&f, &b, false, NULL));
    buf_done(&b);
    fx_done(&f);
}

TEST(several_processes_are_told_apart)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    struct model_process *p =
        model_catalog_add_process(&f.catalog, 9000, fx_str("/usr/bin/helper"), fx_str("helper"));
    REQUIRE(p);
    f.threads[3] = model_catalog_add_thread(&f.catalog, p->index, 9001, 99);
    REQUIRE(f.threads[3]);
    fx_span(&f, 0, "work", FX_MS);
    fx_span(&f, 3, "work", 2 * FX_MS);
    same_as_golden("processes.txt", fx_told(&f, &b, false, NULL));
    buf_done(&b);
    fx_done(&f);
}

TEST(tasks_plots_and_frames)
{
    struct fx f;
    struct buf b, readable;
    fx_init(&f, NULL);
    const struct model_site *task =
        fx_site_at(&f, "download", ORIEL_SITE_TASK, ORIEL_LEVEL_INFO, "demo", "demo.c", 30);
    const struct model_site *plot =
        fx_site_at(&f, "queue.depth", ORIEL_SITE_PLOT, ORIEL_LEVEL_INFO, "demo", "demo.c", 31);
    const struct model_site *load =
        fx_site_at(&f, "load", ORIEL_SITE_PLOT, ORIEL_LEVEL_INFO, "demo", "demo.c", 32);
    const struct model_site *frame =
        fx_site_at(&f, "render", ORIEL_SITE_FRAME, ORIEL_LEVEL_INFO, "demo", "demo.c", 33);
    static const uint8_t life[] = {ORIEL_TASK_SPAWN, ORIEL_TASK_WAKE,   ORIEL_TASK_RESUME,
                                   ORIEL_TASK_YIELD, ORIEL_TASK_WAKE,   ORIEL_TASK_RESUME,
                                   ORIEL_TASK_BLOCK, ORIEL_TASK_RESUME, ORIEL_TASK_COMPLETE};
    for (uint64_t n = 1; n <= 20; n++) {
        for (unsigned k = 0; k < sizeof life - (n == 20 ? 3 : 0); k++) {
            f.now += 10 * FX_US * (k + 1);
            struct model_item *i = fx_item(&f, MODEL_ITEM_TASK);
            i->u.task = (struct model_task){
                .t_ns = f.now, .task = n, .site = task, .thread = f.threads[n % 3], .op = life[k]};
        }
        struct model_item *i = fx_item(&f, MODEL_ITEM_PLOT);
        i->u.plot = (struct model_plot){.t_ns = f.now,
                                        .site = plot,
                                        .thread = f.threads[0],
                                        .value = fx_i64("value", (int64_t)(n * n))};
        i = fx_item(&f, MODEL_ITEM_PLOT);
        i->u.plot = (struct model_plot){.t_ns = f.now, .site = load, .thread = f.threads[0]};
        i->u.plot.value.type = ORIEL_TYPE_F64;
        i->u.plot.value.v.f64 = 0.25 * (double)(n % 4) - 0.125;
        f.now += (n == 7 ? 30 : 1) * FX_MS;
        i = fx_item(&f, MODEL_ITEM_FRAME);
        i->u.frame = (struct model_frame){f.now, frame, f.threads[0]};
    }
    same_as_golden("activity.txt", fx_told(&f, &b, false, NULL));
    buf_done(&b);
    same_as_golden("activity.json", pretty(fx_told(&f, &b, true, NULL), &readable));
    buf_done(&b);
    buf_done(&readable);
    fx_done(&f);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(latency_between_two_events_of_a_trace)
{
    struct fx f;
    struct buf b;
    struct report_options o = {.size = sizeof o, .from = "received", .to = "answered"};
    fx_init(&f, &o);
    fx_event(&f, 0, ORIEL_LEVEL_INFO, "demo", "answered");
    for (uint64_t i = 0; i < 200; i++) {
        fx_begin(&f, i % 3, "request");
        fx_event(&f, i % 3, ORIEL_LEVEL_INFO, "demo", "received");
        f.now += 100 * FX_US + i * i * 100;
        if (i % 50 != 7)
            fx_event(&f, i % 3, ORIEL_LEVEL_INFO, "demo", "answered");
        f.now += 5 * FX_US;
        fx_end(&f, i % 3);
    }
    same_as_golden("latency.txt", fx_told(&f, &b, false, NULL));
    buf_done(&b);
    fx_done(&f);
}

TEST(latency_names_what_was_never_recorded)
{
    struct fx f;
    struct buf b;
    struct report_options o = {.size = sizeof o, .from = "received", .to = "nonsense"};
    fx_init(&f, &o);
    fx_event(&f, 0, ORIEL_LEVEL_INFO, "demo", "received");
    CHECK(strstr(fx_told(&f, &b, false, NULL), "  no event or span named nonsense was recorded\n"));
    buf_done(&b);
    fx_done(&f);
}

TEST(latency_without_a_pair_says_how_to_find_one)
{
    struct fx f;
    struct buf b;
    struct report_options o = {.size = sizeof o, .from = "queued", .to = "taken"};
    fx_init(&f, &o);
    fx_event(&f, 0, ORIEL_LEVEL_INFO, "demo", "queued");
    fx_event(&f, 1, ORIEL_LEVEL_INFO, "demo", "taken");
    CHECK(strstr(fx_told(&f, &b, false, NULL),
                 "  no pair among 1 from and 1 to: none share a trace or a thread; --by ATTRIBUTE "
                 "pairs by a value\n"));
    buf_done(&b);
    fx_done(&f);
}

TEST(the_slowest_trace_as_a_tree)
{
    struct fx f;
    struct buf b;
    struct report_options o = {.size = sizeof o, .tree = true, .top = 8};
    fx_init(&f, &o);
    run_indexer(&f);
    same_as_golden("tree.txt", fx_told(&f, &b, false, NULL));
    buf_done(&b);
    fx_done(&f);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
