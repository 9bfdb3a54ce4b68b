/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rings are made whole or not at all, found again when their makers are dead,
 * and never mistaken for something else.
 */
#include "source/region_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "ring_reader.h"
#include "ring_writer.h"

static struct region_options options(void)
{
    return (struct region_options){.size = sizeof(struct region_options),
                                   .directory = test_tmpdir(),
                                   .ring_bytes = 1 << 20,
                                   .threads = 16,
                                   .meta_bytes = 1 << 16};
}

static struct region *make(const struct region_options *o)
{
    struct region *r = NULL;
    struct oriel_err err = {0};
    if (region_create(&r, o, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return r;
}

static int refusal(const struct region_options *o, struct oriel_err *err)
{
    struct region *r = NULL;
    int rc = region_create(&r, o, err);
    CHECK(r == NULL);
    region_free(r);
    return rc;
}

TEST(a_ring_is_private_whole_and_described)
{
    struct region_options o = options();
    struct region_info info;
    struct stat st;
    struct oriel_err err;
    o.capture_path = "/tmp/c.oriel";
    o.directives = "info,db=debug";
    struct region *r = make(&o);
    REQUIRE(stat(region_path(r), &st) == 0);
    CHECK_EQ(st.st_mode & 0777, 0600);
    CHECK(st.st_blocks * 512 >= st.st_size); /* nothing sparse: no SIGBUS later */
    REQUIRE(region_inspect(region_path(r), &info, &err) == 0);
    CHECK_EQ(info.bytes, st.st_size);
    CHECK_EQ(info.creator_pid, getpid());
    CHECK(info.creator_alive && info.same_boot && !region_is_orphan(&info));
    CHECK_STR(info.capture_path, "/tmp/c.oriel");
    CHECK(memcmp(info.session_id, region_session_id(r), 16) == 0);
    CHECK_EQ(info.processes + info.unread_bytes, 0);
    CHECK(strstr(region_path(r), ".ring"));
    CHECK_EQ(region_unlink(region_path(r), &err), 0);
    CHECK_EQ(region_unlink(region_path(r), &err), ORIEL_ENOTFOUND);
    region_free(r);
}

TEST(defaults_make_a_ring_in_the_runtime_directory)
{
    char dir[256];
    struct region *r = make(NULL);
    struct oriel_err err;
    REQUIRE(os_runtime_dir(dir, sizeof dir) == 0);
    CHECK(strncmp(region_path(r), dir, strlen(dir)) == 0);
    CHECK_EQ(region_unlink(region_path(r), &err), 0);
    region_free(r);
}

TEST(a_memfd_is_sealed_and_reached_through_its_maker)
{
    struct region_options o = options();
    struct reader reader;
    o.memfd = true;
    struct region *r = make(&o);
    CHECK(strncmp(region_path(r), "/proc/", 6) == 0);
    int fd = open(region_path(r), O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0);
    CHECK(ftruncate(fd, 4096) != 0 && errno == EPERM);
    close(fd);
    CHECK_EQ(reader_open(&reader, region_path(r)), 0);
    region_end(r);
    CHECK_EQ(reader_poll(&reader, 100), SOURCE_END);
    reader_close(&reader);
    region_free(r);
}

TEST(sizes_and_texts_out_of_range_are_refused_with_the_range)
{
    static char text[2000];
    struct oriel_err err;
    memset(text, 'x', sizeof text - 1);
    struct region_options o = options();
    o.ring_bytes = 1;
    CHECK_EQ(refusal(&o, &err), ORIEL_EINVAL);
    CHECK(strstr(err.text, "256 to 4194304 KiB"));
    o = options(), o.ring_bytes = UINT64_MAX;
    CHECK_EQ(refusal(&o, &err), ORIEL_EINVAL);
    o = options(), o.threads = 5000;
    CHECK_EQ(refusal(&o, &err), ORIEL_EINVAL);
    o = options(), o.directives = text;
    CHECK_EQ(refusal(&o, &err), ORIEL_EINVAL);
    o = options(), o.capture_path = text;
    CHECK_EQ(refusal(&o, &err), ORIEL_EINVAL);
    o = options(), o.policy = 2;
    CHECK_EQ(refusal(&o, &err), ORIEL_EINVAL);
    o = options(), o.directory = text;
    CHECK_EQ(refusal(&o, &err), ORIEL_EINVAL);
    o = options(), o.size = 8;
    CHECK_EQ(refusal(&o, &err), ORIEL_EINVAL);
    o = options(), o.directory = "/nowhere/at/all";
    CHECK_EQ(refusal(&o, &err), ORIEL_ENOTFOUND);
}

TEST(a_ring_too_large_for_its_disk_says_what_would_fit)
{
    struct region_options o = options();
    struct oriel_err err;
    char dir[256];
    snprintf(dir, sizeof dir, "%s/small", test_tmpdir());
    REQUIRE(mkdir(dir, 0700) == 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("ring", dir, "tmpfs", 0, "size=2m") != 0)
        test_skip("needs the right to mount a tmpfs");
    o.directory = dir;
    o.ring_bytes = 16 << 20;
    CHECK_EQ(refusal(&o, &err), ORIEL_ENOSPC);
    CHECK(strstr(err.text, "ask for a ring of"));
    unsigned long long fit = 0;
    const char *at = strstr(err.text, "a ring of ");
    REQUIRE(at && (at = strstr(at + 1, "ask for a ring of ")));
    fit = strtoull(at + 18, NULL, 10);
    o.ring_bytes = fit << 10;
    struct region *r = make(&o); /* the advice is good */
    o.ring_bytes = 1 << 20;
    o.meta_bytes = 1 << 20;
    CHECK_EQ(refusal(&o, &err), ORIEL_ENOSPC);
    CHECK(strstr(err.text, "make room"));
    region_free(r);
    /* A refusal leaves no half of a file. */
    struct region_info *list;
    size_t n;
    REQUIRE(region_list(dir, &list, &n, &err) == 0);
    CHECK_EQ(n, 1);
    mem_free(list);
    umount(dir);
}

TEST(no_memory_is_an_answer)
{
    struct region_options o = options();
    struct oriel_err err;
    for (uint64_t n = 1; n < 20; n++) {
        struct region *r = NULL;
        mem_fail_after(n);
        int rc = region_create(&r, &o, &err);
        mem_fail_after(0);
        region_free(r);
        if (rc == 0)
            break;
        CHECK_EQ(rc, ORIEL_ENOMEM);
    }
}

TEST(directives_reach_the_writers_with_a_new_generation)
{
    struct region_options o = options();
    struct region *r = make(&o);
    struct rw_process p;
    static char text[2000];
    REQUIRE(rw_attach_path(&p, region_path(r)));
    uint32_t before = p.shared->filter_gen;
    CHECK_EQ(region_set_directives(r, "warn"), 0);
    CHECK_STR(p.shared->directives, "warn");
    CHECK(p.shared->filter_gen > before && p.shared->filter_gen % 2 == 0);
    memset(text, 'x', sizeof text - 1);
    CHECK_EQ(region_set_directives(r, text), ORIEL_EINVAL);
    CHECK_STR(p.shared->directives, "warn");
    CHECK_EQ(region_triggers(r), 0);
    region_trigger(r);
    CHECK_EQ(region_triggers(r), 1);
    rw_detach(&p);
    region_free(r);
}

/* A child that makes a ring, writes, and dies; the ring's path. */
static void leave_behind(char *path, size_t n)
{
    int fds[2];
    struct region_options o = options();
    REQUIRE(pipe(fds) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct rw_process p;
        struct rw_thread t;
        static struct region *volatile left; /* to the kernel, on purpose */
        struct region *r = left = make(&o);
        rw_attach_path(&p, region_path(r));
        rw_site(&p, 2, ORIEL_SITE_EVENT, "tick", "u");
        rw_thread_start(&t, &p, 0);
        for (int i = 0; i < 1000; i++)
            rw_event(&t, 2, 1);
        if (write(fds[1], region_path(r), strlen(region_path(r)) + 1) < 0)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    REQUIRE(read(fds[0], path, n) > 0);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
}

TEST(directives_that_nobody_understands_are_refused_by_name)
{
    static const char *const good[] = {"", "info", " WARN , db=off ", "a=trace,b.c=fatal,,error"};
    static const char *const bad[] = {"loud", "db=", "=info", "info,db=inf", "a=b=info"};
    char text[WIRE_DIRECTIVES_BYTES * 2];
    struct oriel_err err;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK_EQ(region_check_directives(good[i], NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(region_check_directives(bad[i], &err), ORIEL_EINVAL);
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = ',';
    text[sizeof text - 1] = 0;
    CHECK_EQ(region_check_directives(text, &err), ORIEL_EINVAL);
}

TEST(switched_directives_reach_the_threads_and_the_waiting_ends_when_they_look)
{
    struct region_options o = options();
    struct oriel_err err;
    struct rw_process p;
    struct rw_thread t;
    unsigned threads = 9, waiting = 9;
    struct region *r = make(&o);
    REQUIRE(rw_attach_path(&p, region_path(r)) && rw_thread_start(&t, &p, 0));
    REQUIRE(region_switch(region_path(r), "db=off", 1, &threads, &waiting, &err) == 0);
    CHECK(threads == 1 && waiting == 1);
    CHECK_EQ(t.t->clock, ORIEL_CLOCK_MARK);
    CHECK_STR(p.shared->directives, "db=off");
    CHECK_EQ(p.shared->filter_gen % 2, 0);
    CHECK_EQ(region_switch(region_path(r), "db=no", 1, &threads, &waiting, &err), ORIEL_EINVAL);
    CHECK_EQ(region_switch("/nowhere", "info", 1, &threads, &waiting, &err), ORIEL_ENOTFOUND);
    rw_thread_exit(&t);
    REQUIRE(region_switch(region_path(r), "info", 1, &threads, &waiting, &err) == 0);
    CHECK(threads == 0 && waiting == 0);
    rw_detach(&p);
    region_free(r);
}

TEST(a_recorded_process_leads_to_its_ring)
{
    struct region_options o = options();
    struct oriel_err err;
    struct rw_process p;
    char path[512], far[8];
    setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
    o.directory = NULL;
    struct region *r = make(&o);
    REQUIRE(rw_attach_path(&p, region_path(r)));
    REQUIRE(region_find(getpid(), path, sizeof path, &err) == 0);
    CHECK_STR(path, region_path(r));
    CHECK_EQ(region_find(1, path, sizeof path, &err), ORIEL_ENOTFOUND);
    CHECK_EQ(region_find(getpid(), far, sizeof far, &err), ORIEL_ENOTFOUND);
    rw_detach(&p);
    region_unlink(region_path(r), NULL);
    region_free(r);
}

TEST(orphans_are_found_oldest_first_and_other_files_passed_over)
{
    char paths[3][512], other[600];
    struct region_info *list = NULL;
    struct oriel_err err;
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        leave_behind(paths[i], sizeof paths[i]);
    snprintf(other, sizeof other, "%s/notes.ring", test_tmpdir());
    close(open(other, O_CREAT | O_WRONLY, 0600));
    snprintf(other, sizeof other, "%s/empty.txt", test_tmpdir());
    close(open(other, O_CREAT | O_WRONLY, 0600));
    struct region_options o = options();
    struct region *mine = make(&o);
    REQUIRE(region_list(test_tmpdir(), &list, &n, &err) == 0);
    REQUIRE(n == 4);
    for (int i = 0; i < 3; i++) {
        CHECK_STR(list[i].path, paths[i]);
        CHECK(region_is_orphan(&list[i]));
        CHECK_EQ(list[i].processes, 1);
        CHECK_STR(list[i].exe, "/usr/bin/writer");
        CHECK(list[i].unread_bytes >= 24000 && list[i].unread_bytes < 25000);
    }
    CHECK(!region_is_orphan(&list[3]));
    mem_free(list);
    CHECK_EQ(region_list("/nowhere/at/all", &list, &n, &err), ORIEL_ENOTFOUND);
    region_free(mine);
}

/* A file as a maker of this pid and start time leaves it when it dies. */
static void leave_unborn(char *path, size_t n, int pid, uint64_t start, time_t age)
{
    snprintf(path, n, "%s/20261120T101500Z-%d-01234567.ring.%llu.unborn", test_tmpdir(), pid,
             (unsigned long long)start);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    struct timespec when[2] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};
    REQUIRE(fd >= 0 && futimens(fd, when) == 0);
    close(fd);
}

TEST(what_dead_makers_left_half_made_is_swept_and_the_living_are_left_alone)
{
    char dead[600], young[600], reused[600], living[600];
    struct region_options o = options();
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    leave_unborn(dead, sizeof dead, pid, 12345, 60);
    leave_unborn(young, sizeof young, pid, 12346, 0);
    leave_unborn(reused, sizeof reused, getpid(), 1, 60);
    leave_unborn(living, sizeof living, getpid(), os_start_time(getpid(), 0), 60);
    region_free(make(&o));
    CHECK(access(dead, F_OK) != 0 && access(reused, F_OK) != 0);
    CHECK(access(young, F_OK) == 0 && access(living, F_OK) == 0);
}

TEST(a_ring_shows_when_it_is_whole_and_not_before)
{
    struct region_options o = options();
    char path[800];
    o.ring_bytes = 4 << 20;
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 50; i++)
            region_free(make(&o));
        _exit(0);
    }
    for (int status, seen = 0; waitpid(pid, &status, WNOHANG) == 0;) {
        DIR *d = opendir(test_tmpdir());
        REQUIRE(d != NULL);
        for (struct dirent *e; (e = readdir(d));) {
            struct region_info info;
            struct oriel_err err;
            size_t n = strlen(e->d_name);
            if (n < 5 || strcmp(e->d_name + n - 5, ".ring") != 0)
                continue;
            snprintf(path, sizeof path, "%s/%s", test_tmpdir(), e->d_name);
            if (region_inspect(path, &info, &err) != 0)
                test_fail(__FILE__, __LINE__, "%s", err.text);
            seen++;
        }
        closedir(d);
        test_stop_if_failed();
    }
}

TEST(what_was_recovered_counts_as_read)
{
    char path[512];
    struct region_info info;
    struct reader r;
    struct oriel_err err;
    leave_behind(path, sizeof path);
    REQUIRE(reader_open(&r, path) == 0);
    while (reader_poll(&r, 100000) == SOURCE_DATA)
        reader_commit(&r);
    REQUIRE(region_inspect(path, &info, &err) == 0);
    CHECK_EQ(info.unread_bytes, 0);
    CHECK_EQ(info.reader_pid, getpid());
    CHECK(!region_is_orphan(&info));
    reader_close(&r);
    REQUIRE(region_inspect(path, &info, &err) == 0);
    CHECK(region_is_orphan(&info));
}

/* ---- what is not a ring ---- */

static void write_file(const char *name, const void *bytes, size_t n, char *out, size_t room)
{
    snprintf(out, room, "%s/%s", test_tmpdir(), name);
    int fd = open(out, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
}

static void expect_refusal(const char *path, int code, const char *text)
{
    struct region_info info;
    struct oriel_err err;
    struct reader r;
    CHECK_EQ(reader_open(&r, path), code);
    if (!strstr(r.err.text, text))
        test_fail(__FILE__, __LINE__, "\"%s\" says nothing of \"%s\"", r.err.text, text);
    reader_close(&r);
    CHECK_EQ(region_inspect(path, &info, &err), code);
}

TEST(foreign_cut_and_wrong_files_are_refused_in_one_line)
{
    static _Alignas(64) char bytes[1 << 16];
    char path[300];
    struct region_options o = options();
    struct region *r = make(&o);
    int fd = open(region_path(r), O_RDONLY | O_CLOEXEC);
    REQUIRE(read(fd, bytes, sizeof bytes) == sizeof bytes);
    close(fd);
    region_free(r);
    struct wire_region *h = (struct wire_region *)bytes;

    expect_refusal("/nowhere/at/all.ring", ORIEL_ENOTFOUND, "/nowhere/at/all.ring");
    expect_refusal(test_tmpdir(), ORIEL_EIO, test_tmpdir());
    write_file("empty", "", 0, path, sizeof path);
    expect_refusal(path, ORIEL_EFORMAT, "not an oriel ring");
    write_file("short", "ORIELRG\1", 8, path, sizeof path);
    expect_refusal(path, ORIEL_EFORMAT, "not an oriel ring");
    write_file("cut", bytes, sizeof bytes, path, sizeof path);
    expect_refusal(path, ORIEL_EFORMAT, "cut short");
    h->version = 9;
    write_file("later", bytes, sizeof bytes, path, sizeof path);
    expect_refusal(path, ORIEL_EVERSION, "another version");
    h->version = WIRE_REGION_VERSION;
    h->chunk_count ^= 1 << 9;
    write_file("odd", bytes, sizeof bytes, path, sizeof path);
    expect_refusal(path, ORIEL_EFORMAT, "contradicts itself");
    memset(bytes, 0, sizeof bytes);
    write_file("zeros", bytes, sizeof bytes, path, sizeof path);
    expect_refusal(path, ORIEL_EFORMAT, "not an oriel ring");
}

TEST(a_reader_without_memory_says_so_and_can_try_again)
{
    char path[512];
    struct reader r;
    leave_behind(path, sizeof path);
    uint64_t n = 1;
    for (int rc = -1; rc != 0; n++) {
        mem_fail_after(n);
        rc = reader_open(&r, path);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        if (rc != 0)
            reader_close(&r);
        REQUIRE(n < 100);
    }
    size_t seen = 0;
    for (n = 1;; n++) {
        mem_fail_after(n % 64);
        int result = reader_poll(&r, 50);
        mem_fail_after(0);
        CHECK(result >= 0 || result == ORIEL_ENOMEM);
        for (size_t i = 0; i < r.batch.record_count; i++)
            seen += r.batch.records[i].type == ORIEL_REC_EVENT;
        reader_commit(&r);
        if (result == SOURCE_END || n > 10000)
            break;
    }
    CHECK_EQ(seen, 1000);
    reader_close(&r);
}

TEST_MAIN()
