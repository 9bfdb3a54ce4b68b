/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tracer on programs that every machine has, and on this one: what it finds
 * of code is tested by tests/scenario/cov_test.py.
 */
#include "cli/cov_trace.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbol/points.h"
#include "test.h"

static int run_shell(const char *text, int *status, struct trace *t, struct oriel_err *err)
{
    char shell[] = "sh", option[] = "-c";
    char *words = strdup(text);
    char *const argv[] = {shell, option, words, NULL};
    int rc = trace_run(t, "/bin/sh", argv, status, err);
    free(words);
    return rc;
}

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

TEST(the_status_is_the_programs)
{
    struct trace t = {0};
    struct oriel_err err = {0};
    int status = -1;
    test_skip_emulated("tracing a program");
    unsigned before = open_files();
    if (run_shell("exit 7", &status, &t, &err) == ORIEL_EPERM)
        test_skip("%s", err.text);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK_EQ(run_shell("kill -TERM $$", &status, &t, &err), 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CHECK_EQ(run_shell("(exit 3); (exit 4); sh -c 'exit 5'", &status, &t, &err), 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    CHECK_EQ(open_files(), before);
    CHECK_EQ(t.left, 0);
}

TEST(what_cannot_be_started_is_told)
{
    struct trace t = {0};
    struct oriel_err err = {0};
    int status;
    char name[] = "nothing";
    char *const argv[] = {name, NULL};
    test_skip_emulated("tracing a program");
    unsigned before = open_files();
    CHECK_EQ(trace_run(&t, "/no/such/program", argv, &status, &err), ORIEL_ENOTFOUND);
    CHECK(strstr(err.text, "/no/such/program") != NULL);
    CHECK_EQ(trace_run(&t, "/etc/passwd", argv, &status, &err), ORIEL_EPERM);
    CHECK_EQ(open_files(), before);
}

TEST(what_was_to_be_done_with_signals_stays)
{
    struct trace t = {0};
    struct oriel_err err = {0};
    struct sigaction sa = {.sa_handler = SIG_IGN}, now;
    int status;
    test_skip_emulated("tracing a program");
    sigaction(SIGHUP, &sa, NULL);
    if (run_shell("exit 0", &status, &t, &err) == ORIEL_EPERM)
        test_skip("%s", err.text);
    sigaction(SIGHUP, NULL, &now);
    CHECK(now.sa_handler == SIG_IGN);
    sigaction(SIGTERM, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);
    /* And the program has inherited it. */
    CHECK_EQ(run_shell("kill -HUP $$; exit 6", &status, &t, &err), 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 6);
}

TEST(a_process_that_is_left_behind_goes_on)
{
    struct trace t = {0};
    struct oriel_err err = {0};
    int status;
    char byte = 0;
    test_skip_emulated("tracing a program");
    REQUIRE(chdir(test_tmpdir()) == 0);
    REQUIRE(mkfifo("in", 0600) == 0 && mkfifo("out", 0600) == 0);
    if (run_shell("(read x <in; echo $x >out) & exit 0", &status, &t, &err) == ORIEL_EPERM)
        test_skip("%s", err.text);
    CHECK_EQ(t.left, 1);
    test_stop_if_failed();
    /* Nobody traces it any more, and it answers. */
    int in = open("in", O_WRONLY | O_CLOEXEC);
    CHECK_EQ(write(in, "!\n", 2), 2);
    int out = open("out", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(read(out, &byte, 1), 1);
    CHECK_EQ(byte, '!');
}

/* A function of this very program, which is run a second time with one test's name. */
__attribute__((noinline, used)) static void cov_trace_landmark(void)
{
    __asm__ volatile("");
}
__attribute__((noinline, used)) static void cov_trace_elsewhere(void)
{
    __asm__ volatile("");
}

TEST(the_landmark_is_reached)
{
    cov_trace_landmark();
    if (getenv("ORIEL_TEST_NEVER"))
        cov_trace_elsewhere();
}

static uint64_t offset_of(const char *path, const char *function)
{
    struct symbols *s;
    struct points p;
    const struct points_query q = {.kinds = 1u << POINT_FUNCTION, .pattern = function};
    REQUIRE(symbols_open(NULL, &s) == 0);
    REQUIRE(points_find(s, path, &q, &p, NULL) == 0);
    REQUIRE(p.count == 1);
    uint64_t offset = p.items[0].offset;
    points_done(&p);
    symbols_close(s);
    return offset;
}

TEST(a_place_that_is_reached_is_found_and_another_is_not)
{
    char path[4096], name[] = "cov_trace", option[] = "-n", test[] = "the_landmark_is_reached";
    char *const argv[] = {name, option, test, NULL};
    struct oriel_err err = {0};
    struct stat st;
    int status;
    test_skip_emulated("tracing a program");
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    REQUIRE(n > 0);
    path[n] = 0;
    REQUIRE(stat(path, &st) == 0);
    uint64_t a = offset_of(path, "cov_trace_landmark"), b = offset_of(path, "cov_trace_elsewhere");
    struct trace_spot spots[2] = {{.offset = a < b ? a : b}, {.offset = a < b ? b : a}};
    struct trace_object object = {.dev = st.st_dev, .ino = st.st_ino, .spots = spots, .count = 2};
    struct trace t = {.objects = &object, .count = 1};
    /* Who looks for leaks traces the program: there is one tracer already. */
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    if (trace_run(&t, path, argv, &status, &err) == ORIEL_EPERM)
        test_skip("%s", err.text);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(t.hits, 1);
    CHECK(object.placed >= 1); /* a sanitizer executes its program again */
    CHECK(spots[a < b ? 0 : 1].hit && !spots[a < b ? 1 : 0].hit);
}

TEST_MAIN()
