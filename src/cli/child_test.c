/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finding, starting and outliving a program. Each test is a process of its
 * own, so its signal handlers and children disturb nobody.
 */
#include "cli/child.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static struct child c;
static struct oriel_err err;
static char path[4096];
static char ring[] = "ORIEL_RING=/ring/path";
static char *const settings[] = {ring, NULL};

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(name, "w");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
    chmod(name, mode);
}

static void start(char *const argv[])
{
    REQUIRE(child_find(argv[0], path, sizeof path, &err) == 0);
    REQUIRE(child_start(&c, path, argv, settings, &err) == 0);
}

static void sh(const char *line)
{
    char a[] = "sh", b[] = "-c", text[512];
    snprintf(text, sizeof text, "%s", line);
    char *argv[] = {a, b, text, NULL};
    start(argv);
}

static void wait_over(void)
{
    while (!child_poll(&c))
        child_sleep(&c, 1000000000, -1, -1);
}

TEST(child_find_looks_where_execvp_looks)
{
    REQUIRE(chdir(test_tmpdir()) == 0);
    mkdir("a", 0700);
    mkdir("b", 0700);
    mkdir("a/tool", 0700); /* a directory is passed over */
    put("a/plain", "", 0600);
    put("b/tool", "#!/bin/sh\n", 0700);
    put("b/plain", "#!/bin/sh\n", 0700);
    put("here", "#!/bin/sh\n", 0700);
    setenv("PATH", "a:/nonexistent:b:", 1);
    CHECK_EQ(child_find("tool", path, sizeof path, &err), 0);
    CHECK_STR(path, "b/tool");
    CHECK_EQ(child_find("plain", path, sizeof path, &err), 0);
    CHECK_STR(path, "b/plain");
    CHECK_EQ(child_find("here", path, sizeof path, &err), 0); /* "" is this directory */
    CHECK_EQ(child_find("nothing", path, sizeof path, &err), ORIEL_ENOTFOUND);
    CHECK_STR(err.text, "nothing: no such program");
    CHECK_EQ(child_find("", path, sizeof path, &err), ORIEL_ENOTFOUND);
    CHECK_EQ(child_find("./a", path, sizeof path, &err), ORIEL_EPERM);
    CHECK_EQ(child_find("a/plain", path, sizeof path, &err), ORIEL_EPERM);
    setenv("PATH", "a", 1);
    CHECK_EQ(child_find("plain", path, sizeof path, &err), ORIEL_EPERM);
    char small[4];
    setenv("PATH", "b", 1);
    CHECK_EQ(child_find("tool", small, sizeof small, &err), ORIEL_ENOTFOUND);
}

TEST(child_gets_the_ring_in_place_of_an_older_one)
{
    setenv("ORIEL_RING", "/old", 1);
    sh("test \"$ORIEL_RING\" = /ring/path && test $(env | grep -c ^ORIEL_RING=) = 1");
    wait_over();
    CHECK(WIFEXITED(c.status) && WEXITSTATUS(c.status) == 0);
    CHECK_STR(getenv("ORIEL_RING"), "/old");
}

TEST(child_end_wakes_the_sleeper_at_once)
{
    sh("exit 3");
    while (!child_poll(&c))
        child_sleep(&c, UINT64_C(86400000000000), -1, -1); /* a day: this test does not last it */
    CHECK_EQ(WEXITSTATUS(c.status), 3);
    CHECK(c.alone);
}

TEST(sleep_ends_when_the_descriptor_can_be_read)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    sh("exec sleep 86400");
    child_sleep(&c, UINT64_C(86400000000000), ends[0], -1);
    child_sleep(&c, UINT64_C(86400000000000), -1, ends[0]);
    CHECK(!child_poll(&c));
    kill(c.pid, SIGKILL);
    wait_over();
    close(ends[0]);
    close(ends[1]);
}

TEST(child_is_not_alone_while_a_descendant_lives)
{
    sh("sleep 86400 & echo $! > /dev/null; kill -0 $! && exit 4");
    wait_over();
    CHECK(!c.alone);
    /* It is ours now: we may end it, and then notice. */
    char line[64];
    snprintf(line, sizeof line, "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(line, "r");
    int pid = 0;
    REQUIRE(f && fscanf(f, "%d", &pid) == 1);
    fclose(f);
    kill(pid, SIGKILL);
    while (!c.alone) {
        child_poll(&c);
        child_sleep(&c, 1000000, -1, -1);
    }
    CHECK_EQ(WEXITSTATUS(c.status), 4);
}

TEST(child_gets_signals_that_another_process_sends_to_us)
{
    sh("trap 'exit 9' TERM; kill -TERM $PPID; while :; do sleep 0.01; done");
    wait_over();
    CHECK(WIFEXITED(c.status) && WEXITSTATUS(c.status) == 9);
}

TEST(child_status_survives_an_ignored_sigchld)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGCHLD, &ignore, NULL);
    sh("exit 7");
    wait_over();
    CHECK(WIFEXITED(c.status) && WEXITSTATUS(c.status) == 7);
}

TEST(child_start_restores_signals_when_it_fails)
{
    struct sigaction now;
    char name[] = "/nonexistent";
    char *argv[] = {name, NULL};
    CHECK_EQ(child_start(&c, "/nonexistent", argv, settings, &err), ORIEL_ENOTFOUND);
    CHECK(strstr(err.text, "/nonexistent: cannot be started") != NULL);
    sigaction(SIGTERM, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);
}

static int died_like(int status)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_exit_like(status));
    int got = -1;
    waitpid(pid, &got, 0);
    return got;
}

TEST(child_exit_like_says_what_the_status_said)
{
    for (int i = 0; i < 256; i++)
        CHECK_EQ(died_like(W_EXITCODE(i, 0)), W_EXITCODE(i, 0));
    static const int signals[] = {SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGPIPE, SIGINT, SIGUSR2};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        CHECK_EQ(died_like(signals[i] | 0x80) & 0x7f, signals[i]);
    /* and leaves no core file of the recorder behind */
    struct rlimit core = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &core);
    CHECK(!WCOREDUMP(died_like(SIGSEGV | 0x80)));
}

TEST_MAIN()
