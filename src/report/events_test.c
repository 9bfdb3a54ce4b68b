/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Events by site, level and target.
 */
#include "report/events.h"

#include "base/mem.h"
#include "test.h"

static struct model_site site(uint32_t index, uint8_t level, const char *target)
{
    return (struct model_site){
        .index = index, .level = level, .target = {target, (uint32_t)strlen(target)}};
}

static void add(struct events *e, const struct model_site *s, const char *message, uint64_t t_ns)
{
    const struct model_event event = {
        .t_ns = t_ns, .site = s, .message = {message, (uint32_t)strlen(message)}};
    CHECK_EQ(events_add(e, &event), 0);
}

TEST(targets_are_the_sums_of_their_sites)
{
    struct events e = {0};
    const struct model_site net_warn = site(0, ORIEL_LEVEL_WARN, "net"),
                            net_info = site(1, ORIEL_LEVEL_INFO, "net"),
                            disk = site(2, ORIEL_LEVEL_ERROR, "disk");
    for (uint64_t i = 0; i < 10; i++)
        add(&e, i % 2 ? &net_warn : &net_info, "m", i);
    add(&e, &disk, "full", 99);
    struct event_targets t;
    REQUIRE(events_by_target(&e, &t) == 0);
    CHECK_EQ(t.items.count, 2);
    CHECK_EQ(t.items.items[0].count, 10);
    CHECK_EQ(t.items.items[0].by_level[ORIEL_LEVEL_WARN], 5);
    CHECK_EQ(t.items.items[1].by_level[ORIEL_LEVEL_ERROR], 1);
    CHECK_EQ(e.by_level[ORIEL_LEVEL_INFO], 5);
    VEC_DONE(&t.items);
    events_done(&e);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(the_first_message_is_the_example_and_is_bounded)
{
    struct events e = {0};
    const struct model_site s = site(0, ORIEL_LEVEL_INFO, "t");
    char text[1000];
    memset(text, 'x', sizeof text);
    text[999] = 0;
    add(&e, &s, text, 5);
    add(&e, &s, "second", 9);
    CHECK_EQ(e.sites.items[1].example_bytes, EVENTS_EXAMPLE_MAX);
    CHECK_EQ(e.sites.items[1].first_ns, 5);
    CHECK_EQ(e.sites.items[1].last_ns, 9);
    events_done(&e);
}

TEST(a_level_that_does_not_exist_counts_as_info)
{
    struct events e = {0};
    const struct model_site zero = site(0, 0, "t"), high = site(1, 200, "t");
    add(&e, &zero, "a", 1);
    add(&e, &high, "b", 1);
    add(&e, NULL, "c", 1);
    CHECK_EQ(e.by_level[ORIEL_LEVEL_INFO], 3);
    events_done(&e);
}

TEST(sites_beyond_the_bound_share_a_row)
{
    struct events e = {0};
    for (uint32_t i = EVENTS_SITES_MAX - 2; i < EVENTS_SITES_MAX + 50; i++) {
        const struct model_site s = site(i, ORIEL_LEVEL_INFO, "t");
        add(&e, &s, "m", 1);
    }
    CHECK_EQ(e.sites.count, EVENTS_SITES_MAX + 1);
    CHECK_EQ(e.sites.items[0].count, 50);
    CHECK_EQ(e.count, 52);
    events_done(&e);
}

TEST_MAIN()
