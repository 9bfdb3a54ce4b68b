/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Whoever cuts a ring's file short takes data away, and nothing else.
 */
#include "source/ring/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/ring/ring.h"

#include "ring_fixture.h"

TEST(a_ring_that_is_cut_short_while_it_is_read_ends_in_one_line)
{
    struct fixture f;
    int result = SOURCE_IDLE;
    region_guard();
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    CHECK_EQ(only(&f, ORIEL_REC_EVENT)->raw[2], 1);
    rw_event(&f.t, EVENT, 2);
    rw_detach(&f.p);
    REQUIRE(truncate(region_path(f.region), 8192) == 0);
    for (int i = 0; i < 3 && result >= 0; i++)
        result = reader_poll(&f.r, 100);
    CHECK_EQ(result, ORIEL_EDAMAGED);
    CHECK(strstr(f.r.err.text, "cut short") != NULL);
    CHECK(guard_is_cut(inside(&f)->base));
    reader_close(&f.r);
    region_end(f.region); /* the maker's own mapping */
    CHECK_EQ(region_triggers(f.region), 0);
    region_free(f.region);
}

TEST(a_ring_that_is_cut_to_nothing_is_no_ring_for_its_maker_either)
{
    struct region_options o = {.size = sizeof o, .directory = test_tmpdir()};
    struct region *region;
    struct oriel_err err;
    region_guard();
    REQUIRE(region_create(&region, &o, &err) == 0);
    REQUIRE(truncate(region_path(region), 0) == 0);
    region_trigger(region);
    CHECK_EQ(region_triggers(region), 1); /* in the zeros that stand in for it */
    region_free(region);
}

TEST(a_fault_anywhere_else_is_as_deadly_as_ever)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        char path[600];
        region_guard();
        snprintf(path, sizeof path, "%s/other", test_tmpdir());
        int fd = open(path, O_RDWR | O_CREAT, 0600);
        volatile char *p = ftruncate(fd, 4096) == 0
                               ? mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                               : NULL;
        if (ftruncate(fd, 0) != 0)
            _exit(1);
        *p = 1;
        _exit(0);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

TEST(more_mappings_than_there_is_room_for_go_without)
{
    static char maps[40];
    for (int i = 0; i < 40; i++)
        guard_add(&maps[i], 1);
    CHECK(!guard_is_cut(&maps[0]) && !guard_is_cut(&maps[39]));
    for (int i = 0; i < 40; i++)
        guard_remove(&maps[i]);
}

TEST_MAIN()
