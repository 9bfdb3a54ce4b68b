/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the kernel counted, what was told, and what is missing; and where it counts.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "source/probe/probe.h"
#include "test.h"

enum { EVENTS = 3, EXACT = 0, OTHER = 1, UNCOUNTED = 2 };

static struct account_event events[EVENTS];
static struct account account;

static void begin(void)
{
    memset(events, 0, sizeof events);
    events[EXACT].number = 0;
    events[OTHER].number = 1;
    events[UNCOUNTED].number = UINT32_MAX;
    account = (struct account){.events = events, .count = EVENTS, .known = true};
}

static void tell(uint32_t event, int times, uint64_t time_ns)
{
    for (int i = 0; i < times; i++)
        account_told(&account, event, time_ns);
}

TEST(what_was_told_or_lost_is_not_missing)
{
    const uint64_t lost[EVENTS + 1] = {2, 0, 5, 7};
    begin();
    tell(EXACT, 8, 100);
    tell(OTHER, 3, 100);
    events[EXACT].after = 10;
    events[OTHER].after = 3;
    CHECK_EQ(account_missing(&account, lost), 0);
}

TEST(what_was_neither_told_nor_lost_is_missing_at_each_event_for_itself)
{
    const uint64_t lost[EVENTS + 1] = {2, 0, 0, 0};
    begin();
    tell(EXACT, 5, 100);
    tell(OTHER, 9, 100); /* more than were counted, which makes up for nothing */
    events[EXACT].after = 10;
    events[OTHER].after = 4;
    CHECK_EQ(account_missing(&account, lost), 3);
    account.known = false;
    CHECK_EQ(account_missing(&account, lost), 0);
}

TEST(what_happened_before_all_threads_were_watched_does_not_count)
{
    const uint64_t lost[EVENTS + 1] = {0};
    begin();
    account.from_ns = 50;
    events[EXACT].before = 4;
    events[EXACT].after = 10;
    tell(EXACT, 3, 49);
    tell(EXACT, 5, 50);
    CHECK_EQ(account_missing(&account, lost), 1);
}

TEST(where_nobody_counts_nothing_is_missing)
{
    const uint64_t lost[EVENTS + 1] = {0};
    begin();
    events[UNCOUNTED].after = 10; /* never looked at */
    CHECK_EQ(account_missing(&account, lost), 0);
}

/* ---- the list of the kernel ---- */

/* A directory in place of tracefs. */
static void write_profile(const char *root, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/uprobe_profile", root);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void remove_profile(const char *root)
{
    char path[128];
    snprintf(path, sizeof path, "%s/uprobe_profile", root);
    unlink(path);
    rmdir(root);
}

static void make_tracefs(struct tracefs *t, uint32_t count)
{
    *t = (struct tracefs){
        .root = "/tmp/oriel-account-XXXXXX", .group = "oriel_12_345", .fd = -1, .count = count};
    REQUIRE(mkdtemp(t->root) != NULL);
}

TEST(hits_of_this_recorder_are_found_among_those_of_others)
{
    struct tracefs t;
    uint64_t hits[3] = {9, 9, 9};
    make_tracefs(&t, 3);
    write_profile(t.root, "  /usr/bin/x e0_12_345                            3\n"
                          "  /usr/bin/y e0_12_345                            4\n"
                          "  /usr/bin/x e1_12_3456                           8\n"
                          "  /usr/bin/x e1_112_345                           8\n"
                          "  /tmp/with blank/e1_12_345 mine                  8\n"
                          "  /usr/bin/x e3_12_345                            8\n"
                          "  /usr/bin/x e_12_345                             8\n"
                          "  /usr/bin/x e1_12_345 \n"
                          "\n"
                          "  /tmp/with blank/y e2_12_345         12345678901\n");
    CHECK(tracefs_hits(&t, hits));
    CHECK_EQ(hits[0], 7);
    CHECK_EQ(hits[1], 0);
    CHECK_EQ(hits[2], 12345678901);
    remove_profile(t.root);
    CHECK(!tracefs_hits(&t, hits)); /* nobody tells */
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(counts_at_the_beginning_and_at_the_end_are_those_of_the_events)
{
    const uint64_t lost[EVENTS + 1] = {0};
    struct tracefs t;
    make_tracefs(&t, 2);
    begin();
    write_profile(t.root, " x e0_12_345 5\n x e1_12_345 6\n");
    account_begin(&account, &t, true);
    CHECK(account.known && account.from_ns > 0);
    tell(EXACT, 4, account.from_ns - 1);
    tell(EXACT, 2, account.from_ns);
    write_profile(t.root, " x e0_12_345 8\n x e1_12_345 16\n");
    account_end(&account, &t);
    CHECK_EQ(account_missing(&account, lost), 1 + 10);
    account_begin(&account, &t, false); /* from the very beginning */
    CHECK_EQ(account.from_ns, 0);
    remove_profile(t.root);
    account_end(&account, &t);
    CHECK(!account.known);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
