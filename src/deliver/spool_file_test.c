/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "deliver/spool_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "deliver/test_spool.h"
#include "util/crc32c.h"

static void poke(const char *path, uint64_t at, const char *bytes, size_t n)
{
    int fd = open(path, O_RDWR);
    REQUIRE(fd >= 0 && pwrite(fd, bytes, n, (off_t)at) == (ssize_t)n);
    close(fd);
}

enum { FIRST = 4096, HEAD = 56, STEP = HEAD + 104 };

/* Ten messages of 100 bytes, of a process that is gone. */
static void leave_ten(const char *dir, char *out_path, size_t n)
{
    struct spool *s = open_spool(dir, 0, 0);
    for (uint64_t id = 0; id < 10; id++)
        CHECK_EQ(put(s, id, 100), 0);
    CHECK_EQ(next(s, NULL), 0);
    spool_done(s);
    CHECK_EQ(next(s, NULL), 1);
    spool_done(s);
    spool_close(s);
    REQUIRE(find_file(dir, ".spool", out_path, n));
}

/* What comes back, as a set of bits; damage and loss. */
static unsigned read_back(const char *dir, struct sums *out)
{
    struct spool *s = open_spool(dir, 0, 0);
    unsigned bits = 0;
    for (long long id, last = -1; (id = next(s, NULL)) >= 0; last = id) {
        CHECK(id > last && id < 10);
        bits |= 1u << id;
        spool_done(s);
    }
    *out = counts_of(s);
    spool_close(s);
    return bits;
}

TEST(damaged_bytes_cost_their_message_and_no_other)
{
    char path[512];
    struct sums c;
    const char *dir = test_tmpdir();
    leave_ten(dir, path, sizeof path);
    poke(path, FIRST + 4 * STEP + HEAD + 50, "!", 1);
    CHECK_EQ(read_back(dir, &c), 0x3fc & ~(1u << 4));
    CHECK_EQ(c.damaged, 1);
    CHECK_EQ(c.adopted_dropped, items_of(4));
}

TEST(a_damaged_head_is_skipped_to_the_next_record)
{
    char path[512];
    struct sums c;
    const char *dir = test_tmpdir();
    leave_ten(dir, path, sizeof path);
    poke(path, FIRST + 4 * STEP + 4, "\xff\xff\xff\x7f", 4); /* its length */
    poke(path, FIRST + 7 * STEP, "????", 4);                 /* its magic */
    CHECK_EQ(read_back(dir, &c), 0x3fc & ~(1u << 4) & ~(1u << 7));
    CHECK_EQ(c.damaged, 2);
}

TEST(a_record_cut_short_with_its_process_is_no_damage)
{
    char path[512];
    struct sums c;
    for (int cut = 1; cut < STEP; cut += 13) {
        char dir[300];
        snprintf(dir, sizeof dir, "%s/%d", test_tmpdir(), cut);
        leave_ten(dir, path, sizeof path);
        REQUIRE(truncate(path, FIRST + 10 * STEP - cut) == 0);
        CHECK_EQ(read_back(dir, &c), 0x1fc);
        CHECK_EQ(c.damaged, 0);
    }
}

TEST(a_torn_acknowledgement_falls_back_to_the_one_before)
{
    char path[512];
    struct sums c;
    const char *dir = test_tmpdir();
    leave_ten(dir, path, sizeof path);
    poke(path, 1024 + 3, "~~~", 3); /* generation 2, the younger */
    CHECK_EQ(read_back(dir, &c), 0x3fe);
    leave_ten(dir, path, sizeof path);
    poke(path, 1024, "~~~", 3);
    poke(path, 3072, "~~~", 3);
    CHECK_EQ(read_back(dir, &c), 0x3ff); /* all again, none lost */
    CHECK_EQ(c.damaged, 0);
}

TEST(a_files_first_page_is_there_twice)
{
    char path[512];
    struct sums c;
    const char *dir = test_tmpdir();
    leave_ten(dir, path, sizeof path);
    poke(path, 20, "~", 1);
    CHECK_EQ(read_back(dir, &c), 0x3fc);
    leave_ten(dir, path, sizeof path);
    poke(path, 20, "~", 1);
    poke(path, 2048 + 20, "~", 1);
    CHECK_EQ(read_back(dir, &c), 0);
    CHECK_EQ(c.damaged, 1);
    CHECK(!find_file(dir, ".spool", path, sizeof path)); /* nobody will ever read it */
}

TEST(bytes_of_a_message_are_never_taken_for_a_record)
{
    char path[512], record[STEP];
    struct sums c;
    char from[300], dir[300];
    snprintf(from, sizeof from, "%s/a", test_tmpdir());
    snprintf(dir, sizeof dir, "%s/b", test_tmpdir());
    leave_ten(from, path, sizeof path);
    int fd = open(path, O_RDONLY);
    REQUIRE(fd >= 0 && pread(fd, record, sizeof record, FIRST + 5 * STEP) == sizeof record);
    close(fd);
    struct spool *s = open_spool(dir, 0, 0);
    struct out_message m = {.signal = OUT_LOGS, .items = 1, .bytes = record, .n = sizeof record};
    CHECK_EQ(spool_put(s, &m, test_now, NULL), 0);
    CHECK_EQ(put(s, 9, 100), 0);
    spool_close(s);
    REQUIRE(find_file(dir, ".spool", path, sizeof path));
    poke(path, FIRST, "?", 1); /* now it is looked for the next record, through those bytes */
    CHECK_EQ(read_back(dir, &c), 1u << 9);
    CHECK_EQ(c.damaged, 1);
}

TEST(damage_in_our_own_files_is_in_the_balance)
{
    char path[512];
    const char *dir = test_tmpdir();
    struct spool *s = open_spool(dir, 0, 0);
    for (uint64_t id = 0; id < 10; id++)
        CHECK_EQ(put(s, id, 100), 0);
    REQUIRE(find_file(dir, ".spool", path, sizeof path));
    poke(path, FIRST + 3 * STEP, "????????", 8);
    CHECK_EQ(next(s, NULL), 0);
    REQUIRE(truncate(path, FIRST + 8 * STEP + 10) == 0);
    while (next(s, NULL) >= 0)
        spool_done(s);
    struct sums c = counts_of(s);
    CHECK_EQ(c.held, 0);
    CHECK_EQ(c.dropped, items_of(3) + items_of(8) + items_of(9));
    CHECK_EQ(put(s, 11, 100), 0);
    REQUIRE(find_file(dir, ".spool", path, sizeof path));
    REQUIRE(unlink(path) == 0); /* somebody cleans up */
    CHECK_EQ(next(s, NULL), -1);
    CHECK_EQ(counts_of(s).held, 0);
    spool_close(s);
}

TEST(a_file_of_a_later_version_stays)
{
    char path[512];
    const char *dir = test_tmpdir();
    struct sums c;
    struct spool_mark mark;
    leave_ten(dir, path, sizeof path);
    int fd = open(path, O_RDONLY);
    REQUIRE(fd >= 0 && pread(fd, &mark, sizeof mark, 0) == sizeof mark);
    close(fd);
    mark.version = 2;
    mark.crc = 0;
    mark.crc = crc32c(0, &mark, sizeof mark);
    poke(path, 0, (const char *)&mark, sizeof mark);
    poke(path, 2048, (const char *)&mark, sizeof mark);
    CHECK_EQ(read_back(dir, &c), 0);
    CHECK_EQ(c.damaged, 0);
    CHECK(c.bytes > 0);
    CHECK(find_file(dir, ".spool", path, sizeof path));
}

TEST_MAIN()
