/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The window of a live screen: what is over is shown, what is old is gone.
 */
#include "report/live.h"

#include "report/test_profile.h"

static void add(struct live *l, struct profile_maker *m, const char *path, uint64_t ms)
{
    struct model_batch batch;
    char text[128];
    snprintf(text, sizeof text, "%s", path);
    model_batch_init(&batch, &m->catalog);
    struct model_item *item = model_batch_add_item(&batch);
    REQUIRE(item);
    item->kind = MODEL_ITEM_SAMPLE;
    item->u.sample = (struct model_sample){.kind = ORIEL_SAMPLE_CPU,
                                           .thread = m->threads[0],
                                           .weight = ms * 1000000,
                                           .count = 1,
                                           .stack = maker_stack(m, text)};
    CHECK_EQ(live_add(l, &batch), 0);
    model_batch_done(&batch);
}

static bool shows(const struct live *l, const char *name)
{
    struct buf b;
    buf_init(&b);
    CHECK_EQ(live_text(l, LIVE_CPU, 100, 20, &b), 0);
    bool found = strstr(buf_cstr(&b), name) != NULL;
    buf_done(&b);
    return found;
}

TEST(what_is_old_is_forgotten)
{
    struct profile_maker m;
    struct live *l;
    maker_begin(&m);
    REQUIRE(model_catalog_set_resource(&m.catalog, MODEL_STR("oriel.sample.rate"),
                                       MODEL_STR("99")) == 0);
    REQUIRE(live_new(&l, &m.catalog, 2) == 0);
    add(l, &m, "main;early", 10);
    CHECK(!shows(l, "early")); /* not over yet */
    live_tick(l, 1000000000);
    CHECK(shows(l, "early"));
    CHECK(!shows(l, "few samples")); /* advice is for recordings */
    add(l, &m, "main;late", 10);
    live_tick(l, 1000000000);
    CHECK(shows(l, "early") && shows(l, "late"));
    live_tick(l, 1000000000);
    CHECK(!shows(l, "early") && shows(l, "late"));
    live_tick(l, 1000000000);
    CHECK(!shows(l, "late"));
    live_free(l);
    maker_end(&m);
}

TEST(the_summary_is_of_the_window)
{
    struct profile_maker m;
    struct live *l;
    struct buf b;
    maker_begin(&m);
    REQUIRE(live_new(&l, &m.catalog, 4) == 0);
    for (int i = 0; i < 3; i++) {
        add(l, &m, "main;work", 500);
        live_tick(l, 1000000000);
    }
    buf_init(&b);
    live_summary(l, &b);
    CHECK_STR(buf_cstr(&b), "CPU 50 %, 1 thread, 3 samples in 3.00 s");
    buf_done(&b);
    live_free(l);
    maker_end(&m);
}

TEST(no_more_lines_than_there_is_room_for)
{
    struct profile_maker m;
    struct live *l;
    struct buf b;
    maker_begin(&m);
    REQUIRE(live_new(&l, &m.catalog, 1) == 0);
    for (char c = 'a'; c < 'z'; c++) {
        char path[] = "main;f_x";
        path[7] = c;
        add(l, &m, path, (uint64_t)c);
    }
    live_tick(l, 1000000000);
    for (uint32_t rows = 0; rows < 12; rows++) {
        uint32_t lines = 0;
        buf_init(&b);
        CHECK_EQ(live_text(l, LIVE_CPU, 100, rows, &b), 0);
        for (size_t i = 0; i < b.size; i++)
            lines += b.data[i] == '\n';
        CHECK_EQ(lines, rows);
        buf_done(&b);
    }
    live_free(l);
    maker_end(&m);
}

TEST_MAIN()
