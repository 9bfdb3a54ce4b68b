/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static const uint8_t id_bytes[] = {0xab, 0xcd, 0x01};
static const struct bytes id = {id_bytes, sizeof id_bytes};

static struct bytes text(const char *s)
{
    return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static const char *folder(void)
{
    static char dir[4096];
    snprintf(dir, sizeof dir, "%s/a/b", test_tmpdir());
    return dir;
}

static const char *loaded(const char *dir, struct bytes which)
{
    static struct buf out;
    buf_clear(&out);
    return cache_load(dir, which, CACHE_TABLE, &out) ? buf_cstr(&out) : "(none)";
}

TEST(what_is_stored_is_loaded)
{
    const char *dir = folder();
    CHECK_STR(loaded(dir, id), "(none)");
    cache_store(dir, id, CACHE_TABLE, text("hello"), 1000);
    CHECK_STR(loaded(dir, id), "hello");
    cache_store(dir, id, CACHE_TABLE, text("again"), 1000);
    CHECK_STR(loaded(dir, id), "again");
}

TEST(folder_and_files_are_for_their_owner_only)
{
    char path[5000];
    struct stat st;
    const char *dir = folder();
    cache_store(dir, id, CACHE_TABLE, text("x"), 1000);
    REQUIRE(stat(dir, &st) == 0);
    CHECK_EQ(st.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/abcd01.symbols", dir);
    REQUIRE(stat(path, &st) == 0);
    CHECK_EQ(st.st_mode & 0777, 0600);
}

TEST(the_folder_stays_below_its_bound_and_keeps_what_was_used_last)
{
    char content[101];
    const char *dir = folder();
    memset(content, 'x', 100);
    content[100] = 0;
    for (uint8_t i = 0; i < 30; i++) {
        char path[5000];
        uint8_t one[] = {i, i};
        cache_store(dir, (struct bytes){one, 2}, CACHE_TABLE, text(content), 1000);
        struct timespec used[2] = {{1000 + i, 0}, {1000 + i, 0}};
        snprintf(path, sizeof path, "%s/%02x%02x.symbols", dir, i, i);
        utimensat(AT_FDCWD, path, used, 0);
    }
    size_t kept = 0;
    for (uint8_t i = 0; i < 30; i++) {
        uint8_t one[] = {i, i};
        kept += loaded(dir, (struct bytes){one, 2})[0] == 'x';
    }
    CHECK(kept <= 10 && kept >= 7);
    CHECK_EQ(loaded(dir, (struct bytes){(const uint8_t *)"\x1d\x1d", 2})[0], 'x');
    CHECK_STR(loaded(dir, (struct bytes){(const uint8_t *)"\0\0", 2}), "(none)");
}

TEST(links_and_unusable_folders_are_not_used)
{
    char path[5000], target[5000];
    const char *dir = folder();
    cache_store(dir, id, CACHE_TABLE, text("x"), 1000);
    snprintf(path, sizeof path, "%s/abcd01.symbols", dir);
    snprintf(target, sizeof target, "%s/target", test_tmpdir());
    REQUIRE(rename(path, target) == 0 && symlink(target, path) == 0);
    CHECK_STR(loaded(dir, id), "(none)");
    cache_store("/proc/nothing", id, CACHE_TABLE, text("x"), 1000);
    cache_store(NULL, id, CACHE_TABLE, text("x"), 1000);
    CHECK_STR(loaded("/proc/nothing", id), "(none)");
    CHECK_STR(loaded(NULL, id), "(none)");
}

TEST(a_build_id_that_is_none_has_no_name)
{
    char name[200];
    uint8_t big[100] = {0};
    CHECK(!cache_name((struct bytes){NULL, 0}, name, sizeof name));
    CHECK(!cache_name((struct bytes){big, sizeof big}, name, sizeof name));
    CHECK(cache_name(id, name, sizeof name));
    CHECK_STR(name, "abcd01");
}

TEST_MAIN()
