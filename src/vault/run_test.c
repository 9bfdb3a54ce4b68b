/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Helper processes: what they print and say, their end, what they are given. And
 * that the program around us sees nothing of them: no signal, no child, no
 * descriptor, no handler that runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "test.h"
#include "vault/provider.h"

static const char *const environment[] = {"PATH=relative::/usr/bin:/bin",
                                          "HOME=/nowhere",
                                          "VAULT_TOKEN=canary",
                                          "LD_PRELOAD=canary",
                                          "ORIEL_RING=canary",
                                          NULL};
static struct secret out;
static struct oriel_err err;

static int run_until(uint64_t deadline_ns, const char *const *argv)
{
    const struct vault_ask ask = {
        .key = "K", .environment = environment, .deadline_ns = deadline_ns};
    const struct vault_run r = {.argv = argv, .ask = &ask, .stdin_fd = -1, .third_fd = -1};
    out = (struct secret){0};
    err = (struct oriel_err){0};
    return vault_run(&r, &out, &err);
}

static int shell(const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    return run_until(clock_mono_ns() + 600000000000u, argv);
}

TEST(what_a_program_prints_comes_back_whole)
{
    CHECK_EQ(shell("printf 'a\\nb'; echo said >&2; printf c"), 0);
    CHECK_STR(out.p, "a\nbc");
    CHECK_EQ(out.n, 4);
    secret_close(&out);
    CHECK_EQ(shell("head -c 65536 /dev/zero"), 0);
    CHECK_EQ(out.n, SECRET_MAX);
    secret_close(&out);
    CHECK_EQ(shell("true"), 0);
    CHECK_EQ(out.n, 0);
    secret_close(&out);
}

TEST(failures_say_what_the_program_said_and_no_secret)
{
    CHECK_EQ(secret_known_add("hunter2-canary", 14), 0);
    CHECK_EQ(shell("echo out; echo 'no: hunter2-canary' >&2; echo second >&2; exit 3"), ORIEL_EIO);
    CHECK_STR(err.text, "sh: failed with status 3: no: [redacted]");
    secret_known_forget();
    CHECK_EQ(shell("kill -9 $$"), ORIEL_EIO);
    CHECK_STR(err.text, "sh: ended by signal 9");
    CHECK_EQ(shell("head -c 65537 /dev/zero; sleep 600"), ORIEL_ELIMIT);
    const char *const missing[] = {"no-such-program", NULL};
    CHECK_EQ(run_until(clock_mono_ns() + 600000000000u, missing), ORIEL_ENOTFOUND);
    const char *const folder[] = {"/etc", NULL};
    CHECK_EQ(run_until(clock_mono_ns() + 600000000000u, folder), ORIEL_ENOTFOUND);
    CHECK(out.p == NULL);
}

struct hurry {
    _Atomic uint64_t nearer_ns;
    char path[300];
};

/* As soon as the helper runs. */
static void *hurry(void *arg)
{
    struct hurry *h = arg;
    int fd = open(h->path, O_WRONLY | O_CLOEXEC);
    h->nearer_ns = 0;
    return (void *)(intptr_t)fd;
}

TEST(a_deadline_that_comes_nearer_ends_it)
{
    struct hurry h = {.nearer_ns = UINT64_MAX};
    pthread_t t;
    void *fd;
    snprintf(h.path, sizeof h.path, "%s/fifo", test_tmpdir());
    REQUIRE(mkfifo(h.path, 0600) == 0);
    const char *const argv[] = {"cat", h.path, NULL};
    const struct vault_ask ask = {.key = "K",
                                  .environment = environment,
                                  .deadline_ns = clock_mono_ns() + 600000000000u,
                                  .nearer_ns = &h.nearer_ns};
    const struct vault_run r = {.argv = argv, .ask = &ask, .stdin_fd = -1, .third_fd = -1};
    REQUIRE(pthread_create(&t, NULL, hurry, &h) == 0);
    CHECK_EQ(vault_run(&r, &out, &err), ORIEL_ETIMEOUT);
    pthread_join(t, &fd);
    close((int)(intptr_t)fd);
}

