/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A ring whose pages are made by whoever joins it first, and what happens where
 * there is no room for them.
 */
#define ORIEL_TARGET "rec.test"
#include <oriel/oriel.h>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "recording.h"
#include "test.h"

enum { RING = 4 << 20 };

static uint64_t allocated(const char *path)
{
    struct stat st;
    REQUIRE(stat(path, &st) == 0);
    return (uint64_t)st.st_blocks * 512;
}

static uint64_t size_of(const char *path)
{
    struct stat st;
    REQUIRE(stat(path, &st) == 0);
    return (uint64_t)st.st_size;
}

static void emit(int n)
{
    for (int i = 0; i < n; i++)
        ORIEL_INFO("one", "i", i);
}

TEST(who_joins_a_late_ring_makes_its_pages)
{
    struct region_options o = {.late = true, .ring_bytes = RING};
    struct recording r = {0};
    recording_make(&r, &o);
    CHECK(allocated(r.path) < size_of(r.path) - RING + 4096);
    REQUIRE(oriel_attach(r.path) == 0);
    CHECK(allocated(r.path) >= size_of(r.path));
    CHECK(!region_is_refused(r.region));
    emit(10);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 10);
    CHECK_EQ(recording_lost_total(&r), 0);
    recording_end(&r);
}

/* A small disk; what fills the rest of it. */
static char dir[256], filler[300];
static int fill(void)
{
    char block[4096] = {1};
    int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    while (write(fd, block, sizeof block) == (ssize_t)sizeof block)
        continue;
    return close(fd);
}

TEST(who_finds_no_room_for_a_late_ring_does_not_write_and_that_is_known)
{
    struct region_options o = {.late = true, .ring_bytes = RING, .directory = dir};
    struct recording r = {0};
    snprintf(dir, sizeof dir, "%s/small", test_tmpdir());
    snprintf(filler, sizeof filler, "%s/filler", dir);
    REQUIRE(mkdir(dir, 0700) == 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("ring", dir, "tmpfs", 0, "size=16m") != 0)
        test_skip("needs the right to mount a tmpfs");
    recording_make(&r, &o);
    REQUIRE(fill() == 0);
    CHECK_EQ(oriel_attach(r.path), ORIEL_ENOSPC);
    CHECK(region_is_refused(r.region));
    CHECK(!oriel_enabled());
    emit(10); /* nothing happens */
    REQUIRE(unlink(filler) == 0);
    REQUIRE(oriel_attach(r.path) == 0); /* and there is room */
    CHECK(!region_is_refused(r.region));
    emit(5);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 5);
    recording_end(&r);
    umount(dir);
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

TEST(a_ring_tells_when_it_is_opened_and_whether_somebody_joined)
{
    struct recording r = {0};
    recording_make(&r, NULL);
    int opening = region_watch_opening(r.region);
    REQUIRE(opening >= 0);
    CHECK(!readable(opening));
    CHECK(!region_is_joined(r.region));
    int fd = open(r.path, O_RDONLY | O_CLOEXEC); /* only looks */
    CHECK(readable(opening));
    CHECK(!region_is_joined(r.region));
    close(fd);
    REQUIRE(oriel_attach(r.path) == 0);
    CHECK(region_is_joined(r.region));
    close(opening);
    recording_end(&r);
}

TEST_MAIN()
