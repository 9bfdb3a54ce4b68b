/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The test harness: forks one process per test, bounds its time, captures its
 * output, and counts. Knows nothing of Oriel.
 */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_SKIPPED = 77 };
/* A deadline ends what hangs and says nothing of speed: a machine that does other
 * things, too, has so many times as long as a test names for one that does not. */
enum { PATIENCE = 10 };

static struct test_case *cases;
static int failures;
static char tmpdir[64];
static pid_t tmpdir_owner;

void test_register(struct test_case *c)
{
    struct test_case **at = &cases;
    while (*at)
        at = &(*at)->next;
    *at = c;
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    if (d) {
        for (struct dirent *e; (e = readdir(d));) {
            char sub[1024];
            struct stat st;
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
            if (lstat(sub, &st) == 0 && S_ISDIR(st.st_mode))
                remove_tree(sub);
            else
                unlink(sub);
        }
        closedir(d);
    }
    rmdir(path);
}

const char *test_tmpdir(void)
{
    if (!tmpdir[0]) {
        snprintf(tmpdir, sizeof tmpdir, "/tmp/oriel-test.XXXXXX");
        if (!mkdtemp(tmpdir))
            tmpdir[0] = 0;
        tmpdir_owner = getpid();
    }
    return tmpdir;
}

/* A test ends with _exit, so what instrumentation does at exit is asked for
 * here: leaks are a failure, and covered lines are written. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
#ifdef TEST_COVERAGE
void __gcov_dump(void);
#else
static void __gcov_dump(void)
{
}
#endif

static void finish(int code)
{
    if (code == EXIT_PASSED && __lsan_do_recoverable_leak_check &&
        __lsan_do_recoverable_leak_check() != 0)
        code = EXIT_FAILED;
    __gcov_dump();
    fflush(NULL);
    if (tmpdir[0] && tmpdir_owner == getpid())
        remove_tree(tmpdir);
    _exit(code);
}

void test_leave(int code)
{
    __gcov_dump();
    _exit(code);
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list ap;
    failures++;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void test_skip(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    finish(EXIT_SKIPPED);
    abort();
}

unsigned long test_times(unsigned long n)
{
    const char *text = getenv("TEST_SLOWDOWN");
    unsigned long by = text ? strtoul(text, NULL, 10) : 1;
    return by > 1 && n > 1 ? (n / by ? n / by : 1) : n;
}

void test_skip_emulated(const char *why)
{
    const char *emulator = getenv("TEST_EMULATOR");
    if (emulator)
        test_skip("%s: %s", emulator, why);
}

void test_stop_if_failed(void)
{
    if (failures)
        finish(EXIT_FAILED);
}

static void run_case(const struct test_case *c)
{
    c->run();
    finish(failures ? EXIT_FAILED : EXIT_PASSED);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Collect output until the child closes it or the deadline passes. */
static size_t collect(int fd, char *out, size_t n, int64_t deadline, bool *late)
{
    size_t used = 0;
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        int64_t left = deadline - now_ms();
        char sink[4096];
        if (left <= 0) {
            *late = true;
            return used;
        }
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        ssize_t got =
            used < n - 1 ? read(fd, out + used, n - 1 - used) : read(fd, sink, sizeof sink);
        if (got <= 0)
            return used;
        if (used < n - 1)
            used += (size_t)got;
    }
}

/* Runs one test in a child; returns EXIT_*. */
static int supervise(const struct test_case *c, int default_timeout)
{
    static char output[1 << 16];
    int pipefd[2], status = 0, timeout = c->timeout_s ? c->timeout_s * PATIENCE : default_timeout;
    bool late = false;
    int64_t start = now_ms();
    if (pipe(pipefd) != 0)
        return EXIT_FAILED;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        dup2(pipefd[1], 1);
        dup2(pipefd[1], 2);
        close(pipefd[0]);
        close(pipefd[1]);
        run_case(c);
    }
    setpgid(pid, pid);
    close(pipefd[1]);
    size_t n = collect(pipefd[0], output, sizeof output, start + timeout * 1000LL, &late);
    output[n] = 0;
    if (late)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    kill(-pid, SIGKILL); /* whatever it left running */
    close(pipefd[0]);
    int result = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
    if (late)
        result = EXIT_FAILED;
    if (result == EXIT_PASSED) {
        printf("ok      %s (%lld ms)\n", c->name, (long long)(now_ms() - start));
    } else if (result == EXIT_SKIPPED) {
        printf("skipped %s: %s", c->name, n ? output : "no reason given\n");
    } else {
        result = EXIT_FAILED;
        printf("FAILED  %s (%s:%d)", c->name, c->file, c->line);
        if (late)
            printf(": no end after %d s", timeout);
        else if (WIFSIGNALED(status))
            printf(": signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        printf("\n%s", output);
    }
    fflush(stdout);
    return result;
}

static bool selected(const struct test_case *c, char **names, int count)
{
    if (count == 0)
        return true;
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], c->name) == 0)
            return true;
    return false;
}

int test_main(int argc, char **argv)
{
    int passed = 0, failed = 0, skipped = 0, timeout = 60 * PATIENCE, at;
    bool fork_each = true;
    while ((at = getopt(argc, argv, "lnj:t:")) != -1) {
        if (at == 'l') {
            for (struct test_case *c = cases; c; c = c->next)
                puts(c->name);
            return 0;
        } else if (at == 'n') {
            fork_each = false;
        } else if (at == 't') {
            timeout = atoi(optarg);
        } else if (at != 'j') {
            return 2;
        }
    }
    for (struct test_case *c = cases; c; c = c->next) {
        if (!selected(c, argv + optind, argc - optind))
            continue;
        if (!fork_each)
            run_case(c);
        int result = supervise(c, timeout);
        if (result == EXIT_PASSED)
            passed++;
        else if (result == EXIT_SKIPPED)
            skipped++;
        else
            failed++;
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    if (failed || passed + skipped == 0)
        return EXIT_FAILED;
    return passed ? EXIT_PASSED : EXIT_SKIPPED;
}