TEST(at_the_deadline_it_is_ended_with_all_that_it_started)
{
    /* The descendants hold a pipe of ours: its end tells that none of them is left. */
    int ends[2];
    char byte;
    CHECK_EQ(pipe(ends), 0);
    const struct vault_ask ask = {
        .key = "K", .environment = environment, .deadline_ns = clock_mono_ns() + 50000000u};
    const char *const argv[] = {"sh", "-c", "sleep 1000 & sleep 1000", NULL};
    const struct vault_run r = {.argv = argv, .ask = &ask, .stdin_fd = -1, .third_fd = ends[1]};
    CHECK_EQ(vault_run(&r, &out, &err), ORIEL_ETIMEOUT);
    CHECK_STR(err.text, "sh: did not answer in time");
    close(ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    const char *const deaf[] = {"sh", "-c", "exec >&- 2>&-; trap '' TERM; sleep 1000", NULL};
    CHECK_EQ(run_until(clock_mono_ns() + 50000000u, deaf), ORIEL_ETIMEOUT);
}

TEST(a_helper_gets_a_clean_environment_and_no_descriptors_of_ours)
{
    int leaky = fcntl(open("/dev/null", O_RDONLY), F_DUPFD, 50);
    CHECK_EQ(
        shell(
            "env | sort | cut -d= -f1 | grep -v '^_$\\|^PWD$\\|^SHLVL$\\|^OLDPWD$' | tr '\\n' ' '"),
        0);
    CHECK_STR(out.p, "HOME PATH ");
    secret_close(&out);
    /* Without a pipe of the shell's own in the way. */
    CHECK_EQ(shell("i=0; while [ $i -lt 100 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1)); "
                   "done; true"),
             0);
    CHECK_STR(out.p, "0\n1\n2\n");
    secret_close(&out);
    CHECK_EQ(
        shell("cat; readlink /proc/$$/fd/0; exec 2>/dev/null; (: </dev/tty) || echo no terminal"),
        0);
    CHECK_STR(out.p, "/dev/null\nno terminal\n");
    secret_close(&out);
    CHECK_EQ(shell("grep -E 'Sig(Blk|Ign)' /proc/$$/status | cut -f2 | tr -d '0\\n'"), 0);
    CHECK_STR(out.p, "");
    secret_close(&out);
    close(leaky);
}

/* ---- the program around us ---- */

static atomic_int signals;
static void on_signal(int number)
{
    atomic_fetch_add(&signals, 1);
}

static int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static atomic_bool over;
static atomic_int reaped;

/* A program that reaps whatever there is. */
static void *reap(void *unused)
{
    while (!atomic_load(&over)) {
        int status;
        if (waitpid(-1, &status, WNOHANG) > 0)
            atomic_fetch_add(&reaped, 1);
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid)
            atomic_fetch_add(&reaped, 1);
    }
    return NULL;
}

TEST(the_program_gets_no_signal_no_child_and_no_descriptor)
{
    struct sigaction handler = {.sa_handler = on_signal}, before;
    pthread_t thread;
    CHECK_EQ(sigaction(SIGCHLD, &handler, &before), 0);
    int open_before = open_descriptors();
    CHECK_EQ(pthread_create(&thread, NULL, reap, NULL), 0);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(shell(i % 2 ? "echo x" : "(sleep 0) & exit 1"), i % 2 ? 0 : ORIEL_EIO);
        secret_close(&out);
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    CHECK_EQ(atomic_load(&signals), 0);
    CHECK_EQ(atomic_load(&reaped), 0);
    CHECK_EQ(open_descriptors(), open_before);
    errno = 0;
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
    /* Nor is there one that only those see who look for clones. */
    CHECK_EQ(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    sigaction(SIGCHLD, &before, NULL);
}

TEST(it_works_where_the_program_ignores_or_adopts_children)
{
    struct sigaction ignored = {.sa_handler = SIG_IGN}, before;
    CHECK_EQ(sigaction(SIGCHLD, &ignored, &before), 0);
    CHECK_EQ(shell("echo x; exit 0"), 0);
    secret_close(&out);
    CHECK_EQ(shell("exit 4"), ORIEL_EIO);
    CHECK_STR(err.text, "sh: failed with status 4");
    sigaction(SIGCHLD, &before, NULL);
    CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    const char *const argv[] = {"sh", "-c", "sleep 1000", NULL};
    CHECK_EQ(run_until(clock_mono_ns() + 50000000u, argv), ORIEL_ETIMEOUT);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
}

TEST(handlers_of_the_program_run_in_the_program_only)
{
    sigset_t now;
    CHECK_EQ(shell("kill -CHLD $PPID; kill -USR1 $PPID; echo x"), 0); /* to the warden: blocked */
    secret_close(&out);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    CHECK(!sigismember(&now, SIGCHLD) && !sigismember(&now, SIGINT));
}

TEST_MAIN()
