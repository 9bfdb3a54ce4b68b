/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Trees of a profile, told as folded stacks.
 */
#include "report/flametree.h"

#include "base/err.h"
#include "report/test_profile.h"

static const struct profile_filter everything = {
    .kind = ORIEL_SAMPLE_CPU, .thread = -1, .process = -1};

static void check_folded(struct profile_maker *m, enum flametree_grouping by, const char *want)
{
    struct flametree t;
    struct buf out;
    buf_init(&out);
    CHECK_EQ(flametree_make(&t, &m->frames, &m->profile, &m->catalog, &everything, by), 0);
    CHECK_EQ(flametree_folded(&t, &m->frames, &out), 0);
    CHECK_STR(buf_cstr(&out), want);
    CHECK_EQ(t.nodes.items[0].total, m->profile.weight[ORIEL_SAMPLE_CPU]);
    buf_done(&out);
    flametree_done(&t);
}

TEST(equal_paths_are_one_line_in_the_order_of_names)
{
    struct profile_maker m;
    maker_begin(&m);
    maker_add(&m, "main;z;deep;deeper 2", 0, NULL);
    maker_add(&m, "main;b 1", 0, NULL);
    maker_add(&m, "main;z;deep;deeper 3", 1, NULL);
    maker_add(&m, "main 7", 0, NULL);
    maker_add(&m, "main;z;a 1", 0, NULL);
    check_folded(&m, FLAMETREE_PLAIN, "main 7\nmain;b 1\nmain;z;a 1\nmain;z;deep;deeper 5\n");
    maker_end(&m);
}

TEST(groups_stand_below_the_root)
{
    struct profile_maker m;
    maker_begin(&m);
    maker_add(&m, "main;a 2", 0, NULL);
    maker_add(&m, "main;a 3", 1, m.sites[0]);
    check_folded(&m, FLAMETREE_BY_THREAD, "tid 20;main;a 2\nworker (tid 21);main;a 3\n");
    check_folded(&m, FLAMETREE_BY_SPAN, "(no span);main;a 2\nquery;main;a 3\n");
    maker_end(&m);
}

TEST(inlined_functions_are_marked_and_separators_do_not_survive)
{
    struct profile_maker m;
    maker_begin(&m);
    maker_add(&m, "main;op\n1;+fast 4", 0, NULL);
    check_folded(&m, FLAMETREE_PLAIN, "main;op 1;fast_[i] 4\n");
    maker_end(&m);
}

TEST(totals_of_children_and_self_add_up_everywhere)
{
    struct profile_maker m;
    char text[128];
    maker_begin(&m);
    srand(7);
    for (int i = 0; i < 500; i++) {
        int n = snprintf(text, sizeof text, "main");
        for (int d = rand() % 8; d > 0; d--)
            n += snprintf(text + n, sizeof text - (size_t)n, ";f%d", rand() % 5);
        snprintf(text + n, sizeof text - (size_t)n, " %d", 1 + rand() % 100);
        maker_add(&m, text, (uint32_t)rand() % 3, NULL);
    }
    struct flametree t;
    CHECK_EQ(flametree_make(&t, &m.frames, &m.profile, &m.catalog, &everything, FLAMETREE_PLAIN),
             0);
    for (size_t i = 0; i < t.nodes.count; i++) {
        uint64_t sum = t.nodes.items[i].self;
        for (uint32_t c = t.nodes.items[i].child; c; c = t.nodes.items[c].sibling) {
            REQUIRE(t.nodes.items[c].parent == i);
            sum += t.nodes.items[c].total;
        }
        REQUIRE(sum == t.nodes.items[i].total);
    }
    flametree_done(&t);
    maker_end(&m);
}

TEST(no_memory_is_said)
{
    bool whole = false;
    for (uint64_t n = 1; n < 60 && !whole; n++) {
        struct profile_maker m;
        struct flametree t;
        struct buf out;
        maker_begin(&m);
        maker_add(&m, "main;parse;read 5", 0, NULL);
        maker_add(&m, "main;a 5", 0, NULL);
        buf_init(&out);
        mem_fail_after(n);
        int rc =
            flametree_make(&t, &m.frames, &m.profile, &m.catalog, &everything, FLAMETREE_PLAIN);
        if (rc == 0)
            rc = flametree_folded(&t, &m.frames, &out);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        whole = rc == 0;
        if (whole)
            CHECK_STR(buf_cstr(&out), "main;a 5\nmain;parse;read 5\n");
        buf_done(&out);
        flametree_done(&t);
        maker_end(&m);
    }
    CHECK(whole);
}

TEST_MAIN()
