/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of output files: rights, planted links and files, directories, rotation. */
#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "test.h"
#include "util/out.h"

static const char *in_tmpdir(const char *name)
{
    static char paths[16][256];
    static unsigned turn;
    char *path = paths[turn++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", test_tmpdir(), name);
    return path;
}

static const char *content(const char *path)
{
    static char text[4096];
    long n = os_read_file(path, text, sizeof text);
    return n < 0 ? NULL : text;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    fputs(text, f);
    fclose(f);
}

static int write_file(const char *path, bool append, const char *text, struct oriel_err *err)
{
    struct out *o;
    int rc = out_file_open(&o, path, append, err);
    if (rc == 0) {
        CHECK_STR(o->path, path);
        rc = out_write(o, text, strlen(text));
        CHECK_EQ(out_sync(o), 0);
        out_close(o);
    }
    return rc;
}

TEST(files_and_the_directories_on_the_way_are_for_the_owner_only)
{
    umask(0);
    CHECK_EQ(write_file(in_tmpdir("a/b/c.json"), false, "x", NULL), 0);
    CHECK_EQ(mode_of(in_tmpdir("a")), 0700);
    CHECK_EQ(mode_of(in_tmpdir("a/b")), 0700);
    CHECK_EQ(mode_of(in_tmpdir("a/b/c.json")), 0600);
}

TEST(an_existing_file_is_emptied_or_appended_to)
{
    const char *path = in_tmpdir("f");
    struct out *o;
    put_file(path, "a long text from before");
    CHECK_EQ(write_file(path, false, "one", NULL), 0);
    CHECK_STR(content(path), "one");
    CHECK_EQ(write_file(path, true, "two", NULL), 0);
    CHECK_STR(content(path), "onetwo");
    REQUIRE(out_file_open(&o, path, true, NULL) == 0);
    CHECK_EQ(o->bytes, 6); /* what was there counts */
    out_close(o);
}

TEST(a_file_can_be_read_back_corrected_and_cut)
{
    const char *path = in_tmpdir("f");
    struct out *o;
    char text[16] = "";
    size_t got;
    REQUIRE(out_file_open(&o, path, false, NULL) == 0);
    CHECK(out_can_seek(o));
    CHECK_EQ(out_write(o, "hello world", 11), 0);
    CHECK_EQ(out_write_at(o, 6, "W", 1), 0);
    CHECK_EQ(out_write_at(o, 9, "xyz", 3), ORIEL_EINVAL);
    CHECK_EQ(out_read_at(o, 5, text, 15, &got), 0);
    CHECK_MEM(text, got, " World", 6);
    CHECK_EQ(out_truncate(o, 5), 0);
    CHECK_EQ(out_write(o, "!", 1), 0); /* goes where the file ends now */
    CHECK_EQ(o->bytes, 6);
    out_close(o);
    CHECK_STR(content(path), "hello!");
}

TEST(a_planted_link_is_refused_and_its_target_untouched)
{
    struct oriel_err err = {0};
    const char *target = in_tmpdir("target"), *link = in_tmpdir("link");
    put_file(target, "precious");
    REQUIRE(symlink(target, link) == 0);
    CHECK_EQ(write_file(link, false, "x", &err), ORIEL_EPERM);
    CHECK(strstr(err.text, link) && strstr(err.text, "symbolic link"));
    CHECK_EQ(write_file(link, true, "x", NULL), ORIEL_EPERM);
    CHECK_STR(content(target), "precious");
    REQUIRE(unlink(target) == 0); /* dangling: must not be created either */
    CHECK_EQ(write_file(link, false, "x", NULL), ORIEL_EPERM);
    CHECK(access(target, F_OK) != 0);
    struct out *o;
    CHECK_EQ(out_rotating_open(&o, link, 100, 2, NULL), ORIEL_EPERM);
    CHECK(access(target, F_OK) != 0);
}

TEST(a_second_name_of_a_file_is_refused)
{
    struct oriel_err err = {0};
    const char *target = in_tmpdir("target"), *name = in_tmpdir("name");
    put_file(target, "precious");
    REQUIRE(link(target, name) == 0);
    CHECK_EQ(write_file(name, false, "x", &err), ORIEL_EPERM);
    CHECK(strstr(err.text, "hard link") != NULL);
    CHECK_STR(content(target), "precious");
}

TEST(fifos_directories_and_foreign_files_are_refused_at_once)
{
    struct oriel_err err = {0};
    REQUIRE(mkfifo(in_tmpdir("fifo"), 0600) == 0);
    CHECK_EQ(write_file(in_tmpdir("fifo"), false, "x", &err), ORIEL_EPERM);
    CHECK(write_file(test_tmpdir(), false, "x", &err) != 0);
    CHECK(strstr(err.text, test_tmpdir()) != NULL);
    CHECK_EQ(write_file("", false, "x", &err), ORIEL_EINVAL);
    put_file(in_tmpdir("theirs"), "precious");
    if (geteuid() == 0 && chown(in_tmpdir("theirs"), 12345, 12345) == 0) {
        CHECK_EQ(write_file(in_tmpdir("theirs"), false, "x", &err), ORIEL_EPERM);
        CHECK(strstr(err.text, "another user") != NULL);
        CHECK_STR(content(in_tmpdir("theirs")), "precious");
    }
    static char longest[700];
    memset(longest, 'a', sizeof longest - 1);
    CHECK_EQ(write_file(longest, false, "x", &err), ORIEL_EINVAL);
}

TEST(a_file_in_the_way_of_a_directory_is_named)
{
    struct oriel_err err = {0};
    put_file(in_tmpdir("f"), "");
    CHECK_EQ(write_file(in_tmpdir("f/x"), false, "x", &err), ORIEL_EPERM);
    CHECK(strstr(err.text, "/f: is not a directory") != NULL);
    CHECK(out_make_dir("/proc/oriel/x", false, &err) != 0);
    CHECK(strstr(err.text, "/proc/oriel") != NULL);
}

TEST(a_full_disk_is_counted_to_the_byte)
{
    const char *dir = in_tmpdir("small"), *path = in_tmpdir("small/f");
    static char bytes[256 << 10];
    struct out *o;
    struct stat st = {0};
    REQUIRE(mkdir(dir, 0700) == 0);
    if (mount("none", dir, "tmpfs", 0, "size=128k") != 0)
        test_skip("cannot mount a small tmpfs");
    int opened = out_file_open(&o, path, false, NULL), rc = 0, again = 0, after = 0;
    uint64_t written = 0;
    if (opened == 0) {
        rc = out_write(o, bytes, sizeof bytes);
        written = o->bytes;
        stat(path, &st);
        again = out_truncate(o, 64 << 10);
        after = out_write(o, bytes, 1000);
        out_close(o);
    }
    umount2(dir, MNT_DETACH);
    CHECK_EQ(opened, 0);
    CHECK_EQ(rc, ORIEL_ENOSPC);
    CHECK_EQ(written, st.st_size);
    CHECK(written > 0);
    CHECK_EQ(again, 0);
    CHECK_EQ(after, 0);
}

TEST(a_new_directory_can_hide_itself_from_git)
{
    struct oriel_err err;
    CHECK_EQ(out_make_dir(in_tmpdir("p/.oriel"), true, &err), 0);
    CHECK_STR(content(in_tmpdir("p/.oriel/.gitignore")), "*\n");
    CHECK(access(in_tmpdir("p/.gitignore"), F_OK) != 0);
    REQUIRE(unlink(in_tmpdir("p/.oriel/.gitignore")) == 0);
    CHECK_EQ(out_make_dir(in_tmpdir("p/.oriel//"), true, &err), 0);
    CHECK(access(in_tmpdir("p/.oriel/.gitignore"), F_OK) != 0); /* it was there already */
    CHECK_EQ(out_make_dir("/", true, &err), 0);
    CHECK_EQ(out_make_dir("", true, &err), ORIEL_EINVAL);
}

static void write_line(struct out *o, int i)
{
    char line[16];
    snprintf(line, sizeof line, "line %04d\n", i); /* ten bytes */
    CHECK_EQ(out_write(o, line, 10), 0);
}

TEST(rotation_keeps_the_last_files_and_splits_no_record)
{
    const char *path = in_tmpdir("log");
    struct out *o;
    REQUIRE(out_rotating_open(&o, path, 35, 2, NULL) == 0);
    CHECK(!out_can_seek(o));
    for (int i = 0; i < 14; i++)
        write_line(o, i);
    CHECK_EQ(o->bytes, 20);
    out_close(o);
    CHECK_STR(content(in_tmpdir("log")), "line 0012\nline 0013\n");
    CHECK_STR(content(in_tmpdir("log.1")), "line 0009\nline 0010\nline 0011\n");
    CHECK_STR(content(in_tmpdir("log.2")), "line 0006\nline 0007\nline 0008\n");
    CHECK(access(in_tmpdir("log.3"), F_OK) != 0);
    CHECK_EQ(mode_of(in_tmpdir("log")), 0600);
    REQUIRE(out_rotating_open(&o, path, 35, 2, NULL) == 0); /* goes on where it was */
    write_line(o, 14);
    write_line(o, 15);
    out_close(o);
    CHECK_STR(content(in_tmpdir("log")), "line 0015\n");
    CHECK_STR(content(in_tmpdir("log.1")), "line 0012\nline 0013\nline 0014\n");
}

TEST(a_record_larger_than_the_limit_gets_a_file_of_its_own)
{
    struct out *o;
    REQUIRE(out_rotating_open(&o, in_tmpdir("log"), 15, 3, NULL) == 0);
    write_line(o, 0);
    CHECK_EQ(out_write(o, "a much longer record than that\n", 31), 0);
    write_line(o, 1);
    out_close(o);
    CHECK_STR(content(in_tmpdir("log.2")), "line 0000\n");
    CHECK_STR(content(in_tmpdir("log.1")), "a much longer record than that\n");
    CHECK_STR(content(in_tmpdir("log")), "line 0001\n");
}

TEST(rotation_that_keeps_nothing_starts_anew)
{
    struct out *o;
    REQUIRE(out_rotating_open(&o, in_tmpdir("log"), 25, 0, NULL) == 0);
    for (int i = 0; i < 5; i++)
        write_line(o, i);
    out_close(o);
    CHECK_STR(content(in_tmpdir("log")), "line 0004\n");
    CHECK(access(in_tmpdir("log.1"), F_OK) != 0);
    CHECK_EQ(out_rotating_open(&o, in_tmpdir("log"), 0, 1, NULL), ORIEL_EINVAL);
    CHECK_EQ(out_rotating_open(&o, "-", 10, 1, NULL), ORIEL_EINVAL);
}

TEST(rotation_replaces_a_planted_link_and_follows_none)
{
    const char *target = in_tmpdir("target");
    struct out *o;
    put_file(target, "precious");
    REQUIRE(symlink(target, in_tmpdir("log.1")) == 0);
    REQUIRE(out_rotating_open(&o, in_tmpdir("log"), 10, 1, NULL) == 0);
    write_line(o, 0);
    write_line(o, 1);
    out_close(o);
    CHECK_STR(content(target), "precious");
    CHECK_STR(content(in_tmpdir("log.1")), "line 0000\n");
    CHECK_STR(content(in_tmpdir("log")), "line 0001\n");
}

TEST(errno_stays_as_the_caller_left_it)
{
    struct out *o;
    struct oriel_err err;
    errno = 77;
    out_file_open(&o, "/proc/nothing/here", false, &err);
    out_make_dir("/proc/nothing", true, &err);
    if (out_rotating_open(&o, in_tmpdir("log"), 10, 1, NULL) == 0) {
        write_line(o, 0);
        write_line(o, 1);
        out_close(o);
    }
    CHECK_EQ(errno, 77);
}

TEST_MAIN()
